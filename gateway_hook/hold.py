"""Held calls: those of sleeping Revisions are answered once one of these is ready, or when their caller's deadline is near.

A call is held only where each of its Revisions is known not to be ready: of a split the gateway may send it to any, and warm ones
are not to wait for a cold one. When access to the cluster is lost meanwhile, it stays held: the Revision may be ready any time, and
its caller goes on waiting anyway.

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

#: The share of the caller's time that is left for the answer to arrive, the least and the most of it, and how much more for each
#: held call that may have to be answered at the same time; in seconds.
MARGIN: Final = 0.1
MARGIN_AT_LEAST: Final = 0.1
MARGIN_AT_MOST: Final = 1.0
MARGIN_EACH: Final = 0.0001

#: A caller that waits for less than so many seconds is answered at once: no cold start is that short.
WORTH_HOLDING: Final = 1.0

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

    def will_hold(self, revisions: Collection[Revision], seconds: float) -> bool:
        """Whether a call of these Revisions that may be held for so long would be, now."""
        return self._all_sleep(revisions) and self._ends_at_once(seconds) is None

    async def hold(self, revisions: Collection[Revision], seconds: float, gone: Gone | None = None) -> None:
        """Return once one of these Revisions is ready, or their call has to be answered, in `seconds` at the latest."""
        if not self._all_sleep(revisions):
            return
        ended = self._ends_at_once(seconds)
        if ended is None:
            with HOLD.time():
                ended = await self._until_ready(revisions, seconds, gone)
        HOLDS.labels(ended).inc()

    def time_to_hold(self, remaining: float | None) -> float:
        """For how many seconds a call may be held whose caller waits so long for its answer; None where it doesn't say."""
        return time_to_hold(remaining, self._hold_for, len(self._held))

    def let_go(self) -> None:
        """Have all calls answered that are held, and hold no more."""
        self._draining = True
        for held in list(self._held):
            self._end(held, Ended.DRAINING)

    def _all_sleep(self, revisions: Collection[Revision]) -> bool:
        return self._on and all((known := self._cluster.readiness(one)) and not known.ready for one in revisions)

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
                    await self._until_one_is_ready(revisions)
        except TimeoutError:
            return self._held[held]
        except asyncio.CancelledError:
            HOLDS.labels(Ended.LEFT).inc()
            raise
        finally:
            del self._held[held]
        return Ended.READY

    async def _until_one_is_ready(self, revisions: Collection[Revision]) -> None:
        first, *others = revisions
        if not others:  # nearly always, and tasks would cost memory
            await self._cluster.until_ready(first)
            return
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._cluster.until_ready(revision)) for revision in revisions]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()

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


def time_to_hold(remaining: float | None, hold_for: float, held: int = 0) -> float:
    """As `Holds.time_to_hold`, while so many others are held."""
    if remaining is None:
        return hold_for
    if remaining < WORTH_HOLDING:
        return 0.0
    margin = min(max(MARGIN * remaining, MARGIN_AT_LEAST), MARGIN_AT_MOST) + MARGIN_EACH * held
    return min(hold_for, remaining - margin)
