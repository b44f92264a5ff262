"""A reflector keeps the view of one collection as the API has it: it lists the collection, and watches it from there on.

A watch that ends is followed by another from the version that was heard last: nothing is missed, and nothing is listed again unless
the API has forgotten that version. While the API is away, the view stays what it was.
"""

import asyncio
import math
import random
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from typing import Any, Final

from wakequeue.cluster.api import Api, ApiAway, Change, VersionGone
from wakequeue.cluster.objects import Collection
from wakequeue.telemetry import CLUSTER_AGE, CLUSTER_LISTS, CLUSTER_WATCHES, Event, info, warning

#: The first and the longest back-off from an API that is away.
RETRY_AFTER: Final = 0.05
RETRY_AT_MOST: Final = 2.0

#: After how long without the API that is worth a line.
AWAY_SECONDS: Final = 1.0

#: A watch that ends sooner, though nothing broke, is no watch.
SHORTEST_WATCH: Final = 0.5


class Reflector:
    """Reflects one collection: `put` is given what is kept of an object, `keep` the keys of all that there are."""

    def __init__(
        self,
        api: Api,
        collection: Collection,
        *,
        put: Callable[[str, Any], None],
        keep: Callable[[AbstractSet[str]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api, self._collection, self._put, self._keep, self._clock = api, collection, put, keep, clock
        self._name = collection.collection()
        self._version = ""
        self._watching = False
        self._heard_at = -math.inf
        self._back_off, self._away = 0.0, False
        #: Set once the collection was listed.
        self.listed = asyncio.Event()
        CLUSTER_AGE.labels(self._name).set_function(self.age)

    def age(self) -> float:
        """How old what is known is, in seconds: 0 while it is watched, infinite before it was listed."""
        return 0.0 if self._watching else self._clock() - self._heard_at

    async def run(self) -> None:
        """Reflect, until it is cancelled."""
        while True:
            try:
                await self._list_and_watch()
            except VersionGone as error:
                self._version = ""
                await self._wait(error.cause, error)
            except ApiAway as error:
                await self._wait(error.cause, error)
            except Exception as error:  # noqa: BLE001  whatever it is, the next list may be without it
                self._version = ""
                await self._wait("defect", error)

    async def _list_and_watch(self) -> None:
        if not self._version:
            await self._list()
        began = self._clock()
        try:
            async with aclosing(self._api.watch(self._collection, self._version)) as changes:
                async for change in changes:
                    self._hear(change)
        finally:
            if self._watching:
                self._watching, self._heard_at = False, self._clock()
        if self._clock() - began < SHORTEST_WATCH:
            raise ApiAway("ended", "the watch ended as it began")
        CLUSTER_WATCHES.labels(self._name, "time").inc()

    async def _list(self) -> None:
        """Page by page, so that nobody waits for a cluster of many."""
        began, version, keys = self._clock(), "", set[str]()
        async with aclosing(self._api.list(self._collection)) as pages:
            async for version, kept in pages:  # noqa: B007  it is that of all pages
                keys |= kept.keys()
                for key, one in kept.items():
                    self._put(key, one)
        self._keep(keys)
        CLUSTER_LISTS.labels(self._name).inc()
        self._version, self._heard_at = version, began
        self.listed.set()

    def _hear(self, change: Change | None) -> None:
        if change is None:
            if self._away:
                info(Event.CLUSTER_BACK, collection=self._name, age=f"{self.age():.1f}s")
            self._watching, self._back_off, self._away = True, 0.0, False
            return
        if change.key:
            self._put(change.key, change.kept)
        self._version = change.version

    async def _wait(self, cause: str, error: Exception) -> None:
        CLUSTER_WATCHES.labels(self._name, cause).inc()
        if not self._away and self.age() > AWAY_SECONDS:
            self._away = True
            warning(Event.CLUSTER_AWAY, collection=self._name, cause=cause, age=f"{self.age():.1f}s", error=error)
        self._back_off = min(max(self._back_off * 2, RETRY_AFTER), RETRY_AT_MOST)
        await asyncio.sleep(self._back_off * random.uniform(0.5, 1.0))  # noqa: S311  jitter, not a secret
