"""The mirror: what is known of a cluster, by a reflector for each collection; a `Cluster` to those who ask.

What was seen last of a Revision is believed while it is watched, and a moment longer: one that was ready may be at zero by now, and
its calls must not pass unreported. Hosts lead where they led last: a Route seldom changes.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final
from weakref import WeakValueDictionary

from wakequeue.cluster.api import Api
from wakequeue.cluster.knowledge import Application, Readiness, Scaling
from wakequeue.cluster.mirrored import Collection
from wakequeue.cluster.objects import EndpointSlice, RevisionObject
from wakequeue.cluster.reflector import Reflector
from wakequeue.cluster.routes import Route
from wakequeue.cluster.view import View
from wakequeue.events import Event, info, warning
from wakequeue.revision import Revision
from wakequeue.telemetry import CLUSTER_OBJECTS

#: For how long readiness is believed that is no longer watched: as long as it takes to watch again.
BELIEVED_SECONDS: Final = 2.0

#: How long a process that starts waits for the first lists.
LIST_SECONDS: Final = 10.0


class Mirror:
    """Mirrors collections of a cluster, on one event loop from `open` to `close`; any thread may ask, but for `until_ready`."""

    def __init__(self, api: Api, collections: Iterable[Collection], clock: Callable[[], float] = time.monotonic) -> None:
        self._api, self._view = api, View(clock)
        self._reflectors = {
            one: Reflector(api, one, put=partial(self._put, one), keep=partial(self._view.keep, one), clock=clock)
            for one in collections
        }
        self._tasks: list[asyncio.Task[None]] = []
        #: What those wait for who wait for a Revision; gone once they all have left.
        self._waiting: WeakValueDictionary[Revision, asyncio.Event] = WeakValueDictionary()
        for one in self._reflectors:
            CLUSTER_OBJECTS.labels(one.collection()).set_function(partial(self._view.size, one))

    async def open(self) -> None:
        """Begin, and return once the API has answered for each collection, or after `LIST_SECONDS`: then it goes on to try."""
        reflectors = self._reflectors.items()
        self._tasks = [asyncio.create_task(one.run(), name=f"reflector of {name.collection()}") for name, one in reflectors]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LIST_SECONDS):
                await asyncio.gather(*(one.answered.wait() for one in self._reflectors.values()))
        if listed := {name.collection(): self._view.size(name) for name, one in reflectors if one.listed}:
            info(Event.CLUSTER_KNOWN, **listed)
        if missing := [name.collection() for name, one in reflectors if not one.listed]:
            warning(Event.CLUSTER_UNKNOWN, missing=",".join(missing))

    @property
    def alive(self) -> bool:
        """Whether it goes on; a defect alone can end it before `close`."""
        return not any(task.done() for task in self._tasks)

    async def close(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._api.close()

    def readiness(self, revision: Revision) -> Readiness | None:
        """See `Cluster`. A Revision without endpoints may be one that isn't there."""
        if not self._believes(EndpointSlice):
            return None
        known = self._view.readiness(revision)
        return known if known.ready or self.exists(revision) else None

    def exists(self, revision: Revision) -> bool | None:
        """See `Cluster`."""
        return self._view.exists(revision) if self._believes(RevisionObject) else None

    def behind(self, host: str) -> tuple[Revision, ...]:
        """See `Cluster`."""
        return self._view.behind(host)

    def applications(self) -> Sequence[Application] | None:
        """See `Cluster`."""
        return self._view.applications() if self._reflectors[Route].answered.is_set() else None

    def application(self, key: str) -> Application | None:
        """See `Cluster`."""
        return self._view.application(key)

    def applications_of(self, revision: Revision) -> tuple[Application, ...]:
        """See `Cluster`."""
        return self._view.applications_of(revision)

    def scaling(self, revision: Revision) -> Scaling | None:
        """See `Cluster`."""
        return self._view.scaling(revision)

    def complaints(self, revision: Revision) -> str:
        """See `Cluster`."""
        return self._view.complaints(revision)

    async def until_ready(self, revision: Revision) -> None:
        """See `Cluster`."""
        if not self._view.readiness(revision).ready:
            waiting = self._waiting.setdefault(revision, asyncio.Event())
            await waiting.wait()

    def _believes(self, collection: Collection) -> bool:
        return self._reflectors[collection].age() <= BELIEVED_SECONDS

    def _put(self, collection: Collection, key: str, kept: object) -> None:
        for revision in self._view.put(collection, key, kept):
            if waiting := self._waiting.pop(revision, None):
                waiting.set()
