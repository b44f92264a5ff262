"""F8 and F9: what a front, a worker and the ledger have in memory, and how soon a front and a worker are ready."""

import time
from collections.abc import Iterator
from statistics import median
from typing import Final

from benchmarks.installation import Installation
from benchmarks.masses import Mass
from gateway_hook.bench.figures import Figure

MOST_MEGABYTES: Final = {"front": 90, "worker 1": 110}
MOST_SECONDS: Final = {"hook": 1.0, "worker": 2.0}
MEGABYTE: Final = 1e6


def memory(place: Installation, after: str) -> Iterator[Figure]:
    """F8 of the processes, once they have done so much."""
    for name, most in MOST_MEGABYTES.items():
        megabytes = place.parts[name].memory_bytes / MEGABYTE
        yield Figure(
            figure="F8",
            what=f"memory of a {name.split()[0]}, after {after}",
            value=megabytes,
            unit="MB",
            n=1,
            aim=f"at most {most} MB",
            met=megabytes <= most,
        )


def ledger(mass: Mass) -> Figure:
    """F8 of the ledger, at its largest in a mass wake-up of 10,000 Revisions that all stay in it."""
    megabytes = mass.ledger_bytes / mass.count * 10_000 / MEGABYTE
    return Figure(
        figure="F8",
        what="the ledger's growth by 10,000 Revisions that wake and stay in it, in Redis's memory, with their history",
        value=megabytes,
        unit="MB",
        n=1,
        aim="at most 10 MB",
        met=megabytes <= 10,
    )


def starts(place: Installation, scale: float) -> Iterator[Figure]:
    """F9: further fronts and workers beside those that run."""
    times = max(1, round(5 * scale))
    for role, most in MOST_SECONDS.items():
        seconds = [_start(place, role) for _ in range(times)]
        yield Figure(
            figure="F9",
            what=f"`wakequeue {role}`, from its start to ready",
            value=median(seconds),
            unit="s",
            n=times,
            p50=median(seconds),
            aim=f"at most {most:g} s",
            met=median(seconds) <= most,
        )


def _start(place: Installation, role: str) -> float:
    began = time.perf_counter()
    part = place.start_role(f"another {role}", role)
    seconds = time.perf_counter() - began
    place.stop(part.name)
    return seconds
