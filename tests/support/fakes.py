"""Stand-ins for the two ports, in memory; each passes the contract suite of the real thing."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence

from wakequeue.codecs import Frame
from wakequeue.episode import Episode
from wakequeue.errors import AutoscalerUnavailable, LedgerUnavailable
from wakequeue.ledger import Commit, Entry, Recorded
from wakequeue.revision import Revision


class FakeAutoscaler:
    """Confirms what it is sent, unless it is unavailable."""

    def __init__(self) -> None:
        self.available = True
        self.frames: list[Frame] = []
        #: The frames of each `send`.
        self.sent: list[list[Frame]] = []

    def send(self, frames: Sequence[Frame]) -> None:
        """Remember the frames."""
        if not self.available:
            raise AutoscalerUnavailable("not connected")
        self.frames += frames
        self.sent.append(list(frames))


class FakeLedger:
    """The front's verb: remembers every commit, and can be away, hold its answers back, or lose them."""

    def __init__(self) -> None:
        self.away = False
        self.answers_to_lose = 0
        self.attempts: list[tuple[Commit, list[Entry]]] = []
        self.commits: dict[Commit, list[Entry]] = {}
        self.first_reports: dict[Revision, float] = {}
        self._pending: set[Revision] = set()
        self._news = asyncio.Event()
        self._answering = asyncio.Event()
        self._answering.set()

    async def record(self, commit: Commit, entries: Sequence[Entry]) -> list[Recorded]:
        """Record a commit once, or raise LedgerUnavailable; see `FrontLedger.record`."""
        self.attempts.append((commit, list(entries)))
        self._news.set()
        await asyncio.sleep(0)
        await self._answering.wait()
        if self.away:
            raise LedgerUnavailable("away")
        fresh = commit not in self.commits
        self.commits.setdefault(commit, list(entries))
        replies = [self._reply(entry, fresh=fresh) for entry in entries]
        if self.answers_to_lose:
            self.answers_to_lose -= 1
            raise LedgerUnavailable("the answer was lost")
        self._news.set()
        return replies

    def report(self, revision: Revision, ago: float = 0.0) -> None:
        """Have a Revision's calls reported, its first report `ago` seconds in the past."""
        self._pending.discard(revision)
        self.first_reports[revision] = time.time() - ago

    def hold(self) -> None:
        """Answer nothing from now on."""
        self._answering.clear()

    def let_go(self) -> None:
        """Answer what is held back, and what comes."""
        self._answering.set()

    def calls(self) -> Counter[Revision]:
        """How many calls were recorded, by Revision."""
        counts: Counter[Revision] = Counter()
        for entries in self.commits.values():
            counts.update({entry.revision: entry.calls for entry in entries})
        return counts

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something holds, which is looked at again with every commit that comes or is recorded."""
        async with asyncio.timeout(10):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def _reply(self, entry: Entry, *, fresh: bool) -> Recorded:
        if entry.awake:
            self.first_reports.setdefault(entry.revision, 0.0)
        rings = fresh != (entry.revision in self._pending)
        self._pending.add(entry.revision)
        first_report = self.first_reports.get(entry.revision)
        last_report = None if first_report is None else time.time()
        return Recorded(rings, Episode(first_report, last_report), time.time())
