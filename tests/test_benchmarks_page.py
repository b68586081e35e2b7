"""The page of the benchmarks is made by a program, from recorded figures: nobody edits it by hand."""

import json
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.results import Results, read_results, write_results


def read_recorded() -> tuple[Results, Results]:
    return read_results(report.RECORDED / report.RESULTS_NAME), read_results(report.HISTORY)


def test_the_page_is_what_the_program_makes_of_the_recorded_figures() -> None:
    made = report.compose_page(*read_recorded())
    assert (report.DOCUMENTS / report.PAGE_NAME).read_text() == made, "run: make bench-report"


def test_every_picture_of_the_page_is_there() -> None:
    results, _ = read_recorded()
    for address in report.name_pictures(results).values():
        assert (report.DOCUMENTS / address).is_file()


def test_what_is_recorded_is_what_a_run_would_write(tmp_path: Path) -> None:
    for file in sorted(report.RECORDED.iterdir()):
        write_results(json.loads(file.read_text()), tmp_path / file.name)
        assert (tmp_path / file.name).read_text() == file.read_text(), f"{file.name} was edited by hand"


@pytest.mark.parametrize("text", ["[[results]] and no more", "[[results]] [[results]] [[history]] [[resume]]"])
def test_a_template_that_lacks_a_part_or_has_one_twice_is_refused(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    template = tmp_path / "page.md.template"
    template.write_text(text)
    monkeypatch.setattr(report, "TEMPLATE", template)
    with pytest.raises(ValueError, match="not once"):
        report.compose_page(*read_recorded())
