"""Calls of Revisions that are seen to be ready: nobody needs to hear of them, unless their Revision has lost its endpoints. Pure.

A Revision may lose its last endpoint just as a call is answered, and what Kubernetes tells of it comes a moment later. So these
calls are kept until the look after the next, and looked at again.
"""

from gateway_hook.call import ReportStyle
from gateway_hook.tallies import Tallies
from wakequeue.cluster.knowledge import Cluster
from wakequeue.revision import Revision


class Passed:
    """Calls that were let pass, by the look after which they came; times are the recorder's clock, in seconds."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._before, self._since = cluster, Tallies(), Tallies()

    def is_ready(self, revision: Revision) -> bool | None:
        """Whether a Revision has ready endpoints; None where that isn't known."""
        known = self._cluster.readiness(revision)
        return None if known is None else known.ready

    def add(self, revision: Revision, caller: str, now: float, style: ReportStyle) -> None:
        """Let one call pass."""
        self._since.add(revision, caller, now, style)

    def look(self) -> tuple[Tallies, int]:
        """Of the calls that came before the last look, those whose Revision isn't known to be ready now, and the number of others.

        All of these are forgotten.
        """
        calls, self._before, self._since = self._before, self._since, Tallies()
        lost = Tallies({revision: tally for revision, tally in calls.items() if not self.is_ready(revision)})
        return lost, calls.calls - lost.calls
