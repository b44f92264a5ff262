"""Figures of calls that were made in turn with others, which they are compared with. Pure."""

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from gateway_hook.bench.figures import Figure
from gateway_hook.bench.load import Load, percentile

#: The percentiles that an aim is for.
AIMED: Final = (50, 99)

Aim = tuple[float, float]
"""The most that these may be, in milliseconds."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Calls, and health checks that were made in turn with them."""

    calls: Load
    checks: Load


def made(pairs: Sequence[Pair]) -> int:
    """How many calls were made."""
    return sum(len(pair.calls.seconds) for pair in pairs)


def throughput(figure: str, what: str, pairs: Sequence[Pair], share: float) -> Figure:
    """How many calls a second were answered, which are to be at least this share of the health checks."""
    ratio = median(pair.calls.calls_a_second / pair.checks.calls_a_second for pair in pairs)
    return Figure(
        figure=figure,
        what=what,
        value=median(pair.calls.calls_a_second for pair in pairs),
        unit="calls/s",
        n=made(pairs),
        aim=f">= {share:.2f} of the health checks a second",
        met=ratio >= share,
        ratio=ratio,
        load_core=_core(pair.calls for pair in pairs),
    )


def latency_above(figure: str, what: str, pairs: Sequence[Pair], aim: Aim) -> Figure:
    """How long answers took, which are to be at most so much later than those of the health checks."""
    ours, others = (_milliseconds(loads) for loads in ((pair.calls for pair in pairs), (pair.checks for pair in pairs)))
    above = (percentile(ours, percent) - percentile(others, percent) for percent in AIMED)
    says = f"{_text(aim)} above the health check's"
    return _latency(figure, what, ours, others, says, met=_within(above, aim), load_core=_core(pair.calls for pair in pairs))


def latency(figure: str, what: str, ours: "array[float]", checks: "array[float]", aim: Aim) -> Figure:
    """How long something took, in milliseconds, beside answers to health checks."""
    says = f"{_text(aim)}; the ratio is to a health check's answer"
    return _latency(figure, what, ours, checks, says, met=_within((percentile(ours, percent) for percent in AIMED), aim))


def of_times(milliseconds: Sequence[float], **said: Any) -> Figure:  # noqa: ANN401  the fields of Figure that are left
    """A figure of how long something took each time: its median, with the percentiles; what else there is to say is `said`."""
    p50, p95, p99 = (percentile(milliseconds, percent) for percent in (50, 95, 99))
    return Figure(value=p50, unit="ms", n=len(milliseconds), p50=p50, p95=p95, p99=p99, **said)


def _latency(  # noqa: PLR0913  as Figure
    figure: str, what: str, ours: "array[float]", checks: "array[float]", aim: str, *, met: bool, load_core: float | None = None
) -> Figure:
    ratio = percentile(ours, 50) / percentile(checks, 50)
    return of_times(ours, figure=figure, what=what, aim=aim, met=met, ratio=ratio, load_core=load_core)


def _within(values: Iterable[float], aim: Aim) -> bool:
    return all(value <= most for value, most in zip(values, aim, strict=True))


def _text(aim: Aim) -> str:
    return ", ".join(f"p{percent} <= {most:g} ms" for percent, most in zip(AIMED, aim, strict=True))


def _milliseconds(loads: Iterable[Load]) -> "array[float]":
    return array("d", (1000 * seconds for load in loads for seconds in load.seconds))


def _core(loads: Iterable[Load]) -> float:
    """What share of a core making these calls took."""
    loads = list(loads)
    return sum(load.own_seconds for load in loads) / sum(load.ended - load.began for load in loads)
