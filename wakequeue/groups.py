"""Groups: which Revisions wake with one that wakes. Pure."""

from collections.abc import Iterator
from itertools import chain, islice
from typing import Final

from wakequeue.allowed import may_wake
from wakequeue.cluster.knowledge import Cluster
from wakequeue.named import revisions_of
from wakequeue.revision import Revision
from wakequeue.settings import Settings

#: How many are looked at for one Revision, whether they are woken or not: an annotation may name thousands that don't exist.
MOST_LOOKED_AT: Final = 1_000


class Groups:
    """Who wakes with whom, by the setting `groups` and by the applications' own annotations."""

    def __init__(self, settings: Settings, cluster: Cluster) -> None:
        self._settings, self._cluster = settings, cluster

    def of(self, revision: Revision) -> list[Revision]:
        """Those that wake with this one, and with these in turn: the nearest first, each once, and never itself.

        It goes `group_depth` far, and `group_size` bounds it, as `MOST_LOOKED_AT` does. A Revision that is known not to exist, or
        whose namespace may not wake, is left out, and so is who would wake with it alone.
        """
        return list(islice(self._nearest_first(revision), self._settings.group_size))

    def _nearest_first(self, source: Revision) -> Iterator[Revision]:
        seen, nearest, looks = {source}, [source], iter(range(MOST_LOOKED_AT))
        for _ in range(self._settings.group_depth):
            next_to_them = []
            for one, _ in zip(chain.from_iterable(map(self._next_to, nearest)), looks, strict=False):
                if one not in seen:
                    seen.add(one)
                    if may_wake(one.namespace, self._settings) and self._cluster.exists(one) is not False:
                        next_to_them.append(one)
                        yield one
            nearest = next_to_them

    def _next_to(self, revision: Revision) -> Iterator[Revision]:
        """Those that its own key, or that of an application that it has a share of, says wake with it."""
        applications = self._cluster.applications_of(revision)
        if groups := self._settings.groups:
            for key in (str(revision), *(one.key for one in applications)):
                yield from self._meant(groups.get(key, ()))
        for application in applications:
            yield from self._meant(application.wakes)

    def _meant(self, keys: tuple[str, ...]) -> Iterator[Revision]:
        for key in keys:
            yield from revisions_of(key, self._cluster, largest=self._settings.split == "largest")
