"""The results as pictures."""

from pathlib import Path

import matplotlib

matplotlib.use("svg")

from matplotlib import pyplot
from matplotlib.figure import Figure

from benchmarks.peers import PEERS
from benchmarks.results import Results, Row, choose_shown_clients, find_row, merge_rounds

#: Colour and marker by peer: ours solid and dark, the others beside them. Readable without colours, too.
STYLES = {
    "ours-daphne": ("#0b5fa5", "o", "-"),
    "ours-uvicorn": ("#0a8f5b", "s", "-"),
    "nginx-ours-daphne": ("#7fb2d9", "o", "--"),
    "nginx-ours-uvicorn": ("#86cbb0", "s", "--"),
    "textbook-daphne": ("#c0392b", "^", "--"),
    "textbook-redis": ("#d9822b", "v", "--"),
    "fastapi": ("#8e44ad", "D", "--"),
    "websockets-broadcast": ("#7f8c8d", "P", ":"),
    "nchan": ("#111111", "X", ":"),
}


def draw_plots(results: Results, folder: Path) -> None:
    """Draw into `folder` what benchmarks.report names."""
    folder.mkdir(parents=True, exist_ok=True)
    pyplot.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "benchmarks", "font.size": 10, "font.family": "sans-serif"}
    )
    rows = merge_rounds(results)
    draw_cost(rows, folder / "cost.svg")
    clients = choose_shown_clients(rows)
    if clients is not None:
        draw_latency(rows, clients, folder / "latency.svg")


def draw_cost(rows: list[Row], file: Path) -> None:
    """CPU per message against clients, both logarithmic."""
    figure, axes = pyplot.subplots(figsize=(7.5, 4.5), layout="constrained")
    for name in PEERS:
        points = sorted((row["clients"], row["cpu_us"]) for row in rows if row["peer"] == name)
        if points:
            colour, marker, line = STYLES[name]
            axes.plot(*zip(*points, strict=True), color=colour, marker=marker, linestyle=line, label=name)
    ticks = sorted({row["clients"] for row in rows})
    axes.set(xscale="log", yscale="log", xlabel="clients", ylabel="CPU µs a delivered message")
    axes.set_xticks(ticks, [f"{number:,}" for number in ticks])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)
    save(figure, file)


def draw_latency(rows: list[Row], clients: int, file: Path) -> None:
    """Share of messages received within a time, for every peer with `clients`."""
    figure, axes = pyplot.subplots(figsize=(7.5, 4.5), layout="constrained")
    for name in PEERS:
        if row := find_row(rows, name, clients):
            colour, _, line = STYLES[name]
            times = [max(time, 0.1) for time in row["stream"]["latency_ms"]]
            axes.plot(times, range(101), color=colour, linestyle=line, label=name)
    axes.set(xscale="log", xlabel="ms from the snapshot's timestamp to receipt", ylabel="% of messages", ylim=(0, 101))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize=8)
    save(figure, file)


def save(figure: Figure, file: Path) -> None:
    """Write the picture; the same results give the same bytes."""
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
