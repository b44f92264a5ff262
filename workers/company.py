"""Company: the Revisions that wake with others, started by what starts those, to go out in the same frame."""

from collections.abc import Iterable
from typing import Final

from redis import Redis

from wakequeue.broker import QUEUE
from wakequeue.cluster.knowledge import Cluster
from wakequeue.errors import LedgerUnavailable
from wakequeue.groups import Groups
from wakequeue.ledger import Lease, Start, Starts
from wakequeue.revision import Revision
from wakequeue.settings import Settings
from wakequeue.telemetry import Bounded, Event

#: What the callers of those begin with that wake in company: they wake nobody else.
IN_COMPANY: Final = "group "


class Company:
    """Starts who wakes with whom, in one ledger; safe to share between threads."""

    def __init__(self, client: Redis, settings: Settings, cluster: Cluster) -> None:
        self._starts, self._groups = Starts(client, settings, QUEUE), Groups(settings, cluster)
        self._alone = Bounded(Event.WOKE_ALONE)

    def begin(self, leases: Iterable[Lease]) -> list[Revision]:
        """Start those that wake with these, where they sleep, and have each kept warm for as long, with one pod. Returns them.

        Where the ledger refuses, as a full Redis does, those that were called are woken all the same.
        """
        begun: dict[Revision, None] = {}
        for lease in leases:
            cause = next((caller for caller in lease.callers if not caller.startswith(IN_COMPANY)), None)
            members = self._groups.of(lease.revision) if cause else []
            if members:
                keep_for = max(0.0, (lease.kept_until or 0.0) - lease.taken_at)
                starts = [Start(member, keep_for=keep_for, only_asleep=True) for member in members]
                try:
                    self._starts.begin(f"{IN_COMPANY}{lease.revision} ({cause})", starts)
                except LedgerUnavailable as error:
                    self._alone.warning(revision=lease.revision, others=len(members), because=error)
                    continue
                begun |= dict.fromkeys(members)
        return list(begun)
