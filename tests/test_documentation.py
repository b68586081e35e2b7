"""The documentation points at what is there: whoever moves a file, moves its mentions."""

import re
from pathlib import Path

import pytest

from tests.processes import ROOT

#: The address of a Markdown link, without a title and without the part of the page after `#`.
LINK = re.compile(r"\]\(([^)\s#]*)[^)]*\)")
PAGES = sorted(
    page.relative_to(ROOT) for folder in (ROOT, ROOT / "docs") for page in folder.glob("*.md") if page.is_file()
)
MENTIONED_TARGET = re.compile(r"`make ([a-z-]+)|^make ([a-z-]+)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_leads_to_a_file_of_the_project(page: Path) -> None:
    addresses = {address for address in LINK.findall((ROOT / page).read_text()) if address and ":" not in address}
    missing = sorted(address for address in addresses if not (ROOT / page.parent / address).exists())
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_make_target_that_is_mentioned_exists(page: Path) -> None:
    mentioned = {first or second for first, second in MENTIONED_TARGET.findall((ROOT / page).read_text())}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert mentioned <= targets


def test_the_index_of_the_documentation_lists_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    linked = {(ROOT / "docs" / address).resolve() for address in LINK.findall(index)}
    assert {(ROOT / page).resolve() for page in PAGES} <= {*linked, (ROOT / "docs" / "README.md").resolve()}
