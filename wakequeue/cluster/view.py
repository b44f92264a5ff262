"""What is known of a cluster: the collections that are mirrored, and what follows from them. Pure.

Whatever the order in which the changes of different collections arrive, the view is the one that listing them all would give: it
keeps what each object says by itself, and puts it together when it is asked. Any thread may ask while another one tells it of
changes: it looks things up, and goes through nothing that may change meanwhile.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable
from collections.abc import Set as AbstractSet
from typing import Any, Final, TypeVar

from wakequeue.cluster.knowledge import Application, Readiness, Scaling
from wakequeue.cluster.mirrored import Collection
from wakequeue.cluster.objects import Endpoints, EndpointSlice, RevisionObject
from wakequeue.cluster.routes import DomainMapping, Hosts, Mapped, Route
from wakequeue.cluster.scaled import PodAutoscaler, Scaled
from wakequeue.revision import Revision

AT_ZERO: Final = Readiness(ready=False, seconds=0.0)
UNSCALED: Final = Scaled(against="", scaling=None)

K = TypeVar("K", bound=Hashable)


class View:
    """Of each collection, what is kept of its objects by their keys; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._routes: dict[str, Hosts] = {}
        self._mappings: dict[str, Mapped] = {}
        self._slices: dict[str, Endpoints] = {}
        self._revisions: dict[str, str] = {}
        self._scaled: dict[str, Scaled] = {}
        self._tables: dict[Collection, dict[str, Any]] = {
            Route: self._routes,
            DomainMapping: self._mappings,
            EndpointSlice: self._slices,
            RevisionObject: self._revisions,
            PodAutoscaler: self._scaled,
        }
        self._routes_of, self._mappings_of = _Claims[str](), _Claims[str]()
        self._applications_of = _Claims[Revision]()
        self._ready_slices: Counter[Revision] = Counter()
        self._ready_since: dict[Revision, float] = {}

    def put(self, collection: Collection, key: str, kept: Any) -> set[Revision]:  # noqa: ANN401  each collection's own
        """Of an object this is kept now, None for nothing. Returns the Revision that became ready by it, if one did."""
        table = self._tables[collection]
        had = table.get(key)
        # In one step, for those who ask from another thread.
        if kept is None:
            table.pop(key, None)
        else:
            table[key] = kept
        if collection is Route:
            self._routes_of.change(key, _hosts(had), _hosts(kept))
            self._applications_of.change(key, _revisions(had), _revisions(kept))
        elif collection is DomainMapping:
            self._mappings_of.change(key, _mapped(had), _mapped(kept))
        elif collection is EndpointSlice:
            return self._count(had, kept)
        return set()

    def keep(self, collection: Collection, keys: AbstractSet[str]) -> None:
        """There are no other objects in a collection than those with these keys."""
        for key in self._tables[collection].keys() - keys:
            self.put(collection, key, None)

    def size(self, collection: Collection) -> int:
        """Of how many objects something is kept."""
        return len(self._tables[collection])

    def readiness(self, revision: Revision) -> Readiness:
        """Whether a slice of the Revision's endpoints has a ready one, and for how long."""
        since = self._ready_since.get(revision)
        return AT_ZERO if since is None else Readiness(ready=True, seconds=self._clock() - since)

    def exists(self, revision: Revision) -> bool:
        """Whether there is such a Revision; one that has endpoints there is, whatever was told of it yet."""
        return revision in self._ready_since or str(revision) in self._revisions

    def behind(self, host: str) -> tuple[Revision, ...]:
        """A Route's own host comes before one that is mapped to it; of several that claim a host, the first by its key has it."""
        for key in self._routes_of.get(host, ()):
            if hosts := self._routes.get(key):
                return next((revisions for name, revisions in hosts.by_host if name == host), ())
        for key in self._mappings_of.get(host, ()):
            if (mapped := self._mappings.get(key)) and (application := self.application(mapped.route)):
                return application.revisions
        return ()

    def applications(self) -> list[Application]:
        """All Routes."""
        return [hosts.application for hosts in self._routes.copy().values()]

    def application(self, key: str) -> Application | None:
        """The Route with this key."""
        hosts = self._routes.get(key)
        return hosts.application if hosts else None

    def applications_of(self, revision: Revision) -> tuple[Application, ...]:
        """The Routes that have it, by their keys."""
        known = filter(None, map(self.application, self._applications_of.get(revision, ())))
        return tuple(one for one in known if revision in one.revisions)

    def scaling(self, revision: Revision) -> Scaling | None:
        """What its PodAutoscaler says."""
        return self._scaled.get(str(revision), UNSCALED).scaling

    def complaints(self, revision: Revision) -> str:
        """What the PodAutoscaler and the Revision say, each thing once."""
        key = str(revision)
        said = self._scaled.get(key, UNSCALED).against, self._revisions.get(key, "")
        return "; ".join(dict.fromkeys(filter(None, said)))

    def _count(self, had: Endpoints | None, has: Endpoints | None) -> set[Revision]:
        for one, change in ((had, -1), (has, 1)):
            if one and one.ready:
                self._ready_slices[one.revision] += change
        became_ready = set()
        for revision in {one.revision for one in (had, has) if one}:
            if not self._ready_slices[revision]:
                del self._ready_slices[revision]
                self._ready_since.pop(revision, None)
            elif revision not in self._ready_since:
                self._ready_since[revision] = self._clock()
                became_ready.add(revision)
        return became_ready


class _Claims(dict[K, tuple[str, ...]]):
    """Which objects claim a host or a Revision, in the order of their keys."""

    def change(self, key: str, had: Iterable[K], has: Iterable[K]) -> None:
        had, has = set(had), set(has)
        for claimed in has - had:
            self[claimed] = tuple(sorted((*self.get(claimed, ()), key)))
        for claimed in had - has:
            if left := tuple(one for one in self[claimed] if one != key):
                self[claimed] = left
            else:
                del self[claimed]


def _hosts(kept: Hosts | None) -> Iterable[str]:
    return (host for host, _ in kept.by_host) if kept else ()


def _revisions(kept: Hosts | None) -> Iterable[Revision]:
    return kept.application.revisions if kept else ()


def _mapped(kept: Mapped | None) -> Iterable[str]:
    return (kept.host,) if kept else ()
