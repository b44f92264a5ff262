"""F6: one Revision that is called all the time, which is reported once a second, and keeps no other waiting."""

import asyncio
from statistics import median
from typing import Final

from benchmarks.calls import CONNECTIONS, messages, revisions
from benchmarks.delivery import A_SECOND as QUIET_A_SECOND
from benchmarks.delivery import seconds_to_stat
from benchmarks.installation import Installation
from gateway_hook.bench.compared import of_times
from gateway_hook.bench.figures import Figure
from gateway_hook.bench.load import Caller, Load

A_SECOND: Final = 5_000

#: Where a front answers fewer, it is called as often as it can be for long: this share of the most that it answered.
SUSTAINED: Final = 0.5


def figure(place: Installation, most: float, scale: float) -> Figure:
    """F6, of a front that answers so many calls of awake Revisions a second at most."""
    a_second = min(A_SECOND, SUSTAINED * most)
    seconds = max(3, round(30 * scale))
    quiet = seconds_to_stat(place, QUIET_A_SECOND * seconds // 2)
    busy, others = revisions(1), revisions(QUIET_A_SECOND * seconds)
    load, beside = asyncio.run(_both(place, busy, others, a_second, seconds))
    told = place.rest(len(load.seconds) + len(others))
    late = [told.at[key][0] - began for key, began in zip(others, beside.moments, strict=True)]
    reports, counted = len(told.at[busy[0]]), told.calls[busy[0]]
    ratio = median(late) / median(quiet)
    return of_times(
        [1000 * one for one in late],
        figure="F6",
        what=f"one Revision called {load.calls_a_second:,.0f} times a second for {seconds} s: {counted:,} of {len(load.seconds):,} "
        f"calls reported in {reports} reports; call to stat of others meanwhile, against {1000 * median(quiet):.2f} ms before",
        ratio=ratio,
        aim="at 5,000 calls/s one report a second and one more, counts exact, others at most doubled",
        met=a_second == A_SECOND and reports <= seconds + 2 and counted == len(load.seconds) and ratio <= 2,
        load_core=load.core,
    )


async def _both(place: Installation, busy: list[str], others: list[str], a_second: float, seconds: int) -> tuple[Load, Load]:
    async with (
        Caller(place.target, messages(busy), CONNECTIONS) as many,
        Caller(place.target, messages(others), CONNECTIONS) as few,
    ):
        loads = await asyncio.gather(
            many.open_loop(a_second, round(a_second * seconds)), few.open_loop(QUIET_A_SECOND, QUIET_A_SECOND * seconds, seed=1)
        )
    return loads[0], loads[1]
