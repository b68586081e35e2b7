"""docs/benchmarks.md, made whole from the recorded results: `python -m benchmarks.report` (or `make bench-report`).

What the page explains stands in benchmarks.md.template, beside this file; what it counts, in results/*.json. Nobody
edits the page itself: a test compares it with what this program makes.
"""

import argparse
from pathlib import Path

from benchmarks.processes import PROJECT
from benchmarks.results import Results, choose_shown_clients, merge_rounds, read_results
from benchmarks.tables import (
    describe_history,
    describe_results,
    tabulate_connects,
    tabulate_resumes,
    tabulate_snapshots,
    tabulate_workers,
)

TEMPLATE = Path(__file__).with_name("benchmarks.md.template")
RECORDED = PROJECT / "benchmarks" / "results"
DOCUMENTS = PROJECT / "docs"
HISTORY = RECORDED / "history.json"
#: Of the results and of the page, in whichever folder; the page's pictures are in a folder beside it.
RESULTS_NAME, PAGE_NAME, PICTURES_NAME = "latest.json", "benchmarks.md", "benchmarks"
NOTICE = "<!-- Made by `make bench-report`: edit benchmarks/benchmarks.md.template, not this page. -->"


def compose_page(results: Results, history: Results) -> str:
    """The page. Raises ValueError where the template does not name each part exactly once."""
    page = TEMPLATE.read_text()
    parts = {
        "[[results]]": describe_results(results, name_pictures(results)),
        "[[history]]": describe_history(history),
        "[[resume]]": "\n".join(tabulate_resumes(results.get("resumes", []))),
        "[[connects]]": "\n".join(tabulate_connects(results.get("connects", []))),
        "[[workers]]": "\n".join(tabulate_workers(results.get("workers", []))),
        "[[snapshot]]": "\n".join(tabulate_snapshots(results.get("snapshots", []))),
    }
    for mark, text in parts.items():
        if page.count(mark) != 1:
            raise ValueError(f"{TEMPLATE} has {mark} {page.count(mark)} times, not once")
        page = page.replace(mark, text)
    return f"{NOTICE}\n\n{page}"


def name_pictures(results: Results) -> dict[str, str]:
    """The pictures' addresses in the page, by caption; benchmarks.plots draws them."""
    pictures = {"CPU a delivered message against the number of clients": f"{PICTURES_NAME}/cost.svg"}
    clients = choose_shown_clients(merge_rounds(results))
    if clients is not None:
        pictures[f"Latency with {clients:,} clients"] = f"{PICTURES_NAME}/latency.svg"
    return pictures


def write_report(results_folder: Path, page_folder: Path) -> Path:
    """Write the page of the results in one folder into another, and draw its pictures; returns the page's file.

    Without matplotlib (`make bench` installs it) the pictures stay as they are, and that is said.
    """
    results = read_results(results_folder / RESULTS_NAME)
    page = page_folder / PAGE_NAME
    page.write_text(compose_page(results, read_results(HISTORY)))
    try:
        from benchmarks.plots import draw_plots  # only here: it takes its time, and not everybody has it
    except ModuleNotFoundError as error:
        print(f"The pictures stay as they are: {error.name} is not installed.")
    else:
        draw_plots(results, page_folder / PICTURES_NAME)
    return page


def main() -> None:
    """Write the page without measuring anything."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report", description="Write the page again.")
    parser.add_argument(
        "folder", nargs="?", type=Path, help=f"with {RESULTS_NAME}; the page goes there, too (default: the project's)"
    )
    folder = parser.parse_args().folder
    print(f"Written: {write_report(folder or RECORDED, folder or DOCUMENTS)}")


if __name__ == "__main__":
    main()
