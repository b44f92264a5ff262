"""The recorder makes calls durable: those that arrive together in one commit, those of an awake Revision from memory.

A call of a Revision that may sleep joins the open group and is answered once that group is durable, or at the answer's
deadline. One group is committed at a time; meanwhile the next one fills, so that a busy front makes larger commits by itself.
Where the front is short of processor time, each commit waits a little longer for company.

A call of an awake Revision is answered at once. Where Kubernetes says whether the Revision is ready, that decides: a call of a
ready one isn't recorded, unless the Revision isn't ready any more one or two `report_every` later; that of another one is never
answered from memory. Where nothing says so, a Revision is awake that the ledger has called so; its calls are counted here and
recorded once in `report_every`.

While Redis is away the open group holds what comes, up to `buffer_revisions`.

A request that found no upstream comes again until it finds one. Its first attempt is a call; of the further ones the ledger is
told, twice in `report_every`, that the request still waits; and so it is while an attempt is held.

What is asked for by hand, for a time or a while, goes to the ledger as it comes, and isn't held.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from gateway_hook.busy import Busy
from gateway_hook.call import ReportStyle
from gateway_hook.commits import RETRY_AFTER, Commits, Ledger, Part, Stream
from gateway_hook.outcome import Outcome
from gateway_hook.passed import Passed
from gateway_hook.tallies import Tallies
from gateway_hook.waiting import Attempt, Waiting
from wakequeue.cluster.knowledge import Cluster
from wakequeue.errors import LedgerUnavailable
from wakequeue.events import Bounded, Event, often, warning
from wakequeue.ledger import Start
from wakequeue.revision import Revision
from wakequeue.settings import Settings
from wakequeue.telemetry import BUFFERED, DROPPED, PASSED, RECORDED
from wakequeue.traces import UNTRACED, Span

#: How many waiting requests are remembered: each costs some 300 bytes.
MOST_WAITING: Final = 100_000


@dataclass(slots=True)
class _Group:
    """Calls that are answered together."""

    tallies: Tallies = field(default_factory=Tallies)
    outcome: Outcome = Outcome.BUFFERED
    answered: asyncio.Event = field(default_factory=asyncio.Event)


class Recorder:
    """Records calls through a ledger, on one event loop, from its making to `close`.

    `ring` is given the Revisions that a commit made due, each with the trace of a call that did, or none; `name` is this front's,
    unique among all fronts.
    """

    def __init__(
        self,
        ledger: Ledger,
        ring: Callable[[Mapping[Revision, str]], None],
        settings: Settings,
        cluster: Cluster,
        *,
        name: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._commits, self._begin = Commits(ledger, name, clock), ledger.begin
        self._ring, self._settings, self._clock = ring, settings, clock
        self._open = _Group()
        self._rhythm = settings.rhythm
        self._filled = asyncio.Event()
        self._awake_until: dict[Revision, float] = {}
        self._awake_calls = Tallies()
        self._passed = Passed(cluster)
        self._waiting = Waiting(patience=settings.patience, most=MOST_WAITING)
        self._closing = asyncio.Event()
        self._unrecorded = 0
        self._in_hand = 0
        BUFFERED.set_function(lambda: self._unrecorded)
        self._dropped, self._recorded = Bounded(Event.CALLS_DROPPED), often(Event.RECORDED)
        self._is_busy = Busy()
        self._committing = asyncio.create_task(self._commit_groups(), name="recorder")
        self._later = (
            asyncio.create_task(self._flush_awake(), name="recorder of awake Revisions"),
            asyncio.create_task(self._tell_who_waits(), name="recorder of waiting requests"),
        )

    async def record(
        self, revision: Revision, caller: str, budget: float, *, style: ReportStyle = "", span: Span = UNTRACED
    ) -> Outcome:
        """Record one call that `caller` told of, and return within `budget` seconds."""
        now = self._clock()
        ready = self._passed.is_ready(revision)
        if ready:
            # By this it goes on being awake, should readiness no longer be known.
            self._awake_until[revision] = now + self._settings.idle_after
            self._passed.add(revision, caller, now, style)
            return Outcome.PASSED
        if ready is not None:
            self._awake_until.pop(revision, None)
        elif now < self._awake_until.get(revision, 0.0):
            self._awake_until[revision] = now + self._settings.idle_after
            self._awake_calls.add(revision, caller, now, style, span)
            self._unrecorded += 1
            return Outcome.AWAKE
        if not self._has_room(revision):
            return self._drop("the buffer is full")
        group = self._join()
        group.tallies.add(revision, caller, now, style, span)
        return await self._answer(group, budget)

    async def record_cold(self, revision: Revision, caller: str, budget: float, request: str, *, span: Span = UNTRACED) -> Outcome:
        """Record one attempt of a request that found no upstream: of each `request` the first is a call, where it has a name."""
        now = self._clock()
        self._awake_until.pop(revision, None)
        attempt = self._waiting.attempt(revision, request, now) if request else None
        if attempt is Attempt.FURTHER:
            return Outcome.WAITING
        if attempt is Attempt.TOO_MANY:
            return self._drop("too many requests wait")
        if not self._has_room(revision):
            if request:
                self._waiting.take_back(revision, request)
            return self._drop("the buffer is full")
        group = self._join()
        if request:
            group.tallies.add_request(revision, caller, now, request, span)
        else:
            group.tallies.add(revision, caller, now, span=span)
        return await self._answer(group, budget)

    async def begin(self, starts: Sequence[Start], caller: str) -> Outcome:
        """Have the ledger begin what `caller` asked for, all at one time; where it is away nothing is held for it."""
        try:
            begun = await self._begin(caller, starts)
        except LedgerUnavailable as error:
            return self._drop(str(error), len(starts))
        self._ring(dict.fromkeys(begun.due, ""))
        RECORDED.inc(len(starts) - begun.planned)
        return Outcome.PLANNED if begun.planned else Outcome.RECORDED

    def still_waits(
        self, revisions: Iterable[Revision], request: str, *, comes_again: bool
    ) -> contextlib.AbstractContextManager[None]:
        """Meanwhile, tell the ledger of a recorded request as if it came again all the time; then it does, or is forgotten."""
        return self._waiting.held(revisions, request, self._clock, comes_again=comes_again)

    @property
    def alive(self) -> bool:
        """Whether it still records; a defect alone can end it before `close`."""
        return not any(task.done() for task in (self._committing, *self._later))

    async def close(self, within: float) -> None:
        """Make durable what was called so far; what isn't after `within` seconds is dropped, counted and logged."""
        for _ in range(2):  # looks, which are all that any call is kept for
            self._look_again()
        self._closing.set()
        self._filled.set()
        _, late = await asyncio.wait((self._committing, *self._later), timeout=within)
        if late and self._unrecorded:
            DROPPED.inc(self._unrecorded)
            warning(Event.CALLS_DROPPED, calls=self._unrecorded, because="stopped while Redis was away")
        while late:  # before Python 3.12, asyncio.wait_for may lose a cancellation (github.com/python/cpython/issues/86296)
            for task in late:
                task.cancel()
            _, late = await asyncio.wait(late, timeout=RETRY_AFTER)

    async def _commit_groups(self) -> None:
        while not self._closing.is_set() or self._open.tallies:
            await self._filled.wait()
            if self._is_busy():
                await asyncio.sleep(self._settings.linger)
            group, self._open = self._open, _Group()
            self._filled.clear()
            self._in_hand = len(group.tallies)
            await self._commit("groups", group.tallies)
            self._in_hand = 0
            group.outcome = Outcome.RECORDED
            group.answered.set()

    async def _flush_awake(self) -> None:
        while not self._closing.is_set() or self._awake_calls:
            await self._closing_within(self._settings.report_every)
            self._look_again()
            now = self._clock()
            self._awake_until = {revision: until for revision, until in self._awake_until.items() if until > now}
            calls, self._awake_calls = self._awake_calls, Tallies()
            await self._commit("awake", calls)

    def _look_again(self) -> None:
        """Have those calls recorded that were let pass, and whose Revision isn't known to be ready any more: most were served."""
        lost, passed = self._passed.look()
        PASSED.inc(passed)
        for revision, tally in lost.items():
            self._awake_calls.add_calls(revision, tally)
            self._unrecorded += tally.calls

    async def _tell_who_waits(self) -> None:
        told_at = self._clock()
        while not await self._closing_within(self._settings.report_every / 2):
            then, told_at = told_at, self._clock()
            async for parts in self._commits.send("waiting", self._waiting.since(then, told_at)):
                self._ring_due(parts)
            self._waiting.forget(self._clock())

    async def _commit(self, stream: Stream, tallies: Tallies) -> None:
        """Make calls durable, and have the doorbells of those that are due rung."""
        async for parts in self._commits.send(stream, tallies):
            calls = sum(tally.calls + len(tally.requests) for _, tally, _ in parts)
            self._unrecorded -= calls
            RECORDED.inc(calls)
            self._ring_due(parts)
            for revision, tally, recorded in parts:
                if tally.requests:
                    self._waiting.counted(revision, tally.requests)
                if recorded.begins:
                    self._recorded.info(wakeup=recorded.wakeup, revision=revision, caller=tally.caller)
                for span in tally.spans:
                    span.tell(wakeup=recorded.wakeup)
                if recorded.episode.phase(recorded.at, self._rhythm) == "awake":
                    until = tally.last + self._settings.idle_after
                    self._awake_until[revision] = max(until, self._awake_until.get(revision, 0.0))

    def _ring_due(self, parts: Iterable[Part]) -> None:
        due: dict[Revision, str] = {}
        for part in parts:
            if part.recorded.ring:
                due[part.revision] = due.get(part.revision) or (part.tally.spans[0].context if part.tally.spans else "")
        self._ring(due)

    async def _closing_within(self, seconds: float) -> bool:
        """Wait so long, or until it is to close; says whether it is."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        return self._closing.is_set()

    def _has_room(self, revision: Revision) -> bool:
        """Whether the open group takes calls of this Revision."""
        tallies = self._open.tallies
        return revision in tallies or self._in_hand + len(tallies) < self._settings.buffer_revisions

    def _drop(self, because: str, calls: int = 1) -> Outcome:
        DROPPED.inc(calls)
        self._dropped.warning(calls=calls, because=because)
        return Outcome.DROPPED

    def _join(self) -> _Group:
        """The open group, for one more call."""
        group = self._open
        if not group.tallies:
            self._filled.set()
            asyncio.get_running_loop().call_later(self._settings.answer_within, group.answered.set)
        self._unrecorded += 1
        return group

    async def _answer(self, group: _Group, budget: float) -> Outcome:
        """What became of a group's calls, once they are durable, or as far as is known within `budget` seconds."""
        if budget >= self._settings.answer_within:
            await group.answered.wait()
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(budget):
                    await group.answered.wait()
        return group.outcome
