"""The other workers: what comes to a worker that is not connected to the Autoscaler is left to one that is."""

import time
from typing import Final

from wakequeue.errors import LeftToOthers
from wakequeue.ledger import WorkerLedger
from wakequeue.telemetry import LEFT_TO_OTHERS

#: How long a doorbell is kept before it is left to others, in seconds: where they are all busy, it may come again at once.
KEPT_FOR: Final = 0.05


def leave_to_others(ledger: WorkerLedger, *, connected: bool) -> None:
    """Raise LeftToOthers where this worker isn't connected, and another is. Raises LedgerUnavailable where Redis is away."""
    if not connected and ledger.others_connected():
        time.sleep(KEPT_FOR)
        LEFT_TO_OTHERS.inc()
        raise LeftToOthers
