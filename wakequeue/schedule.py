"""Schedules: at which times Revisions are to be awake before anybody calls them. Pure.

A cron expression is read in a time zone, as Debian's cron reads it. One that names its minutes and hours has a start for each time
that a wall clock is to show: where clocks are set ahead, a time that is left out has its start right after it; where they are set
back, a time that comes twice has its start when it first comes. One whose minutes or hours begin with `*` goes on with the time
that passes: it starts whenever a wall clock shows one of its times. An interval has its starts at the multiples of itself since
1970, whichever process looks when.

`cronsim` finds the times that a wall clock is to show; when it shows them is found here, for `cronsim` leaves some out where a zone
is set by half an hour, or at midnight.

Times are Unix seconds.
"""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from heapq import merge
from itertools import dropwhile, groupby, takewhile, tee
from math import ceil, inf
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

from wakequeue.revision import Revision

#: No zone's clocks are set twice within it, nor by more than it.
DAY: Final = 86_400
SECOND: Final = timedelta(seconds=1)

#: How far starts are looked for: `cronsim` does so too.
LONGEST: Final = timedelta(days=50 * 366)

#: How finely delays are told apart.
DELAYS: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to start which Revisions: by a `cron` expression in a `zone`, or `every` so many seconds; the other is empty, or 0.

    An interval is of whole seconds. `wakes` are keys or patterns, see `wakequeue.named`. Each Revision is kept warm for `keep_for`
    seconds, 0 for not at all, with so many `pods` at least, and starts up to `jitter` seconds late.
    """

    name: str
    wakes: tuple[str, ...]
    cron: str = ""
    every: int = 0
    zone: ZoneInfo | None = None
    keep_for: float = 0.0
    pods: int = 1
    jitter: float = 0.0

    def starts_after(self, at: float, zone: ZoneInfo) -> Iterator[float]:
        """The times of its starts after a time, for as long as anybody plans; `zone` is for one that names none."""
        if self.every:
            start = at // self.every * self.every
            while True:
                start += self.every
                yield start
        yield from dropwhile(lambda start: start <= at, _starts(self.cron, at, self.zone or zone, back=False))

    def key(self, zone: ZoneInfo) -> str:
        """What it goes by in the ledger: its name, and a digest of all that it says, so that a changed one is another."""
        said = (self.cron, self.every, (self.zone or zone).key, self.wakes, self.keep_for, self.pods, self.jitter)
        return f"{self.name}@{blake2b(repr(said).encode(), digest_size=4).hexdigest()}"

    def delay(self, start: float, revision: Revision) -> float:
        """How late a Revision starts, in seconds: the same for all who ask."""
        digest = blake2b(f"{self.name} {start:.3f} {revision}".encode(), digest_size=4).digest()
        return self.jitter * int.from_bytes(digest) / DELAYS


def next_start(schedule: Schedule, after: float, zone: ZoneInfo) -> float:
    """The first start after a time, infinity where there is none: `* 2 * 3 7L` starts in an hour that Berlin always leaves out."""
    return next(schedule.starts_after(after, zone), inf)


def newest_due(schedule: Schedule, after: float, until: float, zone: ZoneInfo) -> float | None:
    """The newest start after one time and up to another, this included; None where there is none."""
    if schedule.every:
        start = until // schedule.every * schedule.every
    else:
        starts = _starts(schedule.cron, until, schedule.zone or zone, back=True)
        start = next((one for one in starts if one <= until), -inf)
    return start if start > after else None


def first_shown(wall: datetime, zone: ZoneInfo) -> float:
    """When a zone's clocks first show a time; where they leave it out, when they show the next one."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    if first <= second:
        return first
    # It is left out between the two (PEP 495).
    seconds = range(int(second), ceil(first))
    return float(seconds.start + bisect_left(seconds, wall, key=lambda at: _shown(at, zone)))


def _starts(cron: str, at: float, zone: ZoneInfo, *, back: bool) -> Iterator[float]:
    """The starts after a time, or back from it, each once. Before them may come some of the other side."""
    near, far = _shown(at, zone), _shown(at - DAY if back else at + DAY, zone)
    begin = max(near, far + timedelta(seconds=DAY)) + SECOND if back else min(near, far - timedelta(seconds=DAY))
    walls = takewhile(lambda wall: abs(wall - begin) < LONGEST, CronSim(cron, begin, reverse=back))
    if any(field.startswith("*") for field in cron.split()[:2]):
        passes = (_moments(some, zone, fold) for fold, some in enumerate(tee(walls)))
        starts = merge(*passes, reverse=back)
    else:
        starts = (first_shown(wall, zone) for wall in walls)
    return (start for start, _ in groupby(starts))


def _shown(at: float, zone: ZoneInfo) -> datetime:
    """What a wall clock shows at a time."""
    return datetime.fromtimestamp(at, zone).replace(tzinfo=None, fold=0)


def _moments(walls: Iterator[datetime], zone: ZoneInfo, fold: int) -> Iterator[float]:
    """When a wall clock shows each of these for the first time (fold 0) or the last (fold 1); not those that it leaves out."""
    for wall in walls:
        at = wall.replace(tzinfo=zone, fold=fold).timestamp()
        if _shown(at, zone) == wall:
            yield at
