"""The hastener: once a worker is connected to the Autoscaler again, what failed is due at once, and comes the oldest first."""

import threading
from collections.abc import Callable

from wakequeue.broker import QUEUE
from wakequeue.ledger import WorkerLedger
from wakequeue.telemetry import HASTENED


class Hastener:
    """Hastens once for each connection that was made; `connections` says how many. Safe to share between threads."""

    def __init__(self, ledger: WorkerLedger, connections: Callable[[], int]) -> None:
        self._ledger, self._connections = ledger, connections
        self._hastened_for = 0
        self._lock = threading.Lock()

    def hasten(self) -> bool:
        """Hasten where there is a new connection, and say whether there was. Raises LedgerUnavailable where Redis is away."""
        with self._lock:
            connections = self._connections()
            if connections == self._hastened_for:
                return False
            HASTENED.inc(self._ledger.hasten(QUEUE))
            self._hastened_for = connections
            return True
