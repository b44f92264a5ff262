"""The sweep: the clock of the rhythm, and the repair of what went missing.

Every worker looks each `sweep_every` for Revisions whose doorbell is due: because the rhythm says so, because a back-off is
over, because a doorbell was lost, or because the lease of a worker that died ran out. The ledger names each to one worker only.
Once the Autoscaler is connected again no back-off is waited for.
"""

import threading
import time
from collections.abc import Callable, Sequence
from math import inf

from kombu.exceptions import OperationalError

from wakequeue.broker import QUEUE
from wakequeue.errors import LedgerUnavailable
from wakequeue.events import Bounded, Event, warning
from wakequeue.ledger import Census, WorkerLedger
from wakequeue.revision import Revision
from wakequeue.settings import Settings
from wakequeue.telemetry import (
    BURIED,
    DOORBELLS,
    DRIFT,
    LEASES_ENDED,
    LEDGER_AGE,
    LEDGER_CALLS,
    LETTERS_DROPPED,
    OLDEST_DUE,
    PLANNED,
    QUEUED,
    WAKEUPS,
)
from workers.hastener import Hastener
from workers.watchdog import Watchdog

#: How many sweeps go by, at least, between two counts of the ledger for the metrics, and how many wake-ups each sweep more is
#: worth: a count keeps Redis for some 4 microseconds a wake-up. No more go by than that the watchdog learns within `stuck_after`
#: that nothing is late any more.
SWEEPS_PER_CENSUS = 50
WAKEUPS_PER_SWEEP = 40
SWEEPS_AT_MOST = 100


class Sweep:
    """Sweeps from a thread of its own, from its making to `close`.

    `ring` publishes doorbells, `watchdog` learns what is due, and `connected` says whether the Autoscaler is reached.
    """

    def __init__(
        self,
        ledger: WorkerLedger,
        ring: Callable[[Sequence[Revision]], int],
        settings: Settings,
        watchdog: Watchdog,
        hastener: Hastener,
        connected: Callable[[], bool],
    ) -> None:
        self._ledger, self._ring, self._settings, self._watchdog = ledger, ring, settings, watchdog
        self._hastener, self._connected = hastener, connected
        self._failed = Bounded(Event.SWEEP_FAILED)
        self._counted_at = -inf
        LEDGER_AGE.set_function(lambda: time.monotonic() - self._counted_at)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sweep", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs; a defect alone can end it before `close`."""
        return self._thread.is_alive()

    def close(self) -> None:
        """End the thread."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        until_census = 0
        while not self._closing.wait(self._settings.sweep_every):
            try:
                self._hastener.hasten()
                self._sweep()
                if until_census <= 0:
                    census = self._ledger.census(QUEUE)
                    _export(census)
                    self._counted_at = time.monotonic()
                    self._watchdog.oldest_due(census.oldest_due_seconds)
                    wakeups = census.pending + census.leased
                    until_census = min(max(SWEEPS_PER_CENSUS, wakeups // WAKEUPS_PER_SWEEP), SWEEPS_AT_MOST)
                until_census -= 1
            except (LedgerUnavailable, OperationalError, OSError) as error:
                self._failed.warning(error=error)
                self._watchdog.oldest_due(0)

    def _sweep(self) -> None:
        swept = self._ledger.sweep(QUEUE, connected=self._connected())
        LEASES_ENDED.inc(swept.ended)
        for reason, buried in (("poisoned", swept.poisoned), ("expired", swept.missed)):
            if buried:
                BURIED.labels(reason).inc(buried)
                warning(Event.BURIED, revisions=buried, reason=reason)
        if swept.due:
            DOORBELLS.labels("sweep").inc(self._ring(swept.due))


def _export(census: Census) -> None:
    for state, wakeups in (("pending", census.pending), ("leased", census.leased), ("buried", census.buried)):
        WAKEUPS.labels(state).set(wakeups)
    for state, calls in (
        ("recorded", census.recorded_calls),
        ("settled", census.settled_calls),
        ("pending", census.pending_calls),
        ("leased", census.leased_calls),
        ("buried", census.buried_calls),
        ("discarded", census.discarded_calls),
    ):
        LEDGER_CALLS.labels(state).set(calls)
    LETTERS_DROPPED.set(census.letters_dropped)
    DRIFT.set(census.drift_calls)
    PLANNED.set(census.planned)
    QUEUED.set(census.queued_tasks)
    OLDEST_DUE.set(census.oldest_due_seconds)
