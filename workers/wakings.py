"""How wakings end: what the ledger is told of it, what is counted, and what is logged where one was in vain."""

from collections.abc import Iterable
from typing import Final

from wakequeue.cluster.knowledge import Cluster
from wakequeue.episode import Step
from wakequeue.events import Bounded, Event, often
from wakequeue.ledger import Lease, Settled
from wakequeue.telemetry import BURIED, COLD_START, WAKINGS

#: The cause of an unwoken waking where Knative says none.
NO_COMPLAINT: Final = "not ready, and Knative says nothing against it"


class Wakings:
    """Tells, counts and logs the ends of wakings; safe to share between threads."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._unwoken, self._woken = Bounded(Event.UNWOKEN), often(Event.WOKEN)

    def settled(self, lease: Lease, step: Step) -> Settled:
        """What settles a lease once this step of it is done."""
        phase = None if step.report is None else step.phase
        cause = ""
        if step.ending is not None and step.ending.outcome == "unwoken":
            cause = self._cluster.complaints(lease.revision) or NO_COMPLAINT
        return Settled(lease, step.episode, step.ready_at, step.repeat_at, phase, step.gone, step.ending, cause)

    def count(self, settled: Iterable[Settled]) -> None:
        """Count the endings that the ledger has."""
        for one in settled:
            if one.ending is not None:
                WAKINGS.labels(one.ending.outcome).inc()
                # One that was ready before its first call was no cold start: nobody saw it sleep and wake again meanwhile.
                if one.ending.outcome == "woken" and one.ending.at > one.ending.since:
                    COLD_START.observe(one.ending.at - one.ending.since)
                    self._tell(one.lease, one.ending.at - one.ending.since)
                elif one.ending.outcome == "unwoken":
                    BURIED.labels("unwoken").inc()
                    self._unwoken.warning(revision=one.lease.revision, wakeup=one.lease.wakeup, cause=one.cause)

    def _tell(self, lease: Lease, seconds: float) -> None:
        self._woken.info(wakeup=lease.wakeup, revision=lease.revision, seconds=round(seconds, 3))
