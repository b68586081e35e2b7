"""The table of a run, for docs/faults.md."""

import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.faults.trial import Result
from tests.processes import ROOT

PAGE = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- made by `make faults` from here -->", "<!-- to here -->"
COLUMNS = (
    "what breaks",
    "how",
    "×",
    "received",
    "lost",
    "doubled",
    "told",
    "silence (s)",
    "goes on (s)",
    "healthy (s)",
    "health: ok / degraded / down / silent",
    "untrue",
)
#: How many of the reasons that health gave are shown for each fault.
MOST_REASONS = 6


def write_page(results: Sequence[Result], machine: str, path: Path = PAGE) -> None:
    """Put the results of a run in their place in the page; `machine`: one line that says where and when it ran."""
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    made = "\n".join([BEGIN, "", machine, "", *make_table(results), "", *tell_words(results), END])
    path.write_text(before + made + after)


def renew_page(results: Sequence[Result], path: Path = PAGE) -> None:
    """Put the results of a few faults into the page, in the place of what it says of them; the rest stays."""
    lines = path.read_text().splitlines()
    rows = {result.fault.name: f"| {' | '.join(make_cells(result))} |" for result in results}
    words = {result.fault.name: tell_words([result]) for result in results}
    kept = []
    for line in lines:
        name = line.removeprefix("| ").partition(" | ")[0] if line.startswith("| ") else ""
        told = line.removeprefix("- **").partition("**")[0] if line.startswith("- **") else ""
        if name in rows:
            kept.append(rows[name])
        elif told in rows and line.startswith(f"- **{told}**: "):
            kept += [word for word in words[told] if word.startswith("- **")]
        elif told not in rows:
            kept.append(line)
    path.write_text("\n".join(kept) + "\n")


def make_table(results: Sequence[Result]) -> Iterator[str]:
    """The Markdown table, line by line."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield "|---|---|" + "---:|" * (len(COLUMNS) - 2)
    for result in results:
        yield f"| {' | '.join(make_cells(result))} |"


def make_cells(result: Result) -> list[str]:
    """One row."""
    found = result.comparison
    lost = found.lost | found.unkept | found.unlinked
    statuses = (f"{result.statuses[status]}" for status in ("ok", "degraded", "down", "silent"))
    return [
        result.fault.name,
        result.fault.what,
        str(len(result.silences)),
        f"{found.received:,}",
        mark(len(lost) + found.untold),
        mark(len(found.doubled) + len(found.differing)),
        str(found.holes_told),
        summarise(result.silences),
        summarise(result.goes_on),
        summarise(result.healthy),
        " / ".join(statuses),
        mark(len(result.lies)),
    ]


def mark(count: int) -> str:
    """A figure that must be 0, and cannot be overlooked where it is not."""
    return "0" if count == 0 else f"**{count}**"


def summarise(seconds: Sequence[float]) -> str:
    """Median and maximum, or the one there is."""
    if not seconds:
        return "**never**"
    if len(seconds) == 1:
        return f"{seconds[0]:.1f}"
    return f"{statistics.median(seconds):.1f}, max {max(seconds):.1f}"


def tell_words(results: Sequence[Result]) -> Iterator[str]:
    """What health gave as reasons, and everything that was wrong."""
    yield "What health said (… stands for numbers), and how many answers said so:"
    yield ""
    for result in results:
        said = "; ".join(f"“{words}” {count}" for words, count in result.words.most_common(MOST_REASONS))
        yield f"- **{result.fault.name}**: {said or 'nothing'}"
    wrong = [line for result in results for line in tell_wrong(result)]
    if wrong:
        yield ""
        yield "What was wrong:"
        yield ""
        yield from wrong


def tell_wrong(result: Result) -> Iterator[str]:
    """Each violation of one fault, the first of many."""
    for kind, sentences in (
        ("sequence", result.comparison.sentences),
        ("health", result.lies),
        ("end", result.complaints),
    ):
        for sentence in sentences[:5]:
            yield f"- **{result.fault.name}** ({kind}): {sentence}"
        if len(sentences) > 5:
            yield f"- **{result.fault.name}** ({kind}): and {len(sentences) - 5} more"
