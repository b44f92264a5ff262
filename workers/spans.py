"""Spans of reports: one for each wake-up of which a traced call is reported, with links to all such calls."""

import time
from collections.abc import Iterable

from wakequeue.episode import Step
from wakequeue.ledger import Lease
from wakequeue.traces import Report, Said, Traces


class Spans:
    """The spans of what is taken together, from their making; they are told to the traces once they are over."""

    def __init__(self, traces: Traces) -> None:
        self._traces, self._taken_at = traces, time.time()
        self._stages: dict[str, float] = {}

    def passed(self, stage: str) -> None:
        """All of them have passed a stage just now."""
        self._stages[stage] = time.time()

    def settled(self, leases: Iterable[tuple[Lease, Step]]) -> None:
        """These are done; those of which nothing had to be said have no span."""
        for lease, step in leases:
            if lease.traces and step.report is not None:
                self._tell(lease, waking=step.phase != "awake", phase=step.phase)

    def failed(self, leases: Iterable[Lease], error: str) -> None:
        """These are not reported, for this reason."""
        for lease in leases:
            if lease.traces:
                self._tell(lease, error)

    def _tell(self, lease: Lease, error: str = "", *, waking: bool = True, **said: Said) -> None:
        said |= {"revision": str(lease.revision), "calls": lease.calls, "attempts": lease.attempts}
        said["queued_seconds"] = round(lease.taken_at - lease.due_at, 3)
        self._traces.report(
            Report(
                wakeup=lease.wakeup,
                waking=waking,
                traces=lease.traces,
                began_at=self._taken_at,
                ended_at=time.time(),
                stages=self._stages,
                said=said,
                error=error,
            )
        )
