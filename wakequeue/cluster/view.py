"""What is known of a cluster: the collections that are mirrored, and what follows from them. Pure.

Whatever the order in which the changes of different collections arrive, the view is the one that listing them all would give: it
keeps what each object says by itself, and puts it together when it is asked.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from collections.abc import Set as AbstractSet
from typing import Any, Final

from wakequeue.cluster.knowledge import Application, Readiness
from wakequeue.cluster.mirrored import Collection
from wakequeue.cluster.objects import Endpoints, EndpointSlice, PodAutoscaler, RevisionObject
from wakequeue.cluster.routes import DomainMapping, Hosts, Mapped, Route
from wakequeue.revision import Revision

AT_ZERO: Final = Readiness(ready=False, seconds=0.0)


class View:
    """Of each collection, what is kept of its objects by their keys; `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._routes: dict[str, Hosts] = {}
        self._mappings: dict[str, Mapped] = {}
        self._slices: dict[str, Endpoints] = {}
        self._complaints: dict[Collection, dict[str, str]] = {RevisionObject: {}, PodAutoscaler: {}}
        self._tables: dict[Collection, dict[str, Any]] = {
            Route: self._routes,
            DomainMapping: self._mappings,
            EndpointSlice: self._slices,
            **self._complaints,
        }
        self._routes_of, self._mappings_of = _Claims(), _Claims()
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
        return revision in self._ready_since or str(revision) in self._complaints[RevisionObject]

    def behind(self, host: str) -> tuple[Revision, ...]:
        """A Route's own host comes before one that is mapped to it; of several that claim a host, the first by its key has it."""
        for key in self._routes_of.get(host, ()):
            return next(revisions for name, revisions in self._routes[key].by_host if name == host)
        for key in self._mappings_of.get(host, ()):
            if route := self._routes.get(self._mappings[key].route):
                return route.traffic
        return ()

    def applications(self) -> list[Application]:
        """All Routes."""
        return [Application(key, hosts.traffic) for key, hosts in list(self._routes.items())]

    def complaints(self, revision: Revision) -> str:
        """What the PodAutoscaler and the Revision say, each thing once."""
        said = (self._complaints[collection].get(str(revision), "") for collection in (PodAutoscaler, RevisionObject))
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


class _Claims(dict[str, tuple[str, ...]]):
    """Which objects claim a host, in the order of their keys."""

    def change(self, key: str, had: Iterable[str], has: Iterable[str]) -> None:
        had, has = set(had), set(has)
        for host in has - had:
            self[host] = tuple(sorted((*self.get(host, ()), key)))
        for host in had - has:
            left = tuple(one for one in self.pop(host) if one != key)
            if left:
                self[host] = left


def _hosts(kept: Hosts | None) -> Iterable[str]:
    return (host for host, _ in kept.by_host) if kept else ()


def _mapped(kept: Mapped | None) -> Iterable[str]:
    return (kept.host,) if kept else ()
