"""F5, F7 and F10: many sleeping Revisions called at once, by one caller each; how long until each is told of.

They are called as fast as the front answers, so that the last call is answered some seconds after the first, and reported
meanwhile: what counts is how long the last report comes after that answer.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Final

from benchmarks.calls import Calls, revisions
from benchmarks.delivery import seconds_to_stat
from benchmarks.installation import Installation
from gateway_hook.bench.figures import Figure

#: As many calls are in flight as the front takes; the others wait at the caller.
IN_FLIGHT: Final = 8_192

SIZES: Final = (1_000, 10_000, 100_000)


@dataclass(frozen=True, slots=True)
class Mass:
    """One mass wake-up: seconds from the first call to the last answer, and to the last Revision's first stat."""

    count: int
    workers: int
    answered: float
    told: float
    ledger_bytes: int
    load_core: float

    def as_dict(self) -> dict[str, float]:
        """What a plot needs of it."""
        return {name: round(value, 4) for name, value in asdict(self).items()}

    @property
    def late(self) -> float:
        """How long after the last answer the last Revision was told of."""
        return self.told - self.answered


def wake(place: Installation, count: int) -> Mass:
    """Call so many sleeping Revisions at once, and wait until all is at rest again."""
    keys, before = revisions(count), place.ledger_bytes()
    load, largest = Calls(place.target).at_once(keys, count, IN_FLIGHT), before
    while not place.resting():
        largest = max(largest, place.ledger_bytes())
        time.sleep(0.1)
    told = place.rest(count)
    last = max(told.at[key][0] for key in keys)
    return Mass(count, place.workers, load.ended - load.began, last - load.began, largest - before, load.core)


def figure(place: Installation, scale: float) -> tuple[Figure, list[Mass]]:
    """F5, with what it is made of."""
    count = max(200, round(10_000 * scale))
    masses = [wake(place, count) for _ in range(max(1, round(3 * scale)))]
    late = median(mass.late for mass in masses)
    found = Figure(
        figure="F5",
        what=f"{count:,} sleeping Revisions called at once, one worker: last answer to last stat; the calls take "
        f"{median(mass.answered for mass in masses):.1f} s",
        value=late,
        unit="s",
        n=len(masses) * count,
        ratio=median(mass.told / mass.answered for mass in masses),
        aim="at most 0.5 s",
        met=late <= 0.5,
        load_core=median(mass.load_core for mass in masses),
    )
    return found, masses


def figure_of_two(scale: float, env: Mapping[str, str]) -> tuple[Figure, list[Mass]]:
    """F7: two workers against one, each in an installation of its own."""
    count = max(500, round(50_000 * scale))
    masses = []
    for workers in (1, 2):
        with Installation(workers, env) as place:
            masses.append(wake(place, count))
    one, two = masses
    found = Figure(
        figure="F7",
        what=f"{count:,} Revisions called at once, first call to last stat: one worker {one.told:.1f} s, two {two.told:.1f} s",
        value=one.told / two.told,
        unit="times as fast",
        n=2 * count,
        ratio=one.told / two.told,
        aim="at least 1.6 where cores allow",
        met=one.told / two.told >= 1.6,
    )
    return found, masses


def figures_of_growth(scale: float, env: Mapping[str, str]) -> tuple[list[Figure], list[Mass]]:
    """F10: F4 and F5 with more and more Revisions in the ledger, which are kept there by a long `idle_after`."""
    sizes, samples = [max(100, round(size * scale)) for size in SIZES], max(10, round(60 * scale))
    masses, medians = [], []
    with Installation(env={**env, "WAKEQUEUE_IDLE_AFTER": "15m"}) as place:
        for size in sizes:
            masses.append(wake(place, size))
            medians.append(1000 * median(seconds_to_stat(place, samples)))
    flat = Figure(
        figure="F10",
        what="call to stat, with so many Revisions in the ledger: " + _by_size(sizes, medians, "ms"),
        value=medians[-1],
        unit="ms",
        n=len(sizes) * samples,
        p50=medians[-1],
        ratio=medians[-1] / medians[0],
        aim="flat: the last at most 1.25 of the first",
        met=medians[-1] / medians[0] <= 1.25,
    )
    each = [1000 * mass.told / mass.count for mass in masses]
    linear = Figure(
        figure="F10",
        what="called at once, first call to last stat: " + _by_size(sizes, [mass.told for mass in masses], "s"),
        value=masses[-1].told,
        unit="s",
        n=sum(sizes),
        ratio=each[-1] / each[1],
        aim="linear: the last at most 1.25 of the one before, for each Revision",
        met=each[-1] / each[1] <= 1.25,
    )
    return [flat, linear], masses


def _by_size(sizes: Sequence[int], values: Sequence[float], unit: str) -> str:
    return ", ".join(f"{size:,}: {value:.2f} {unit}" for size, value in zip(sizes, values, strict=True))
