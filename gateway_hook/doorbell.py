"""The doorbell of the front: a thread that publishes, because kombu would block the gRPC loop."""

import queue
import threading
from collections.abc import Callable, Mapping

from kombu.exceptions import OperationalError

from wakequeue.events import Bounded, Event
from wakequeue.revision import Revision
from wakequeue.telemetry import DOORBELLS

Ring = Callable[[Mapping[Revision, str]], int]


class Doorbell:
    """Publishes the Revisions given to it, each with a trace that it continues, or none; together where they come together.

    A doorbell that can't be published is dropped: the ledger holds the wake-up, and the sweep rings again.
    """

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._due: queue.SimpleQueue[tuple[Revision, str] | None] = queue.SimpleQueue()
        self._lost = Bounded(Event.DOORBELL_LOST)
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
        self._due.put(None)
        self._thread.join(timeout)

    def _run(self) -> None:
        while (one := self._due.get()) is not None:
            due = dict([one])
            while not self._due.empty():
                if (one := self._due.get()) is None:
                    self._publish(due)
                    return
                due[one[0]] = due.get(one[0]) or one[1]
            self._publish(due)

    def _publish(self, due: Mapping[Revision, str]) -> None:
        try:
            DOORBELLS.labels("front").inc(self._ring(due))
        except (OperationalError, OSError) as error:
            self._lost.warning(revisions=len(due), error=error)
