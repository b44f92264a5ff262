"""Held calls: those of sleeping Revisions are answered once all of these are ready, or when their caller's deadline is near.

A call is held only where each of its Revisions is known, and one of them is known not to be ready. When access to the cluster is
lost meanwhile, it stays held: the Revision may be ready any time, and its caller goes on waiting anyway.

A held call costs a timer, and a future with what its Revision's others wait for; nothing looks at it until it is answered.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Coroutine, Iterator
from enum import StrEnum
from typing import Any, Final

from wakequeue.cluster.knowledge import Cluster
from wakequeue.revision import Revision
from wakequeue.settings import Settings
from wakequeue.telemetry import HELD, HOLD, HOLDS

#: The share of the caller's time that is left for the answer to arrive, and the most of it, in seconds.
MARGIN: Final = 0.1
MARGIN_AT_MOST: Final = 0.25

#: Returns once the caller has left; where there is none, the call is cancelled then.
Gone = Callable[[], Coroutine[Any, Any, None]]


class Ended(StrEnum):
    """Why a call isn't held, or no longer; the label `ended` of `wakequeue_holds`."""

    #: Its Revisions are ready.
    READY = "ready"
    #: Its caller's deadline is near.
    DEADLINE = "deadline"
    #: Its caller has left.
    LEFT = "left"
    #: It was never held: `hold_at_most` calls are.
    FULL = "full"
    #: The front is told to stop.
    DRAINING = "draining"


class Holds:
    """The held calls of one front."""

    def __init__(self, settings: Settings, cluster: Cluster) -> None:
        self._cluster, self._most, self._hold_for = cluster, settings.hold_at_most, settings.hold_for
        self._on = settings.mode == "hold"
        #: What ends each, and why it does if its Revisions don't.
        self._held: dict[asyncio.Timeout, Ended] = {}
        self._draining = False
        HELD.set_function(lambda: len(self._held))

    async def hold(self, revisions: Collection[Revision], remaining: float | None, gone: Gone | None = None) -> None:
        """Return once these Revisions are ready, or their call has to be answered: its caller waits for `remaining` seconds."""
        if not self._on or not (asleep := self._asleep(revisions)):
            return
        seconds = time_to_hold(remaining, self._hold_for)
        ended = self._ends_at_once(seconds)
        if ended is None:
            with HOLD.time():
                ended = await self._until_ready(asleep, seconds, gone)
        HOLDS.labels(ended).inc()

    def let_go(self) -> None:
        """Have all calls answered that are held, and hold no more."""
        self._draining = True
        for held in list(self._held):
            self._end(held, Ended.DRAINING)

    def _asleep(self, revisions: Collection[Revision]) -> list[Revision]:
        """Those that aren't ready; none where it isn't known of each."""
        known = {revision: self._cluster.readiness(revision) for revision in revisions}
        if None in known.values():
            return []
        return [revision for revision, readiness in known.items() if readiness and not readiness.ready]

    def _ends_at_once(self, seconds: float) -> Ended | None:
        """Why a call isn't held that may be for so many seconds; None where it is."""
        if self._draining:
            return Ended.DRAINING
        if seconds <= 0:
            return Ended.DEADLINE
        return Ended.FULL if len(self._held) >= self._most else None

    async def _until_ready(self, revisions: Collection[Revision], seconds: float, gone: Gone | None) -> Ended:
        held = asyncio.timeout(seconds)
        try:
            async with held:
                self._held[held] = Ended.DEADLINE
                with self._watched(held, gone):
                    for revision in revisions:
                        await self._cluster.until_ready(revision)
        except TimeoutError:
            return self._held[held]
        except asyncio.CancelledError:
            HOLDS.labels(Ended.LEFT).inc()
            raise
        finally:
            del self._held[held]
        return Ended.READY

    @contextlib.contextmanager
    def _watched(self, held: asyncio.Timeout, gone: Gone | None) -> Iterator[None]:
        """Meanwhile, end what is held once its caller has left."""
        if gone is None:
            yield
            return
        watching = asyncio.create_task(gone())
        watching.add_done_callback(lambda done: None if done.cancelled() else self._end(held, Ended.LEFT))
        try:
            yield
        finally:
            watching.cancel()

    def _end(self, held: asyncio.Timeout, ended: Ended) -> None:
        if held in self._held and not held.expired():
            self._held[held] = ended
            held.reschedule(asyncio.get_running_loop().time())


def time_to_hold(remaining: float | None, hold_for: float) -> float:
    """For how many seconds a call may be held whose caller waits so long for its answer; None where it doesn't say."""
    return hold_for if remaining is None else min(hold_for, remaining - min(MARGIN * remaining, MARGIN_AT_MOST))
