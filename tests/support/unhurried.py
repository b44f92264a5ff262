"""An event loop whose time passes only while it has nothing to do, and then at once: a stall of the machine makes nothing late."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Skipping(selectors.DefaultSelector):
    """Skips the time for which it is to wait, and counts it."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Say what can be read or written now; without a timeout, once something can."""
        self.skipped += timeout or 0.0
        return super().select(None if timeout is None else 0)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        """Return the seconds that were skipped."""
        return self._skipping.skipped


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run it to its end on such a loop, and return its result. It must be all on this loop: of others' time this knows nothing."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)
