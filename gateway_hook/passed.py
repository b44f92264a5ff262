"""Calls of Revisions that are seen to be ready: nobody needs to hear of them, unless their Revision has lost its endpoints. Pure.

A Revision may lose its last endpoint just as a call is answered, and what Kubernetes tells of it comes a moment later. So these
calls are kept for a while, and looked at again.
"""

from gateway_hook.call import ReportStyle
from gateway_hook.tallies import Tallies
from wakequeue.cluster.knowledge import Cluster
from wakequeue.revision import Revision


class Passed:
    """Calls that were let pass since they were last looked at; times are the recorder's clock, in seconds."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._calls = cluster, Tallies()

    def is_ready(self, revision: Revision) -> bool | None:
        """Whether a Revision has ready endpoints; None where that isn't known."""
        known = self._cluster.readiness(revision)
        return None if known is None else known.ready

    def add(self, revision: Revision, caller: str, now: float, style: ReportStyle) -> None:
        """Let one call pass."""
        self._calls.add(revision, caller, now, style)

    def take(self) -> tuple[Tallies, int]:
        """Those calls whose Revision isn't known to be ready any more, and how many others there were; all are forgotten."""
        calls, self._calls = self._calls, Tallies()
        lost = Tallies({revision: tally for revision, tally in calls.items() if not self.is_ready(revision)})
        return lost, calls.calls - lost.calls
