"""A reflector keeps the view of one collection as the API has it: it lists the collection, and watches it from there on.

A watch that ends is followed by another from the version that was heard last: nothing is missed, and nothing is listed again unless
the API has forgotten that version, or failed in another way. While the API is away, the view stays what it was.
"""

import asyncio
import math
import random
import time
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import aclosing
from typing import Any, Final

from wakequeue.cluster.api import Api, ApiAway, Change
from wakequeue.cluster.mirrored import Collection
from wakequeue.events import Event, info, warning
from wakequeue.telemetry import CLUSTER_AGE, CLUSTER_LISTS, CLUSTER_WATCHES

#: The first and the longest back-off from an API that is away, and the longest from one that refuses.
RETRY_AFTER: Final = 0.05
RETRY_AT_MOST: Final = 2.0
REFUSED_AT_MOST: Final = 30.0

#: After these causes a watch goes on from where it was; after others, another list may do better.
GOES_ON: Final = frozenset({"network", "timeout", "ended", "busy"})

#: What the API says of who may not ask, or of what isn't there: nobody is to wait for it.
NOT_TO_BE_HAD: Final = frozenset({"unauthorized", "forbidden", "not_found"})

#: How long a watch must have lasted to count as one. By then it has told what happened since its version.
SHORTEST_WATCH: Final = 0.5

#: After how long without the API that is worth a line.
AWAY_SECONDS: Final = 1.0


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
        #: Whether the collection was ever listed.
        self.listed = False
        #: Set once it was, or can't be.
        self.answered = asyncio.Event()
        CLUSTER_AGE.labels(self._name).set_function(self.age)

    def age(self) -> float:
        """How old what is known is, in seconds: 0 while it is watched, infinite before it was listed."""
        return 0.0 if self._watching else self._clock() - self._heard_at

    def _age_in_words(self) -> str:
        return f"{self.age():.1f}s" if self.listed else "never listed"

    async def run(self) -> None:
        """Reflect, until it is cancelled."""
        while True:
            try:
                await self._list_and_watch()
            except ApiAway as error:
                await self._wait(error.cause, error)
            except Exception as error:  # noqa: BLE001  whatever it is, the next list may be without it
                await self._wait("defect", error)

    async def _list_and_watch(self) -> None:
        if not self._version:
            await self._list()
        async with aclosing(self._api.watch(self._collection, self._version)) as changes:
            await anext(changes)
            lasting = asyncio.get_running_loop().call_later(SHORTEST_WATCH, self._believe)
            try:
                async for change in changes:
                    self._hear(change)
            finally:
                lasting.cancel()
                lasted = self._stop_believing()
        if not lasted:
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
        self._version, self._heard_at, self.listed = version, began, True
        self.answered.set()

    def _hear(self, change: Change | None) -> None:
        if change:
            if change.key:
                self._put(change.key, change.kept)
            self._version = change.version

    def _believe(self) -> None:
        """The watch lasts."""
        if self._away:
            info(Event.CLUSTER_BACK, collection=self._name, age=self._age_in_words())
        self._watching, self._back_off, self._away = True, 0.0, False

    def _stop_believing(self) -> bool:
        """The watch is over; says whether it lasted."""
        lasted = self._watching
        if lasted:
            # In this order, for those who ask from another thread.
            self._heard_at = self._clock()
            self._watching = False
        return lasted

    async def _wait(self, cause: str, error: Exception) -> None:
        """Back off after a failure."""
        CLUSTER_WATCHES.labels(self._name, cause).inc()
        if not self._away and self.age() > AWAY_SECONDS:
            self._away = True
            warning(Event.CLUSTER_AWAY, collection=self._name, cause=cause, age=self._age_in_words(), error=error)
        if cause not in GOES_ON:
            self._version = ""
        if cause in NOT_TO_BE_HAD:
            self.answered.set()
        longest = RETRY_AT_MOST if cause in GOES_ON else REFUSED_AT_MOST
        self._back_off = min(max(self._back_off * 2, RETRY_AFTER), longest)
        await asyncio.sleep(self._back_off * random.uniform(0.5, 1.0))  # noqa: S311  jitter, not a secret
