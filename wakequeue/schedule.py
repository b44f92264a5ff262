"""Schedules: at which times Revisions are to be awake before anybody calls them. Pure.

A cron expression is read in a time zone, as Debian's cron reads it (see the documentation of `cronsim`): where clocks are set
ahead, a start in the hour that is left out comes right after it; where they are set back, a start in the hour that comes twice
comes once. One that is to come every hour or minute goes on with the time that passes. An interval has its starts at the multiples
of itself since 1970, whichever process looks when.

Times are Unix seconds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final
from zoneinfo import ZoneInfo

from cronsim import CronSim

from wakequeue.revision import Revision

#: How finely delays are told apart.
DELAYS: Final = 1 << 32


@dataclass(frozen=True, slots=True)
class Schedule:
    """When to start which Revisions: by a `cron` expression in a `zone`, or `every` so many seconds; the other is empty, or 0.

    `wakes` are keys or patterns, see `wakequeue.named`. Each Revision is kept warm for `keep_for` seconds, 0 for not at all, with
    so many `pods` at least, and starts up to `jitter` seconds late.
    """

    name: str
    wakes: tuple[str, ...]
    cron: str = ""
    every: float = 0.0
    zone: ZoneInfo | None = None
    keep_for: float = 0.0
    pods: int = 1
    jitter: float = 0.0

    def starts_after(self, at: float, zone: ZoneInfo) -> Iterator[float]:
        """The times of its starts after a time, without end; `zone` is for one that names none."""
        if self.every:
            start = at // self.every * self.every
            while True:
                start += self.every
                yield start
        for moment in CronSim(self.cron, datetime.fromtimestamp(at, self.zone or zone)):
            yield moment.timestamp()

    def last_start(self, until: float, zone: ZoneInfo) -> float | None:
        """The time of its last start up to a time, this included; None where it never had one."""
        if self.every:
            return until // self.every * self.every
        just_after = datetime.fromtimestamp(int(until) + 1, UTC).astimezone(self.zone or zone)
        return next((moment.timestamp() for moment in CronSim(self.cron, just_after, reverse=True)), None)

    def delay(self, start: float, revision: Revision) -> float:
        """How late a Revision starts, in seconds: the same for all who ask."""
        digest = blake2b(f"{self.name} {start:.3f} {revision}".encode(), digest_size=4).digest()
        return self.jitter * int.from_bytes(digest) / DELAYS
