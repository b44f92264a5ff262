"""F4: from a gateway's call to its stat, by gRPC, Redis, Celery and WebSocket, while all is quiet; against the sum of its parts."""

from collections.abc import Sequence
from statistics import median
from typing import Final

from benchmarks import parts
from benchmarks.calls import Calls, revisions
from benchmarks.installation import Installation
from gateway_hook.bench.compared import of_times
from gateway_hook.bench.figures import Figure
from gateway_hook.bench.load import percentile

#: Calls a second: so few that hardly two are on their way at once.
A_SECOND: Final = 15


def seconds_to_stat(place: Installation, calls: int, a_second: float = A_SECOND) -> list[float]:
    """Seconds from each call, of another Revision, until its stat is received."""
    keys = revisions(calls)
    load = Calls(place.target).at_rate(keys, calls, a_second)
    told = place.rest(calls)
    return [told.at[key][0] - began for key, began in zip(keys, load.moments, strict=True)]


def figure(place: Installation, empty: Calls, scale: float) -> tuple[Figure, Sequence[float]]:
    """F4, and the seconds that it is made of, for the plot."""
    samples = max(10, round(200 * scale))
    seconds = seconds_to_stat(place, samples)
    alone = {
        "an empty call": parts.empty_calls(empty, samples),
        "a task": parts.tasks(place, samples),
        "a frame and its pong": parts.frames(place, samples),
    }
    p50, p99 = (1000 * percentile(seconds, percent) for percent in (50, 99))
    medians = {name: 1000 * median(one) for name, one in alone.items()}
    ratio = p50 / sum(medians.values())
    found = of_times(
        [1000 * one for one in seconds],
        figure="F4",
        what="call to stat received, quiet; alone: " + ", ".join(f"{name} {one:.2f} ms" for name, one in medians.items()),
        ratio=ratio,
        aim="p50 at most 3.5 ms, p99 at most 8 ms, p50 at most 1.25 of its parts",
        met=p50 <= 3.5 and p99 <= 8 and ratio <= 1.25,
    )
    return found, seconds
