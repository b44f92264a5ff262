"""Whether this process is short of processor time."""

import time
from collections.abc import Callable
from typing import Final

#: Over how many seconds that is measured, and the share of one core from which on it is: Python uses no more than one.
WINDOW: Final = 0.1
SHORT_FROM: Final = 0.85


class Busy:
    """Says, when it is called, whether the process used that share of a core in the last window; both clocks are in seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, used: Callable[[], float] = time.process_time) -> None:
        self._clock, self._used = clock, used
        self._since, self._used_then, self._busy = clock(), used(), False

    def __call__(self) -> bool:
        """Look, if the last look is a window ago."""
        seconds = self._clock() - self._since
        if seconds >= WINDOW:
            used = self._used()
            self._busy = used - self._used_then >= SHORT_FROM * seconds
            self._since, self._used_then = self._since + seconds, used
        return self._busy
