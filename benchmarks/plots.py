"""The plots of docs/performance.md, drawn from the results of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

FOLDER: Final = Path(__file__).parent.parent / "docs" / "images"

#: Text as text, to be searched and scaled; the same results are drawn as the same bytes.
STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "wakequeue",
    "font.size": 9,
    "axes.grid": True,
    "grid.alpha": 0.3,
}


def draw(results: Mapping[str, Any]) -> None:
    """Write all of them."""
    series = results["series"]
    with mpl.rc_context(STYLE):
        for name, plot in (("latency", _latency), ("rate", _rate), ("masses", _masses), ("day", _day)):
            figure = Figure(figsize=(8, 4), layout="constrained")
            plot(figure, series)
            figure.savefig(FOLDER / f"performance-{name}.svg", metadata={"Date": None})


def _latency(figure: Figure, series: Mapping[str, Any]) -> None:
    axes = _axes(figure, "milliseconds", "share of the calls")
    for name, milliseconds in series["latency"].items():
        axes.plot(milliseconds, [(place + 1) / (len(milliseconds) + 1) for place in range(len(milliseconds))], label=name)
    axes.set_xscale("log")
    axes.legend()


def _rate(figure: Figure, series: Mapping[str, Any]) -> None:
    axes = _axes(figure, "calls a second, in an open loop", "milliseconds to the answer")
    rates = [one["a_second"] for one in series["by_rate"]]
    for name, style in (("front", "-"), ("empty", "--")):
        for percent in (50, 99):
            label = f"{'a front, sleeping Revisions' if name == 'front' else 'an empty handler'}, p{percent}"
            axes.plot(rates, [one[f"{name}_p{percent}"] for one in series["by_rate"]], style, marker="o", label=label)
    axes.set_yscale("log")
    axes.legend()


def _masses(figure: Figure, series: Mapping[str, Any]) -> None:
    axes = _axes(figure, "Revisions called at once", "seconds from the first call")
    for workers, marker in ((1, "o"), (2, "s")):
        some = sorted((one for one in series["masses"] if one["workers"] == workers), key=lambda one: one["count"])
        many = "one worker" if workers == 1 else "two workers"
        axes.plot([one["count"] for one in some], [one["told"] for one in some], marker, label=f"last stat, {many}")
        axes.plot(
            [one["count"] for one in some], [one["answered"] for one in some], marker, mfc="none", label=f"last answer, {many}"
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend()


def _day(figure: Figure, series: Mapping[str, Any]) -> None:
    day = series["day"]
    cores, megabytes = figure.subplots(2, sharex=True)
    for axes, values, label in ((cores, day["cores"], "share of a core"), (megabytes, day["megabytes"], "megabytes")):
        for name, line in values.items():
            axes.plot(day["seconds"], line, label=name)
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
    megabytes.set_xlabel("seconds from the day's beginning")
    cores.legend()


def _axes(figure: Figure, across: str, up: str) -> Axes:
    axes = figure.subplots()
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    return axes
