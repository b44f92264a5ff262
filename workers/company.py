"""Company: the Revisions that wake with others, started by what starts those, to go out in the same frame."""

from collections.abc import Iterable
from typing import Final

from wakequeue.broker import QUEUE, REVISIONS_PER_DOORBELL
from wakequeue.cluster.knowledge import Cluster
from wakequeue.errors import LedgerUnavailable
from wakequeue.events import Bounded, Event
from wakequeue.groups import Groups
from wakequeue.ledger import Lease, Start, Starts, Taken, WorkerLedger
from wakequeue.revision import Revision
from wakequeue.settings import Settings

#: What the callers of those begin with that wake in company: they wake nobody else.
IN_COMPANY: Final = "group "


class Company:
    """Starts who wakes with whom, in one ledger; safe to share between threads."""

    def __init__(self, ledger: WorkerLedger, settings: Settings, cluster: Cluster) -> None:
        self._ledger, self._groups = ledger, Groups(settings, cluster)
        self._starts = Starts(ledger.client, settings, QUEUE, rings=False)
        self._alone = Bounded(Event.WOKE_ALONE)

    def take(self, leases: Iterable[Lease]) -> Taken | None:
        """Start those that wake with these, where they sleep, and have each kept warm for as long, with one pod; and take them.

        At most so many are taken as a doorbell names: the next sweep rings for the others. Where the ledger refuses, as a full
        Redis does, or is away, those that were called are woken without them.
        """
        begun: dict[Revision, None] = {}
        try:
            for lease in leases:
                begun |= dict.fromkeys(self._begin(lease))
            return self._ledger.take(list(begun)[:REVISIONS_PER_DOORBELL]) if begun else None
        except LedgerUnavailable as error:
            self._alone.warning(because=error)
            return None

    def _begin(self, lease: Lease) -> list[Revision]:
        """Start those that wake with one that was called, and not only in company itself."""
        cause = next((caller for caller in lease.callers if not caller.startswith(IN_COMPANY)), None)
        members = self._groups.of(lease.revision) if cause else []
        if members:
            keep_for = max(0.0, (lease.kept_until or 0.0) - lease.taken_at)
            starts = [Start(member, keep_for=keep_for, only_asleep=True) for member in members]
            self._starts.begin(f"{IN_COMPANY}{lease.revision} ({cause})", starts)
        return members
