"""Releases of the project in folders of their own, as they lie on a server, and what a newer one may have."""

import re
import shutil
from pathlib import Path

from tests.processes import BIN, ROOT

#: What a server runs from.
WANTED = ("metrics", "access", "streaming", "quantum_dashboard", "static", "templates", "manage.py")


def copy_project(folder: Path) -> Path:
    """Put a copy of the code into a new folder. Coverage measures the project, not its copies."""
    folder.mkdir(parents=True)
    for name in WANTED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name)
        else:
            shutil.copy2(ROOT / name, folder)
    return folder


def make_release(folder: Path) -> Path:
    """A copy that can be served: with its static files and its virtual environment."""
    copy_project(folder)
    (folder / "staticfiles").symlink_to(ROOT / "staticfiles")
    (folder / ".venv").symlink_to(BIN.parent)
    return folder


def turn_link(link: Path, release: Path) -> None:
    """Have `link` lead to `release` from one moment to the next."""
    new = link.with_name(".next")
    new.symlink_to(release)
    new.replace(link)


MIGRATION = """from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("metrics", "{before}")]
    operations = [migrations.AddField("snapshotrecord", "drawdown", models.FloatField(null=True))]
"""
METRIC = 'Metric("drawdown", Group.PORTFOLIO, "Drawdown", float, "ratio", ("portfolio:drawdown",), 0.1, 0, 1, 3),'


def add_metric(release: Path) -> None:
    """Declare a metric more, `drawdown`, with the migration that it needs."""
    catalogue = release / "metrics" / "catalogue.py"
    text, count = re.subn(r"\n\)\n\nMETRICS", f"\n    {METRIC}\n)\n\nMETRICS", catalogue.read_text())
    assert count == 1
    catalogue.write_text(text)
    migrations = release / "metrics" / "migrations"
    before = max(path.stem for path in migrations.glob("0*.py"))
    (migrations / "9999_drawdown.py").write_text(MIGRATION.format(before=before))


def set_version(release: Path, version: str) -> None:
    """Say that this release is another one."""
    package = release / "quantum_dashboard" / "__init__.py"
    package.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{version}"', package.read_text()))
