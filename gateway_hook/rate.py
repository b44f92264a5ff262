"""How many calls come a second. Pure."""

from collections.abc import Callable
from typing import Final

#: Over how many seconds the rate of calls is measured.
RATE_WINDOW: Final = 0.1


class Rate:
    """The rate of calls over the last window."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since, self._calls, self._a_second = clock(), 0, 0.0

    def count(self, calls: int) -> None:
        """Count calls that came."""
        self._calls += calls
        now = self._clock()
        if now - self._since >= RATE_WINDOW:
            self._a_second = self._calls / (now - self._since)
            self._since, self._calls = now, 0

    def above(self, a_second: float) -> bool:
        """Whether more came than so many a second, when that was last looked at."""
        return self._a_second > a_second
