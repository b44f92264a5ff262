"""The port through which front and worker ask what the cluster knows, and the answers where there is no access to one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from wakequeue.revision import Revision


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a Revision has ready endpoints; if so, for how many seconds it was seen to have them, else 0."""

    ready: bool
    seconds: float


class Application(NamedTuple):
    """A Route, by its key `namespace/name`, which is its Service's too.

    `revisions` have a share of its traffic, the largest first. `wakes` are the keys, of applications or of Revisions, that its
    annotation says wake with it.
    """

    key: str
    revisions: tuple[Revision, ...]
    wakes: tuple[str, ...] = ()


class Scaling(NamedTuple):
    """What the Autoscaler scales a Revision by, and how much of that one pod is to have: callers at once, or requests a second."""

    metric: Literal["concurrency", "rps"]
    per_pod: float


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

    def applications(self) -> Sequence[Application] | None:
        """All applications; None while they are yet to be listed, so that none can be said not to be there.

        Of these and the next two, what was heard last counts, however long ago.
        """
        ...

    def application(self, key: str) -> Application | None:
        """The application with this key, None where none is known."""
        ...

    def applications_of(self, revision: Revision) -> tuple[Application, ...]:
        """Those of which the Revision has a share of the traffic."""
        ...

    def scaling(self, revision: Revision) -> Scaling | None:
        """What the Revision is scaled by; None where that isn't known, or is neither of these."""
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

    def applications(self) -> tuple[Application, ...]:
        """None, and none to come."""
        return ()

    def application(self, key: str) -> None:
        """None."""

    def applications_of(self, revision: Revision) -> tuple[Application, ...]:  # noqa: ARG002  the port's
        """None."""
        return ()

    def scaling(self, revision: Revision) -> None:
        """Nothing."""

    def complaints(self, revision: Revision) -> str:  # noqa: ARG002  the port's
        """Nothing."""
        return ""

    async def until_ready(self, revision: Revision) -> None:  # noqa: ARG002  the port's
        """Never return."""
        import asyncio  # noqa: PLC0415  the rhythm of reports is told of `Readiness`, and every command reads its settings

        await asyncio.Event().wait()
