"""The recorder makes calls durable: those that arrive together in one commit, those of an awake Revision from memory.

A call of a Revision that may sleep joins the open group and is answered once that group is durable, or at the answer's
deadline. One group is committed at a time; meanwhile the next one fills, so that a busy front makes larger commits by itself.
Above `linger_above` calls a second each commit waits a little longer for company. A Revision that the ledger has called awake
is answered at once; its calls are counted here and recorded once in `report_every`.

While Redis is away the group in hand is sent again, unchanged, and the open one holds what comes, up to `buffer_revisions`.
Commits are numbered, in two streams, so that one whose answer was lost isn't counted twice.
"""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, Protocol

from gateway_hook.tallies import Tallies
from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger import Commit, Entry, Recorded
from wakequeue.revision import Revision
from wakequeue.settings import Settings
from wakequeue.telemetry import BUFFERED, DROPPED, RECORD, RECORDED, Bounded, Event, info, warning

#: How long to wait before a commit that failed is sent again, in seconds.
RETRY_AFTER: Final = 0.05

#: Over how many seconds the rate of calls is measured.
RATE_WINDOW: Final = 0.1

#: The most Revisions in one script call, so that no commit keeps Redis from its other clients for more than some milliseconds.
COMMIT_REVISIONS: Final = 1_000

#: Commits of groups and those of awake Revisions overtake each other, so each has numbers of its own.
Stream = Literal["groups", "awake"]


class Outcome(StrEnum):
    """What became of a call."""

    #: Durable, and its Revision sleeps or wakes.
    RECORDED = "recorded"
    #: Its Revision is awake.
    AWAKE = "awake"
    #: Held in memory: not yet durable when its answer was due.
    BUFFERED = "buffered"
    #: Not held: the buffer was full.
    DROPPED = "dropped"


class Ledger(Protocol):
    """The ledger's verb for the front."""

    async def record(self, commit: Commit, entries: Sequence[Entry]) -> list[Recorded]:
        """Make a commit durable; see `wakequeue.ledger.FrontLedger.record`."""
        ...


@dataclass(slots=True)
class _Group:
    """Calls that are answered together."""

    tallies: Tallies = field(default_factory=Tallies)
    outcome: Outcome = Outcome.BUFFERED
    answered: asyncio.Event = field(default_factory=asyncio.Event)


class Recorder:
    """Records calls through a ledger, on one event loop, from its making to `close`.

    `ring` is given the Revisions that a commit made due; `name` is this front's, unique among all fronts.
    """

    def __init__(
        self,
        ledger: Ledger,
        ring: Callable[[Iterable[Revision]], None],
        settings: Settings,
        *,
        name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger, self._ring, self._settings, self._name, self._clock = ledger, ring, settings, name, clock
        self._open = _Group()
        self._rhythm = settings.rhythm
        self._filled = asyncio.Event()
        self._awake_until: dict[Revision, float] = {}
        self._awake_calls = Tallies()
        self._numbers = {"groups": itertools.count(1), "awake": itertools.count(1)}
        self._away = False
        self._closing = asyncio.Event()
        self._unrecorded = 0
        self._in_hand = 0
        self._buffer_full = Bounded(Event.CALLS_DROPPED)
        self._rate = _Rate(clock)
        self._committing = asyncio.create_task(self._commit_groups(), name="recorder")
        self._flushing = asyncio.create_task(self._flush_awake(), name="recorder of awake Revisions")

    async def record(self, revision: Revision, caller: str, budget: float) -> Outcome:
        """Record one call that `caller` told of, and return within `budget` seconds."""
        now = self._clock()
        if now < self._awake_until.get(revision, 0.0):
            self._awake_until[revision] = now + self._settings.idle_after
            self._awake_calls.add(revision, caller, now)
            self._unrecorded += 1
            return Outcome.AWAKE
        group = self._open
        if revision not in group.tallies and self._in_hand + len(group.tallies) >= self._settings.buffer_revisions:
            DROPPED.inc()
            self._buffer_full.warning(calls=1, because="the buffer is full")
            return Outcome.DROPPED
        if not group.tallies:
            self._filled.set()
            asyncio.get_running_loop().call_later(self._settings.answer_within, group.answered.set)
        group.tallies.add(revision, caller, now)
        self._unrecorded += 1
        if budget >= self._settings.answer_within:
            await group.answered.wait()
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(budget):
                    await group.answered.wait()
        return group.outcome

    @property
    def alive(self) -> bool:
        """Whether it still records; a defect alone can end it before `close`."""
        return not (self._committing.done() or self._flushing.done())

    async def close(self, within: float) -> None:
        """Make durable what was called so far; what isn't after `within` seconds is dropped, counted and logged."""
        self._closing.set()
        self._filled.set()
        try:
            async with asyncio.timeout(within):
                await asyncio.gather(self._committing, self._flushing)
        except TimeoutError:
            DROPPED.inc(self._unrecorded)
            warning(Event.CALLS_DROPPED, calls=self._unrecorded, because="stopped while Redis was away")

    async def _commit_groups(self) -> None:
        while not self._closing.is_set() or self._open.tallies:
            await self._filled.wait()
            if self._rate.above(self._settings.linger_above):
                await asyncio.sleep(self._settings.linger)
            group, self._open = self._open, _Group()
            self._filled.clear()
            self._in_hand = len(group.tallies)
            self._rate.count(group.tallies.calls)
            await self._commit("groups", group.tallies)
            self._in_hand = 0
            group.outcome = Outcome.RECORDED
            group.answered.set()

    async def _flush_awake(self) -> None:
        while not self._closing.is_set() or self._awake_calls:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings.report_every):
                    await self._closing.wait()
            now = self._clock()
            self._awake_until = {revision: until for revision, until in self._awake_until.items() if until > now}
            calls, self._awake_calls = self._awake_calls, Tallies()
            await self._commit("awake", calls)

    async def _commit(self, stream: Stream, tallies: Tallies) -> None:
        """Make calls durable, however long Redis is away; have the doorbells of those that are due rung."""
        revisions = list(tallies)
        for start in range(0, len(revisions), COMMIT_REVISIONS):
            part = revisions[start : start + COMMIT_REVISIONS]
            recorded = await self._record(stream, part, tallies)
            calls = sum(tallies[revision].calls for revision in part)
            self._unrecorded -= calls
            BUFFERED.set(self._unrecorded)
            RECORDED.inc(calls)
            self._ring(revision for revision, one in zip(part, recorded, strict=True) if one.ring)
            for revision, one in zip(part, recorded, strict=True):
                if one.episode.phase(one.at, self._rhythm) == "awake":
                    until = tallies[revision].last + self._settings.idle_after
                    self._awake_until[revision] = max(until, self._awake_until.get(revision, 0.0))

    async def _record(self, stream: Stream, part: Sequence[Revision], tallies: Tallies) -> list[Recorded]:
        commit = Commit(f"{self._name}:{stream}", next(self._numbers[stream]))
        while True:
            now = self._clock()
            entries = [
                Entry(revision, tally.calls, stream == "awake", now - tally.first, now - tally.last, tally.callers)
                for revision in part
                for tally in (tallies[revision],)
            ]
            try:
                with RECORD.time():
                    recorded = await self._ledger.record(commit, entries)
            except LedgerUnavailable as error:
                if not self._away:
                    warning(Event.LEDGER_AWAY, error=error)
                self._away = True
                BUFFERED.set(self._unrecorded)
                await asyncio.sleep(RETRY_AFTER)
            else:
                if self._away:
                    info(Event.LEDGER_BACK)
                self._away = False
                return recorded


class _Rate:
    """The rate of calls over the last window."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._since, self._calls, self._a_second = clock(), 0, 0.0

    def count(self, calls: int) -> None:
        self._calls += calls
        now = self._clock()
        if now - self._since >= RATE_WINDOW:
            self._a_second = self._calls / (now - self._since)
            self._since, self._calls = now, 0

    def above(self, a_second: float) -> bool:
        return self._a_second > a_second
