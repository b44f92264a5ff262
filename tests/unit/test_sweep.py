"""What a sweep does is exported: how old its count of the ledger is, and what it buried."""

from collections.abc import Sequence
from typing import cast

from support.waiting import wait_until

from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger import Census, Swept, WorkerLedger
from wakequeue.revision import Revision
from wakequeue.settings import Settings
from wakequeue.telemetry import WORKER
from workers.hastener import Hastener
from workers.sweep import Sweep
from workers.watchdog import Watchdog


class CountedLedger:
    """Misses two planned starts each time, and holds three dead letters; it may be away."""

    away = True

    def sweep(self, queue: str, *, connected: bool) -> Swept:  # noqa: ARG002  as the real one
        """Nothing is due, and two starts came too late."""
        if self.away:
            raise LedgerUnavailable("away")
        return Swept(0, 0, 2, [])

    def census(self, queue: str) -> Census:  # noqa: ARG002  as the real one
        """Nothing but the letters."""
        return Census(**(dict.fromkeys(Census.__dataclass_fields__, 0) | {"buried": 3}))


def metric(name: str, **labels: str) -> float | None:
    """The value of one of the worker's metrics."""
    return WORKER.get_sample_value(name, labels)


def no_ring(revisions: Sequence[Revision]) -> int:
    """No doorbell is rung."""
    return len(revisions)


def test_the_count_and_its_age_are_exported() -> None:
    """It is infinitely old until the ledger was counted, and then as old as the last count, while Redis is away too."""
    ledger = CountedLedger()
    before = metric("wakequeue_buried_total", reason="expired") or 0
    real = cast("WorkerLedger", ledger)
    sweep = Sweep(real, no_ring, Settings(sweep_every=0.001), Watchdog(15.0), Hastener(real, lambda: 0), lambda: True)
    try:
        assert metric("wakequeue_ledger_age_seconds") == float("inf")
        ledger.away = False
        wait_until(lambda: (metric("wakequeue_ledger_age_seconds") or 0) < 10, what="the ledger to be counted")
        assert metric("wakequeue_ledger_wakeups", state="buried") == 3
        assert (metric("wakequeue_buried_total", reason="expired") or 0) >= before + 2
        ledger.away = True
        then = metric("wakequeue_ledger_age_seconds") or 0
        wait_until(lambda: (metric("wakequeue_ledger_age_seconds") or 0) > then + 0.3, what="the count to be older")
    finally:
        sweep.close()
