"""Commits: calls made durable, however long the ledger is away; each is sent again, unchanged, until it is recorded.

They are numbered, in a stream for each kind, so that one whose answer was lost isn't counted twice: streams overtake each other,
commits of one stream don't.
"""

import asyncio
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Literal, NamedTuple, Protocol

from gateway_hook.tallies import Tallies, Tally
from wakequeue.errors import LedgerUnavailable
from wakequeue.events import Event, info, warning
from wakequeue.ledger import Begun, Commit, Entry, Recorded, Start
from wakequeue.revision import Revision
from wakequeue.telemetry import RECORD

#: How long to wait before a commit that failed is sent again, in seconds.
RETRY_AFTER: Final = 0.05

#: The most Revisions and waiting requests in one script call, so that no commit keeps Redis from its other clients for more than
#: some milliseconds.
COMMIT_SIZE: Final = 1_000

#: Groups of calls that are answered once they are durable; calls of awake Revisions; requests that still wait.
Stream = Literal["groups", "awake", "waiting"]


class Part(NamedTuple):
    """Calls of one Revision that a commit has recorded, and what the ledger said of it."""

    revision: Revision
    tally: Tally
    recorded: Recorded


class Ledger(Protocol):
    """The ledger's verbs for the front."""

    async def record(self, commit: Commit, entries: Sequence[Entry]) -> list[Recorded]:
        """Make a commit durable; see `wakequeue.ledger.FrontLedger.record`."""
        ...

    async def begin(self, cause: str, starts: Sequence[Start]) -> Begun:
        """Begin what is asked for by hand; see `wakequeue.ledger.FrontLedger.begin`."""
        ...


class Commits:
    """Sends the commits of the front `name`; `clock` is that of the tallies."""

    def __init__(self, ledger: Ledger, name: str, clock: Callable[[], float]) -> None:
        self._ledger, self._name, self._clock = ledger, name, clock
        self._numbers: defaultdict[Stream, Iterator[int]] = defaultdict(lambda: itertools.count(1))
        self._away = False

    async def send(self, stream: Stream, tallies: Tallies) -> AsyncIterator[list[Part]]:
        """Make calls durable, and yield part by part what the ledger says of them."""
        for parts in _commits(tallies):
            commit = Commit(f"{self._name}:{stream}", next(self._numbers[stream]))
            recorded = await self._try(commit, stream, parts)
            while recorded is None:
                await asyncio.sleep(RETRY_AFTER)
                recorded = await self._try(commit, stream, parts)
            yield [Part(revision, tally, one) for (revision, tally), one in zip(parts, recorded, strict=True)]

    async def _try(self, commit: Commit, stream: Stream, parts: Sequence[tuple[Revision, Tally]]) -> list[Recorded] | None:
        """Send a commit once; None where the ledger gave no answer."""
        now = self._clock()
        entries = [_entry(revision, tally, now, awake=stream == "awake") for revision, tally in parts]
        try:
            with RECORD.time():
                recorded = await self._ledger.record(commit, entries)
        except LedgerUnavailable as error:
            if not self._away:
                warning(Event.LEDGER_AWAY, error=error)
            self._away = True
            return None
        if self._away:
            info(Event.LEDGER_BACK)
        self._away = False
        return recorded


def _commits(tallies: Tallies) -> Iterator[list[tuple[Revision, Tally]]]:
    """What goes into each commit."""
    parts: list[tuple[Revision, Tally]] = []
    size = 0
    for revision, tally in tallies.items():
        for part in _split(tally):
            if parts and size + 1 + len(part.requests) > COMMIT_SIZE:
                yield parts
                parts, size = [], 0
            parts.append((revision, part))
            size += 1 + len(part.requests)
    if parts:
        yield parts


def _split(tally: Tally) -> Iterator[Tally]:
    """A tally, with no more requests than a commit takes; what is left of them are tallies of their own."""
    if len(tally.requests) < COMMIT_SIZE:
        yield tally
        return
    requests = list(tally.requests.items())
    yield replace(tally, requests=dict(requests[: COMMIT_SIZE - 1]))
    for start in range(COMMIT_SIZE - 1, len(requests), COMMIT_SIZE - 1):
        yield Tally(tally.first, tally.last, requests=dict(requests[start : start + COMMIT_SIZE - 1]))


def _entry(revision: Revision, tally: Tally, now: float, *, awake: bool) -> Entry:
    ages = now - tally.first, now - tally.last
    requests = {request: (one.caller, now - one.last) for request, one in tally.requests.items()} if tally.requests else {}
    traces = tuple(span.context for span in tally.spans) if tally.spans else ()
    return Entry(revision, tally.calls, awake, *ages, tally.callers, requests, tally.style, traces)
