"""The hastener: once a worker is connected to the Autoscaler again, what failed is due at once, and comes the oldest first."""

import threading
from collections.abc import Callable

from wakequeue.broker import QUEUE
from wakequeue.errors import AutoscalerUnavailable
from wakequeue.ledger import WorkerLedger
from wakequeue.telemetry import HASTENED


class Hastener:
    """Hastens once for each connection that was made; `connections` says how many. Safe to share between threads."""

    def __init__(self, ledger: WorkerLedger, connections: Callable[[], int]) -> None:
        self._ledger, self._connections = ledger, connections
        self._hastened_for, self._in_order = 0, False
        self._lock = threading.Lock()

    def hasten(self) -> int | None:
        """Hasten where there is a new connection. Returns the connection's number; None where this put into order what is due.

        That holds for whoever waited meanwhile, too. Raises LedgerUnavailable where Redis is away.
        """
        before = self._hastened_for
        with self._lock:
            connection = self._connections()
            if connection != self._hastened_for:
                hastened = self._ledger.hasten(QUEUE)
                HASTENED.inc(hastened)
                # None are due, or another worker put them into order: then a doorbell may be of its sweep, and is not to be lost.
                self._hastened_for, self._in_order = connection, hastened > 0
            return None if self._in_order and before != connection else connection

    def is_past(self, connection: int) -> bool:
        """Whether another connection was made since the one of this number."""
        return self._connections() != connection

    def refuse_past(self, connection: int) -> None:
        """Raise AutoscalerUnavailable where one was: what was taken before it is not to be sent in front of what is older."""
        if self.is_past(connection):
            raise AutoscalerUnavailable("reconnected")
