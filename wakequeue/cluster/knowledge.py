"""The port through which front and worker ask what the cluster knows, and the answers where there is no access to one."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from wakequeue.revision import Revision


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a Revision has ready endpoints; if so, for how many seconds it was seen to have them, else 0."""

    ready: bool
    seconds: float


class Cluster(Protocol):
    """What is known of a cluster. Nothing here waits for it but `until_ready`."""

    def readiness(self, revision: Revision) -> Readiness | None:
        """Whether a Revision has ready endpoints; None where that isn't known, or was last heard of too long ago."""
        ...

    def exists(self, revision: Revision) -> bool | None:
        """Whether there is such a Revision; None where that isn't known, or was last heard of too long ago."""
        ...

    def behind(self, host: str) -> tuple[Revision, ...]:
        """The Revisions that have a share of a host's traffic, the largest share first; none where the host isn't known.

        The host is in lower case, without a port. What was heard last counts, however long ago.
        """
        ...

    def complaints(self, revision: Revision) -> str:
        """What Knative says in the way of a Revision's readiness, as `REASON: message`; empty where it says nothing."""
        ...

    async def until_ready(self, revision: Revision) -> None:
        """Return once a Revision has ready endpoints."""
        ...


class Unknown:
    """The cluster of which nothing is known."""

    def readiness(self, revision: Revision) -> None:
        """Nothing."""

    def exists(self, revision: Revision) -> None:
        """Nothing."""

    def behind(self, host: str) -> tuple[Revision, ...]:  # noqa: ARG002  the port's
        """None."""
        return ()

    def complaints(self, revision: Revision) -> str:  # noqa: ARG002  the port's
        """Nothing."""
        return ""

    async def until_ready(self, revision: Revision) -> None:  # noqa: ARG002  the port's
        """Never return."""
        await asyncio.Event().wait()
