"""F11: a day in little: 2,000 Revisions, few of which are called often and most now and then; busy hours, a night, and bursts.

The trace's day passes in a minute or so, so that an hour is some seconds; the clock of the processes is the real one, and so is
each of wakequeue's times. At the end nothing may be lost, and no process may have grown since the middle of the day.
"""

import asyncio
import math
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from types import TracebackType
from typing import Final, Self

from benchmarks.calls import CONNECTIONS, revisions
from benchmarks.installation import Installation
from gateway_hook.bench.figures import Figure
from gateway_hook.bench.load import Caller, Load
from gateway_hook.client import request
from wakequeue.revision import Revision

REVISIONS: Final = 2_000

#: Calls a second on average, and how many bursts of how many calls of one Revision there are.
A_SECOND: Final = 300
BURSTS: Final = 24
BURST: Final = 300

#: How often the processes are looked at, in seconds.
LOOK_EVERY: Final = 0.5

#: No more than this is growth, in megabytes: memory is given out and taken back in blocks.
NO_GROWTH: Final = 3.0


@dataclass
class Watch:
    """Looks at an installation's processes meanwhile, as a context: seconds since its beginning, share of a core, megabytes."""

    place: Installation
    seconds: list[float] = field(default_factory=list)
    cores: dict[str, list[float]] = field(default_factory=dict)
    megabytes: dict[str, list[float]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        began = then = time.perf_counter()
        parts = {name: self.place.parts[name] for name in ("redis", "front", "worker 1")}
        used = {name: part.core_seconds for name, part in parts.items()}
        while not self._ended.wait(LOOK_EVERY):
            now = time.perf_counter()
            self.seconds.append(now - began)
            for name, part in parts.items():
                core_seconds = part.core_seconds
                self.cores.setdefault(name, []).append((core_seconds - used[name]) / (now - then))
                self.megabytes.setdefault(name, []).append(part.memory_bytes / 1e6)
                used[name] = core_seconds
            then = now


def figure(place: Installation, scale: float) -> tuple[Figure, Watch]:
    """F11, with what the processes used meanwhile."""
    seconds = max(5.0, 45.0 * scale)
    keys = revisions(REVISIONS)
    moments = sorted(_day(seconds, random.Random(11)))
    with Watch(place) as watch:
        load = asyncio.run(_call(place, keys, moments))
        told = place.rest(len(moments))
    grown = {name: _growth(watch.megabytes[name]) for name in ("front", "worker 1")}
    reports = sum(map(len, told.at.values()))
    return (
        Figure(
            figure="F11",
            what=f"a day of {REVISIONS:,} Revisions in {seconds:.0f} s: {len(moments):,} calls, {reports:,} reports, drift 0; "
            "growth in its second half: " + ", ".join(f"{name} {megabytes:.1f} MB" for name, megabytes in grown.items()),
            value=max(grown.values()),
            unit="MB",
            n=len(moments),
            p50=1000 * load.percentile(50),
            p95=1000 * load.percentile(95),
            p99=1000 * load.percentile(99),
            aim=f"drift 0, growth at most {NO_GROWTH:g} MB",
            met=max(grown.values()) <= NO_GROWTH,
            load_core=load.core,
        ),
        watch,
    )


def _day(seconds: float, dice: random.Random) -> Iterator[tuple[float, int]]:
    """When each call comes, in seconds from the day's beginning, and of which Revision."""
    shares = [1 / rank for rank in range(1, REVISIONS + 1)]
    calls = round(A_SECOND * seconds)
    for which in dice.choices(range(REVISIONS), shares, k=calls):
        yield seconds * _hour(dice), which
    for _ in range(BURSTS):
        at, which = seconds * _hour(dice), dice.randrange(REVISIONS)
        yield from ((at + dice.random() * 0.1, which) for _ in range(BURST))


def _hour(dice: random.Random) -> float:
    """A moment of the day, from 0 to 1: most come around its middle, a tenth as many at night."""
    while True:
        at = dice.random()
        if dice.random() < 0.55 - 0.45 * math.cos(2 * math.pi * at):
            return at


async def _call(place: Installation, keys: list[str], moments: list[tuple[float, int]]) -> Load:
    asked = [request(Revision.parse(key)) for key in keys]
    async with Caller(place.target, (asked[which] for _, which in moments), CONNECTIONS) as caller:
        return await caller.at([at for at, _ in moments])


def _growth(megabytes: list[float]) -> float:
    """From the middle to the end, each by the median of a tenth."""
    tenth, middle = max(1, len(megabytes) // 10), len(megabytes) // 2
    return median(megabytes[-tenth:]) - median(megabytes[middle : middle + tenth])
