"""The worker's side of the ledger: *take*, *settle*, *release*, *bury*, *sweep*, *hasten*, and the *census* that only reads.

Every verb raises LedgerUnavailable where Redis gave no answer or refused the write.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

import msgspec
from redis import Redis
from redis.exceptions import RedisError

from wakequeue.episode import Ending, Episode, Phase
from wakequeue.ledger.letters import calls_by_caller
from wakequeue.ledger.scripts import HASTENED, PENDING, Verb, asked, in_parts, milliseconds, script, seconds
from wakequeue.reach import Reach
from wakequeue.revision import Revision
from wakequeue.settings import Settings

LEASE_FIELDS = 20

#: For how long a request is thought to wait after it was last heard of, in times of `report_every`: fronts tell twice in it, and
#: gateways may leave attempts out.
WAITS_FOR_REPORTS = 1.5

#: How often, at most, all workers together hasten: many of them are connected again at once.
HASTEN_EVERY_MS = 1_000


@dataclass(frozen=True, slots=True)
class Lease:
    """The exclusive right to report one Revision, with what there is to report. Times are Unix seconds of Redis's clock.

    `waiting` calls are thought to wait, and so many requests more are `known` to. `style` is how to report it; empty means as the
    settings say. `callers` say who made how many of its calls. It is kept warm until `kept_until` with so many `pods`, by a word of
    `kept_since` at the latest; none, and 0, where it isn't. `wakeup` is the id of its wake-up; `traces` are trace contexts that
    came with its calls.
    """

    revision: Revision
    token: int
    taken_at: float
    calls: int
    waiting: int
    known: int
    first_call: float
    last_call: float
    due_at: float
    attempts: int
    episode: Episode
    style: str = ""
    callers: Mapping[str, int] = field(default_factory=dict)
    kept_since: float | None = None
    kept_until: float | None = None
    pods: int = 0
    wakeup: str = ""
    traces: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What a worker may report, and what it may not yet.

    `delayed` says how many Revisions the rate limits put off: that of their namespace, and that of all. The `suspects`, each
    with how many leases of it in a row ended with their holder, are left for a trial.
    """

    leases: list[Lease]
    delayed: dict[Literal["namespace", "all"], int]
    suspects: dict[Revision, int]


@dataclass(frozen=True, slots=True)
class Settled:
    """A lease whose report was confirmed, or had nothing to say: the episode from here on, and when to report next.

    `phase` is the one that was reported, None where nothing was. `gone` of its waiting callers have given up. `ending` is that of
    its waking; one that is unwoken becomes a dead letter, with its `cause`.
    """

    lease: Lease
    episode: Episode
    ready_at: float
    repeat_at: float | None
    phase: Phase | None
    gone: int = 0
    ending: Ending | None = None
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep did: how many leases it ended, how many of those wake-ups were buried as poisoned, and whom to ring.

    Those starts that it `missed` were planned for so long ago that they are dead letters.
    """

    ended: int
    poisoned: int
    missed: int
    due: list[Revision]


@dataclass(frozen=True, slots=True)
class Census:
    """What the ledger holds: Revisions and calls by state, counted at one moment."""

    pending: int
    leased: int
    pending_calls: int
    leased_calls: int
    buried: int
    recorded_calls: int
    settled_calls: int
    buried_calls: int
    discarded_calls: int
    letters_dropped: int
    planned: int
    queued_tasks: int
    oldest_due_seconds: float

    @property
    def drift_calls(self) -> int:
        """Recorded calls that are in no state: anything but 0 is a defect."""
        kept = self.pending_calls + self.leased_calls + self.buried_calls
        return self.recorded_calls - self.settled_calls - kept - self.discarded_calls

    def as_dict(self) -> dict[str, float]:
        """Every figure by its name, the drift included."""
        return asdict(self) | {"drift_calls": self.drift_calls}


class WorkerLedger:
    """The verbs of a worker; safe to share between threads. `holder` names the worker, unlike any other."""

    def __init__(self, client: Redis, settings: Settings, *, holder: str = "") -> None:
        self.client = client
        verbs: tuple[Verb, ...] = ("take", "settle", "release", "bury", "sweep", "hasten", "census")
        self._scripts = {verb: client.register_script(script(verb)) for verb in verbs}
        self._holder, self._lease_for = holder, milliseconds(settings.lease_for)
        waits_for = milliseconds(settings.report_every * WAITS_FOR_REPORTS)
        self._limits = (*settings.limits, milliseconds(settings.max_age), waits_for)
        keep_letters = (settings.keep_dead_letters, milliseconds(settings.keep_dead_letters_for))
        self._keeps = (milliseconds(settings.idle_after), *keep_letters, settings.keep_history)
        self._make_up_within = milliseconds(settings.make_up_within)
        self._rings = (settings.ring_below, milliseconds(settings.ring_again))

    @classmethod
    def connect(cls, reach: Reach, settings: Settings, *, holder: str = "", timeout: float = 2.0) -> Self:
        """A ledger that gives up on an unanswered command after `timeout` seconds.

        No verb is sent again by itself: a `take` whose answer was lost has leased what a second one would not find.
        """
        return cls(reach.client(timeout, retries=0), settings, holder=holder)

    def take(self, revisions: Iterable[Revision], *, trial: bool = False) -> Taken:
        """Lease those of the Revisions that are due and that the rate limits let through; suspects in a `trial` alone."""
        names = map(str, revisions)
        now, token, delayed, suspects, *flat = self._run("take", self._lease_for, self._holder, int(trial), *self._limits, *names)
        rows = (flat[i : i + LEASE_FIELDS] for i in range(0, len(flat), LEASE_FIELDS))
        return Taken(
            [_lease(now / 1000, token, row) for row in rows],
            {"namespace": delayed[0], "all": delayed[1]},
            dict(zip(_revisions(suspects[::2]), suspects[1::2], strict=True)),
        )

    def settle(self, settled: Sequence[Settled]) -> list[Revision]:
        """Record that reports were confirmed. Returns the Revisions whose lease was lost, for which nothing changed."""
        rows = (part for one in settled for part in _settled(one))
        return _revisions(self._run("settle", settled[0].lease.token, *self._keeps, *rows))

    def release(self, leases: Sequence[Lease], back_offs: Sequence[float], cause: str) -> list[Revision]:
        """Make leased Revisions pending again, each after its back-off in seconds. Returns those whose lease was lost."""
        pairs = zip(leases, back_offs, strict=True)
        arguments = [part for lease, back_off in pairs for part in (str(lease.revision), milliseconds(back_off))]
        return _revisions(self._run("release", leases[0].token, cause, *arguments))

    def bury(self, leases: Sequence[Lease], reason: str) -> list[Revision]:
        """Turn leased wake-ups into dead letters. Returns those whose lease was lost."""
        names = [str(lease.revision) for lease in leases]
        return _revisions(self._run("bury", leases[0].token, *self._keeps, reason, *names))

    def sweep(self, queue: str, *, most: int = 10_000) -> Swept:
        """End the leases that ran out, make the starts that were planned for now, drop old dead letters, and say whom to ring.

        `most` of each.
        """
        ended, poisoned, missed, *names = self._run("sweep", queue, *self._rings, most, *self._keeps, self._make_up_within)
        return Swept(ended, poisoned, missed, _revisions(names))

    def hasten(self, queue: str) -> int:
        """Make due at once what an attempt to deliver failed of, to be rung with all that is due, the oldest first.

        Doorbells that wait in the queue are dropped, for they came in another order. Returns how many wake-ups are due; none
        where another worker did the same within the last second.
        """
        if not asked(self.client.set, HASTENED, 1, nx=True, px=HASTEN_EVERY_MS):
            return 0
        asked(self.client.delete, queue)
        names = asked(self.client.zrange, PENDING, 0, -1)
        return sum(int(self._run("hasten", *part)) for part in in_parts(names))

    def census(self, queue: str) -> Census:
        """Count what the ledger holds."""
        *counts, oldest_ms = self._run("census", queue)
        figures = [*counts, oldest_ms / 1000]
        return Census(*figures)

    def ping(self) -> bool:
        """Whether Redis answers."""
        try:
            return bool(self.client.ping())
        except (RedisError, OSError):
            return False

    def _run(self, verb: Verb, *arguments: Any) -> Any:  # noqa: ANN401  what a script takes and returns has no one type
        return asked(self._scripts[verb], args=arguments)


def _lease(taken_at: float, token: int, row: Sequence[bytes]) -> Lease:
    name, calls, waiting, known, first_call, last_call, due_at, attempts, *episode = row[:12]
    style, waking_since, callers, kept_since, kept_until, pods, wakeup, traces = row[12:]
    first_report, last_report, concurrency, last_wait = episode
    return Lease(
        Revision.parse(name.decode()),
        token,
        taken_at,
        int(calls),
        int(waiting),
        int(known),
        int(first_call) / 1000,
        int(last_call) / 1000,
        int(due_at) / 1000,
        int(attempts),
        Episode(seconds(first_report), seconds(last_report), float(concurrency), seconds(last_wait), seconds(waking_since)),
        style.decode(),
        calls_by_caller(callers),
        seconds(kept_since) or None,
        seconds(kept_until) or None,
        int(pods),
        wakeup.decode(),
        msgspec.json.decode(traces, type=tuple[str, ...]),
    )


def _settled(one: Settled) -> list[str | float]:
    episode, ending = one.episode, one.ending
    told = (ending.outcome, _time(ending.since), _time(ending.at)) if ending and ending.outcome != "reported" else ("", "", "")
    return [
        str(one.lease.revision),
        _time(episode.first_report),
        _time(episode.last_report),
        episode.concurrency,
        _time(one.ready_at),
        _time(one.repeat_at),
        one.gone,
        one.phase or "",
        _time(episode.waking_since),
        *told,
        one.cause,
    ]


def _time(at: float | None) -> int | str:
    return "" if at is None else milliseconds(at)


def _revisions(names: Iterable[bytes]) -> list[Revision]:
    return [Revision.parse(name.decode()) for name in names]
