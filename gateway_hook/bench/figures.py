"""Figures: what was measured, against what, and whether the aim is met; as a table, and as JSON with the facts of this machine."""

import datetime as dt
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from rich.table import Table

#: The libraries whose versions are a figure's conditions.
LIBRARIES: Final = ("wakequeue", "celery", "kombu", "redis", "hiredis", "grpcio", "protobuf", "websockets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One figure. `value` is in `unit`, of `n` samples, whose percentiles are in the same unit where they are times.

    `ratio` is to what the aim compares it with, measured in the same run. `load_core` is the share of a core that making the calls
    took.
    """

    figure: str
    what: str
    value: float
    unit: str
    n: int
    aim: str
    met: bool
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    ratio: float | None = None
    load_core: float | None = None


def results(figures: Sequence[Figure], conditions: Mapping[str, Any]) -> dict[str, Any]:
    """All that is written of a run."""
    return {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "machine": _machine(),
        "versions": {name: version(name) for name in LIBRARIES} | {"python": platform.python_version()},
        "conditions": dict(conditions),
        "figures": [_rounded(asdict(figure)) for figure in figures],
    }


def table(figures: Sequence[Figure]) -> Table:
    """The figures for a terminal."""
    shown = Table("", "what", "value", "p50", "p95", "p99", "ratio", "aim", "met", "n", "load")
    for one in figures:
        percentiles = (shown_number(part) for part in (one.p50, one.p95, one.p99))
        value, load = f"{shown_number(one.value)} {one.unit}", "" if one.load_core is None else f"{one.load_core:.0%}"
        met = "yes" if one.met else "no"
        shown.add_row(one.figure, one.what, value, *percentiles, shown_number(one.ratio), one.aim, met, str(one.n), load)
    return shown


def shown_number(number: float | None) -> str:
    """Three digits that count, more of what is large; nothing where there is none."""
    if number is None:
        return ""
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"  # noqa: PLR2004  from here on all digits are shown


def _rounded(figure: dict[str, Any]) -> dict[str, Any]:
    return {name: float(f"{value:.4g}") if isinstance(value, float) else value for name, value in figure.items()}


def _machine() -> dict[str, Any]:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    system = f"{platform.system()} {platform.machine()}"
    return {"cores": os.cpu_count(), "processor": _processor(), "memory_bytes": pages, "system": system}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:  # no Linux
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())
