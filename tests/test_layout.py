"""Who imports whom: the direction that docs/design.md draws, between the apps and between the rooms inside them."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.processes import ROOT

#: Each app, with the ones that it may import.
APPS = {
    "metrics": set(),
    "alerts": {"metrics"},
    "access": {"metrics"},
    "streaming": {"metrics", "alerts", "access"},
    "quantum_dashboard": {"metrics", "alerts", "access", "streaming"},
}
#: Inside an app: rooms (folders, or modules beside them) from the bottom up. A room imports from itself and from the
#: lines before its own, never from a neighbour in its line.
LINES = {
    "metrics": [
        {"group", "thresholds", "inquiry", "daemon_thread", "plain_sql", "ranges", "private_files"},
        {"metric", "kept_connection"},
        {"catalogue"},
        {"database_thread", "database_errors"},
        {"choices", "first_choices", "parsing", "reading"},
        {"snapshot", "apps"},
        {"models", "sources"},
        {"choice_reader", "history"},
        {"admin"},
    ],
    "access": [
        {"mode", "share"},
        {"viewer", "exposure"},
        {"credentials", "people"},
        {"models"},
        {"lookup", "announcing", "record"},
        {"gate", "apps"},
        {"admin", "management"},
    ],
    "streaming": [
        {
            "wire",
            "contract",
            "checks",
            "garbage",
            "loop_lag",
            "ending",
            "reasons",
            "apps",
            "durations",
            "supervisor",
            "mailbox",
        },
        {"log_filters", "log_noise", "limits"},
        {"ledger"},
        {"publishing", "delivery", "roamers"},
        {"past", "hanging"},
        {"runtime", "torture"},
        {"health", "servers"},
        {"lifespan", "web", "keeping"},
        {"doctor"},
        {"management"},
    ],
}
#: Imports that are wrong and known; each is to go, and then its line here, too.
EXPECTED: set[tuple[str, str]] = set()


def find_modules() -> dict[str, Path]:
    """Every module of the project by its dotted name; a package's is that of its __init__."""
    found = {}
    for app in APPS:
        for file in (ROOT / app).rglob("*.py"):
            if "migrations" not in file.parts:
                parts = file.relative_to(ROOT).with_suffix("").parts
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


MODULES = find_modules()


def imports_of(source: str, module: str, modules: set[str]) -> set[str]:
    """Which of `modules` are imported anywhere in `source`: at the top, in a function or only for types.

    `from package import name` imports the module `package.name` where there is one, else what is in the package itself.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".") if module in PACKAGES else module.split(".")[:-1]
                base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])])
            names = {f"{base}.{alias.name}" for alias in node.names}
            found |= {name if name in modules else base for name in names}
    return found & modules


PACKAGES = {module for module, file in MODULES.items() if file.name == "__init__.py"}
GRAPH = {module: imports_of(file.read_text(), module, set(MODULES)) for module, file in MODULES.items()}


def edges() -> Iterator[tuple[str, str]]:
    return ((module, imported) for module in sorted(GRAPH) for imported in sorted(GRAPH[module]))


def line_of(app: str, room: str) -> int:
    for number, line in enumerate(LINES[app]):
        if room in line:
            return number
    pytest.fail(f"{app}.{room} is new: say in LINES of this test what it stands on")


def is_upwards(importer: str, imported: str) -> bool:
    """Whether an import between two rooms of one app goes up or to a neighbour."""
    (app, *rest), (other, *other_rest) = importer.split("."), imported.split(".")
    if app != other or app not in LINES or not rest or not other_rest or rest[0] == other_rest[0]:
        return False
    return line_of(app, other_rest[0]) >= line_of(app, rest[0])


def test_the_modules_are_found() -> None:
    assert {"metrics.catalogue", "metrics.models", "streaming.delivery.hub", "quantum_dashboard.asgi"} <= set(MODULES)
    assert ("metrics.snapshot", "metrics.catalogue") in set(edges())


def test_apps_import_only_what_is_below_them() -> None:
    for importer, imported in edges():
        app, other = importer.split(".")[0], imported.split(".")[0]
        assert other == app or other in APPS[app], f"{importer} imports {imported}"


def test_rooms_import_only_what_is_below_them() -> None:
    wrong = {edge for edge in edges() if is_upwards(*edge)}
    assert sorted(wrong - EXPECTED) == []


def test_nothing_imports_in_a_circle() -> None:
    graph = {module: {name for name in found if (module, name) not in EXPECTED} for module, found in GRAPH.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_what_is_expected_to_be_wrong_still_is() -> None:
    assert sorted(EXPECTED - set(edges())) == [], "delete these from EXPECTED"


@pytest.mark.parametrize(
    "source",
    [
        "import metrics.models",
        "from metrics import models",
        "from metrics.models import DataSource",
        "from ..models import DataSource",
        "from .. import models",
        "def read():\n    from metrics.models import DataSource",
        "if TYPE_CHECKING:\n    from metrics.models import DataSource",
    ],
)
def test_every_way_to_import_counts(source: str) -> None:
    assert imports_of(source, "metrics.history.reader", set(MODULES)) == {"metrics.models"}
