"""The results of a run as Markdown: tables, footnotes, and on what they were measured."""

from collections.abc import Iterator

from benchmarks.peers import PEERS
from benchmarks.results import Results, Row, find_row, merge_rounds
from benchmarks.targets import find_targets


def describe_results(results: Results, pictures: dict[str, str]) -> str:
    """All of it as Markdown. `pictures`: address by caption."""
    blocks = [
        *describe_run(results),
        *tabulate(results),
        *(f"![{caption}]({address})\n" for caption, address in pictures.items()),
        *tabulate_targets(results),
        *tabulate_health(results),
        *tabulate_restarts(results),
    ]
    return "\n".join(blocks).strip()


def describe_run(results: Results) -> Iterator[str]:
    """Date, command, machine, versions, and what was left out."""
    machine = results["machine"]
    yield (
        f"Measured on {results['date'][:10]} with `{results['command']}` ({results['seconds'] / 60:.0f} minutes) on "
        f"{machine['cores']} cores of {machine['processor']}, {machine['memory']}, {machine['kernel']}, with "
        + ", ".join(f"{name} {number}" for name, number in results["versions"].items())
        + ".\n"
    )
    if results["left_out"]:
        yield "Left out:\n"
        yield from (f"- {reason}" for reason in results["left_out"])
        yield ""


def tabulate(results: Results) -> Iterator[str]:
    """The big table, grouped by number of clients, and its footnotes."""
    rows = merge_rounds(results)
    notes: list[str] = []
    yield (
        "| clients | server | CPU µs a message | of it system | × nchan | latency ms p50 / p99 / max | spread ms "
        "| lost | KB a client | connects/s | load generator µs |"
    )
    yield "|--:|:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|"
    for clients in sorted({row["clients"] for row in rows}):
        for peer in PEERS:
            if row := find_row(rows, peer, clients):
                yield format_row(row, find_row(rows, "nchan", clients), notes)
    yield ""
    yield from (f"{number}. {note}" for number, note in enumerate(notes, 1))
    yield ""
    for name in dict.fromkeys(row["peer"] for row in rows):
        yield f"- **{name}**: {PEERS[name].about}"
    yield ""


def format_row(row: Row, nchan: Row | None, notes: list[str]) -> str:
    """One line of the table; what must be known about it is added to `notes`."""
    stream = row["stream"]
    latency, spread = stream["latency_ms"], stream["spread_ms"]
    marks = ""
    for note in row["notes"]:
        if note not in notes:
            notes.append(note)
        marks += f" ({notes.index(note) + 1})"
    system_share = row["cpu_us_system"] / ((row["cpu_us_user"] + row["cpu_us_system"]) or 1)
    faults = [f"{stream['lost']}"]
    faults += [f"{stream[what]} {what}" for what in ("doubled", "disordered") if stream[what]]
    cells = [
        f"{row['clients']:,}",
        f"{row['peer']}{marks}",
        f"{row['cpu_us']:.1f}",
        f"{system_share:.0%}",
        f"{row['cpu_us'] / nchan['cpu_us']:.1f}" if nchan else "",
        f"{latency[50]:.0f} / {latency[99]:.0f} / {latency[100]:.0f}",
        f"{spread['p50']:.0f}" if spread else "",
        ", ".join(faults),
        f"{row['memory_kb']:.1f}",
        f"{row['connects']['per_second']:,.0f}",
        f"{row['load_cpu_us']:.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def tabulate_targets(results: Results) -> Iterator[str]:
    """The targets with what was measured."""
    yield "| target | at most / at least | measured | |"
    yield "|:--|--:|--:|:--|"
    for target in find_targets(results):
        limit = f"{'≤' if target.is_most else '≥'} {target.show(target.limit)}"
        measured = "" if target.measured is None else target.show(target.measured)
        yield f"| {target.what} | {limit} | {measured} | {target.verdict} |"
    yield ""


def tabulate_health(results: Results) -> Iterator[str]:
    """How long health takes while the stream runs."""
    rows = [row for row in merge_rounds(results) if "health_ms" in row]
    if not rows:
        return
    yield "| health asked while snapshots go out | clients | answers | ms p50 / p99 / max |"
    yield "|:--|--:|--:|--:|"
    for row in rows:
        health = row["health_ms"]
        times = f"{health['p50']:.0f} / {health['p99']:.0f} / {health['max']:.0f}"
        yield f"| {row['peer']} | {row['clients']:,} | {health['answers']:,} | {times} |"
    yield ""


def tabulate_restarts(results: Results) -> Iterator[str]:
    """How long a restart takes until everybody is back."""
    if not results["restarts"]:
        return
    yield "| after a kill and a start | clients back | the first after | all after |"
    yield "|:--|--:|--:|--:|"
    for restart in results["restarts"]:
        back = f"{restart['back']:,} of {restart['clients']:,}"
        yield f"| {restart['peer']} | {back} | {restart['first_after_s']:.1f} s | {restart['seconds']:.1f} s |"
    yield ""


def describe_history(history: Results) -> str:
    """How long history takes to answer, by the number of snapshots in the database, as Markdown."""
    heads = ["snapshots", "all in 400 points", "the last hour, each", "all as CSV", "memory that this took"]
    lines = [f"Measured on {history['date']}.\n", f"| {' | '.join(heads)} |", "|" + "---:|" * len(heads)]
    for row in history["rows"]:
        cells = [
            f"{row['snapshots']:,}",
            f"{row['points_ms']:,.0f} ms",
            f"{row['hour_ms']:,.0f} ms",
            f"{row['csv_s']:.1f} s ({row['csv_mb']:.0f} MB)",
            f"{row['memory_mib']:.1f} MiB",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def tabulate_resumes(rows: list[Row]) -> Iterator[str]:
    """What happens when everybody resumes at once; a row for each run."""
    heads = ["", "clients", "messages", "lost or doubled", "connected", "all live", "ticks missed"]
    heads += ["`health/live` ms p50 / p99 / max while they connect", "then", "CPU µs a message", "memory at most"]
    yield f"| {' | '.join(heads)} |"
    yield "|:--" + "|--:" * (len(heads) - 1) + "|"
    for row in rows:
        alive = [
            f"{ms['p50']:.0f} / {ms['p99']:.0f} / {ms['max']:.0f}" for ms in (row["connecting_ms"], row["alive_ms"])
        ]
        faults = sum(row.get(fault, 0) for fault in ("lost", "doubled", "disordered", "strays"))
        cells = [
            row["server"],
            f"{row['clients']:,}",
            f"{row['messages']:,}",
            f"{faults}",
            f"after {row['connected_s']:.1f} s",
            f"after {row['live_s']:.1f} s",
            f"{row['ticks_missed']}",
            *alive,
            f"{row['cpu_s'] * 1e6 / row['messages']:.1f}",
            f"{row['peak_mib']:.0f} MiB",
        ]
        yield f"| {' | '.join(cells)} |"


def tabulate_snapshots(rows: list[Row]) -> Iterator[str]:
    """What a snapshot itself costs."""
    yield "| server | database | CPU ms a snapshot, no client | of each start | share of a core | with one client |"
    yield "|:--|:--|--:|--:|--:|--:|"
    for row in rows:
        starts = " ".join(f"{cost:.2f}" for cost in row.get("cpu_ms_of_starts", []))
        shares = f"{row['load_alone']:.1%} | {row['load_with_one']:.1%}"
        yield f"| {row['server']} | {row['database']} | {row['cpu_ms']:.2f} | {starts} | {shares} |"


def tabulate_workers(rows: list[Row]) -> Iterator[str]:
    """What more server processes bring."""
    yield "| server | workers | clients | messages a second | CPU µs a message | cores, all | load generator | lost |"
    yield "|:--|--:|--:|--:|--:|--:|--:|--:|"
    for row in rows:
        figures = f"{row['per_second']:,.0f} | {row['cpu_us']:.1f} | {row['cores']:.2f} | {row['load_cores']:.2f}"
        yield f"| {row['server']} | {row['workers']} | {row['clients']:,} | {figures} | {row['lost']} |"


def tabulate_connects(rows: list[Row]) -> Iterator[str]:
    """What a connect costs."""
    yield "| | connects a second | CPU µs each | least and most |"
    yield "|:--|--:|--:|--:|"
    for row in rows:
        least, *_, most = row["cpu_us_all"]
        yield f"| {row['name']} | {row['per_second']:,.0f} | {row['cpu_us']:.0f} | {least:.0f}, {most:.0f} |"
