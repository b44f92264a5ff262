"""The watchdog: a worker that lives, and takes nothing while wake-ups are due, says so, that its supervisor restarts it.

A Redis or an Autoscaler that is away is no reason: then nothing is known to be due, or what is due is taken and released. Pure.
"""

import time
from collections.abc import Callable
from typing import Final

#: Wake-ups are taken within milliseconds; one that has been due for so long was not.
LATE_SECONDS: Final = 2.0


class Watchdog:
    """Told what is due and what was asked for, it knows whether the worker is stuck; safe to share between threads."""

    def __init__(self, stuck_after: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._stuck_after, self._clock = stuck_after, clock
        self._late_since: float | None = None
        self._delivered_at = clock()

    def delivering(self) -> None:
        """A task asks for wake-ups: the worker consumes."""
        self._delivered_at = self._clock()

    def oldest_due(self, seconds: float) -> None:
        """The oldest due wake-up has been due for so long; 0 where that is unknown."""
        if seconds < LATE_SECONDS:
            self._late_since = None
        elif self._late_since is None:
            self._late_since = self._clock()

    @property
    def stuck(self) -> bool:
        """Whether wake-ups have been due for `stuck_after` seconds in which this worker asked for none."""
        late_since = self._late_since
        return late_since is not None and self._clock() - max(late_since, self._delivered_at) >= self._stuck_after
