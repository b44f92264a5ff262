"""The doorbell of the front: a thread that publishes, because kombu would block the gRPC loop."""

import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final

from kombu.exceptions import OperationalError

from wakequeue.events import Bounded, Event
from wakequeue.revision import Revision
from wakequeue.telemetry import DOORBELLS

Ring = Callable[[Mapping[Revision, str]], int]

#: How many doorbells are rung as soon as something is due, and from then on one each so many seconds, for all that is due by then.
#: To publish one takes 0.4 to 1.2 ms, in much of which no call is answered; to take it, a worker several.
AT_ONCE: Final = 5
EVERY: Final = 0.02


class Doorbell:
    """Publishes the Revisions given to it, each with a trace that it continues, or none; together where they come together.

    A few are rung at once, and what comes soon after in one. A doorbell that can't be published is dropped: the ledger holds the
    wake-up, and the sweep rings again.
    """

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._due: queue.SimpleQueue[tuple[Revision, str] | None] = queue.SimpleQueue()
        self._lost = Bounded(Event.DOORBELL_LOST)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs; a defect alone can end it before `close`."""
        return self._thread.is_alive()

    def ring(self, due: Mapping[Revision, str]) -> None:
        """Have these Revisions' doorbell rung, and return at once."""
        for one in due.items():
            self._due.put(one)

    def close(self, timeout: float) -> None:
        """Publish what was given so far, for at most `timeout` seconds."""
        self._closing.set()
        self._due.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        next_at = 0.0
        while (one := self._due.get()) is not None:
            due = dict([one])
            while not self._due.empty():
                if (one := self._due.get()) is None:
                    self._publish(due)
                    return
                due[one[0]] = due.get(one[0]) or one[1]
            self._publish(due)
            now = time.monotonic()
            next_at = max(next_at, now - EVERY * (AT_ONCE - 1)) + EVERY
            self._closing.wait(max(0.0, next_at - now))

    def _publish(self, due: Mapping[Revision, str]) -> None:
        try:
            DOORBELLS.labels("front").inc(self._ring(due))
        except (OperationalError, OSError) as error:
            self._lost.warning(revisions=len(due), error=error)
