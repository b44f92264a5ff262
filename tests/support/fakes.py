"""Stand-ins for the two ports, in memory; each passes the contract suite of the real thing."""

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

from gateway_hook.call import ReportStyle
from gateway_hook.outcome import Outcome
from wakequeue.cluster.knowledge import Application, Readiness, Scaling
from wakequeue.codecs import Frame
from wakequeue.episode import Episode
from wakequeue.errors import AutoscalerUnavailable, LedgerUnavailable
from wakequeue.ledger import Begun, Commit, Entry, Recorded, Start
from wakequeue.revision import Revision
from wakequeue.traces import UNTRACED, Span


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
    """The front's verbs: remembers every commit and start, and can be away, hold its answers back, or lose them."""

    def __init__(self) -> None:
        self.away = False
        self.answers_to_lose = 0
        self.attempts: list[tuple[Commit, list[Entry]]] = []
        self.commits: dict[Commit, list[Entry]] = {}
        #: What was begun, each with its cause.
        self.begun: list[tuple[str, Start]] = []
        self.first_reports: dict[Revision, float] = {}
        self.last_waits: dict[Revision, float] = {}
        self._pending: set[Revision] = set()
        #: The ids of wake-ups, each with the commit that it began with.
        self._wakeups: dict[Revision, tuple[str, Commit]] = {}
        #: The requests that were ever said to wait.
        self.requests: set[tuple[Revision, str]] = set()
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
        replies = [self._reply(entry, commit, fresh=fresh) for entry in entries]
        if self.answers_to_lose:
            self.answers_to_lose -= 1
            raise LedgerUnavailable("the answer was lost")
        self._news.set()
        return replies

    async def begin(self, cause: str, starts: Sequence[Start]) -> Begun:
        """Begin starts, or raise LedgerUnavailable; see `FrontLedger.begin`."""
        await asyncio.sleep(0)
        if self.away:
            raise LedgerUnavailable("away")
        self.begun += [(cause, start) for start in starts]
        due = [start.revision for start in starts if start.at <= time.time()]
        return Begun(planned=len(starts) - len(due), made=len(due), due=due)

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
        counts = Counter(revision for revision, _ in self.requests)
        for entries in self.commits.values():
            counts.update({entry.revision: entry.calls for entry in entries})
        return +counts

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait until something holds, which is looked at again with every commit that comes or is recorded."""
        async with asyncio.timeout(10):
            while not condition():
                self._news.clear()
                await self._news.wait()

    def _reply(self, entry: Entry, commit: Commit, *, fresh: bool) -> Recorded:
        now = time.time()
        if entry.awake:
            self.first_reports.setdefault(entry.revision, 0.0)
        if entry.requests:
            self.last_waits[entry.revision] = now - entry.last_age
            self.requests.update((entry.revision, request) for request, (caller, _) in entry.requests.items() if caller)
        rings = fresh != (entry.revision in self._pending)
        self._pending.add(entry.revision)
        first_report = self.first_reports.get(entry.revision)
        last_report = None if first_report is None else now
        episode = Episode(first_report, last_report, last_wait=self.last_waits.get(entry.revision))
        wakeup, begun_by = self._wakeups.setdefault(entry.revision, (uuid.uuid4().hex, commit))
        return Recorded(rings, episode, now, wakeup, begins=begun_by == commit)


@dataclass(frozen=True, slots=True)
class Told:
    """What a recorder was told of one call."""

    revision: Revision
    caller: str
    budget: float
    style: ReportStyle = ""
    cold: bool = False
    request: str = ""


@dataclass
class FakeRecorder:
    """The recorder as a hook sees it: remembers what it was told, and says, or raises, what it is made to."""

    outcome: Outcome | Exception | Mapping[Revision, Outcome] = Outcome.RECORDED
    told: list[Told] = field(default_factory=list)
    #: The requests that still waited.
    waited: list[tuple[Revision, str]] = field(default_factory=list)
    come_again: list[bool] = field(default_factory=list)
    #: What was to begin together, and who asked for it.
    begun: list[tuple[list[Start], str]] = field(default_factory=list)
    #: What continues the spans of the calls that are traced.
    traces: list[str] = field(default_factory=list)

    async def record(
        self, revision: Revision, caller: str, budget: float, *, style: ReportStyle = "", span: Span = UNTRACED
    ) -> Outcome:
        """See `gateway_hook.recorder.Recorder.record`."""
        return self._take(Told(revision, caller, budget, style), span)

    async def record_cold(self, revision: Revision, caller: str, budget: float, request: str, *, span: Span = UNTRACED) -> Outcome:
        """See `gateway_hook.recorder.Recorder.record_cold`."""
        return self._take(Told(revision, caller, budget, cold=True, request=request), span)

    async def begin(self, starts: Sequence[Start], caller: str) -> Outcome:
        """See `gateway_hook.recorder.Recorder.begin`."""
        self.begun.append((list(starts), caller))
        return self._said(starts[0].revision)

    def still_waits(self, revisions: Sequence[Revision], request: str, *, comes_again: bool) -> AbstractContextManager[None]:
        """See `gateway_hook.recorder.Recorder.still_waits`."""
        self.waited += [(revision, request) for revision in revisions]
        self.come_again += [comes_again] * len(revisions)
        return nullcontext()

    @property
    def revisions(self) -> list[Revision]:
        """Whose calls were recorded."""
        return [one.revision for one in self.told]

    def _take(self, told: Told, span: Span) -> Outcome:
        self.told.append(told)
        self.traces += [span.context] if span.context else []
        return self._said(told.revision)

    def _said(self, revision: Revision) -> Outcome:
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome if isinstance(self.outcome, Outcome) else self.outcome[revision]


@dataclass(frozen=True)
class FakeContext:
    """A gRPC call's context: `remaining` is None where its caller set no deadline."""

    remaining: float | None = None
    metadata: tuple[tuple[str, str | bytes], ...] = ()

    def time_remaining(self) -> float | None:
        """Return the seconds until the caller gives up."""
        return self.remaining

    def invocation_metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        """Return what came with the call."""
        return self.metadata

    def peer(self) -> str:
        """Return who calls."""
        return "ipv4:10.0.0.7:34567"

    def auth_context(self) -> dict[str, list[bytes]]:
        """Return what its certificate says."""
        return {}


class FakeCluster:
    """A cluster whose Revisions are as a test says; nothing is known before it says something, or while it is `away`."""

    def __init__(self, *, hosts: Mapping[str, Sequence[Revision]] | None = None) -> None:
        self.away = False
        self.hosts = {host: tuple(revisions) for host, revisions in (hosts or {}).items()}
        self.said: dict[Revision, str] = {}
        self.apps: dict[str, Application] = {}
        self.scaled_by: dict[Revision, Scaling] = {}
        self._listed = False
        self._existing: set[Revision] = set()
        self._ready_since: dict[Revision, float] = {}
        self._waiting: dict[Revision, asyncio.Event] = {}

    def is_ready(self, revision: Revision, seconds: float = 0.0) -> None:
        """Have a Revision, ready for so many seconds or, where it was ready before, for longer."""
        self._have(revision)
        since = time.monotonic() - seconds
        self._ready_since[revision] = min(since, self._ready_since.get(revision, since))
        if waiting := self._waiting.pop(revision, None):
            waiting.set()

    def is_at_zero(self, revision: Revision) -> None:
        """Have a Revision, without ready endpoints."""
        self._have(revision)
        self._ready_since.pop(revision, None)

    def is_gone(self, revision: Revision) -> None:
        """Have this Revision no more."""
        self.is_at_zero(revision)
        self._existing.remove(revision)

    def readiness(self, revision: Revision) -> Readiness | None:
        """See `wakequeue.cluster.knowledge.Cluster.readiness`."""
        if not self.exists(revision):
            return None
        since = self._ready_since.get(revision)
        return Readiness(ready=since is not None, seconds=0.0 if since is None else time.monotonic() - since)

    def exists(self, revision: Revision) -> bool | None:
        """See `wakequeue.cluster.knowledge.Cluster.exists`."""
        return None if self._unknown else revision in self._existing

    def behind(self, host: str) -> tuple[Revision, ...]:
        """See `wakequeue.cluster.knowledge.Cluster.behind`."""
        return self.hosts.get(host, ())

    def applications(self) -> tuple[Application, ...] | None:
        """See `wakequeue.cluster.knowledge.Cluster.applications`."""
        return tuple(self.apps.values()) if self._listed or self.apps else None

    def application(self, key: str) -> Application | None:
        """See `wakequeue.cluster.knowledge.Cluster.application`."""
        return self.apps.get(key)

    def applications_of(self, revision: Revision) -> tuple[Application, ...]:
        """See `wakequeue.cluster.knowledge.Cluster.applications_of`."""
        return tuple(one for one in self.apps.values() if revision in one.revisions)

    def scaling(self, revision: Revision) -> Scaling | None:
        """See `wakequeue.cluster.knowledge.Cluster.scaling`."""
        return self.scaled_by.get(revision)

    def complaints(self, revision: Revision) -> str:
        """See `wakequeue.cluster.knowledge.Cluster.complaints`."""
        return self.said.get(revision, "")

    async def until_ready(self, revision: Revision) -> None:
        """See `wakequeue.cluster.knowledge.Cluster.until_ready`."""
        if revision not in self._ready_since:
            await self._waiting.setdefault(revision, asyncio.Event()).wait()

    @property
    def waited_for(self) -> set[Revision]:
        """The Revisions that somebody waits for."""
        return set(self._waiting)

    @property
    def _unknown(self) -> bool:
        return self.away or not self._listed

    def _have(self, revision: Revision) -> None:
        self._listed = True
        self._existing.add(revision)
