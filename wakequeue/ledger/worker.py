"""The worker's side of the ledger: *take*, *settle*, *release*, *bury*, *sweep*, and the *census* that only reads.

Every verb raises LedgerUnavailable where Redis gave no answer or refused the write.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from redis import Redis
from redis.exceptions import RedisError

from wakequeue.episode import Episode
from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger.scripts import Verb, milliseconds, script, seconds
from wakequeue.reach import Reach
from wakequeue.revision import Revision

LEASE_FIELDS = 10


@dataclass(frozen=True, slots=True)
class Lease:
    """The exclusive right to report one Revision, with what there is to report. Times are Unix seconds of Redis's clock."""

    revision: Revision
    token: int
    taken_at: float
    calls: int
    waiting: int
    first_call: float
    last_call: float
    due_at: float
    attempts: int
    episode: Episode


@dataclass(frozen=True, slots=True)
class Settled:
    """A lease whose report was confirmed, or had nothing to say: the episode from here on, and when to report next.

    `gone` of its waiting callers have given up.
    """

    lease: Lease
    episode: Episode
    ready_at: float
    repeat_at: float | None
    gone: int = 0


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
    queued_tasks: int
    oldest_due_seconds: float

    @property
    def drift_calls(self) -> int:
        """Recorded calls that are in no state: anything but 0 is a defect."""
        held = self.settled_calls + self.pending_calls + self.leased_calls + self.buried_calls
        return self.recorded_calls - held

    def as_dict(self) -> dict[str, float]:
        """Every figure by its name, the drift included."""
        return asdict(self) | {"drift_calls": self.drift_calls}


class WorkerLedger:
    """The verbs of a worker; safe to share between threads."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        verbs: tuple[Verb, ...] = ("take", "settle", "release", "bury", "sweep", "census")
        self._scripts = {verb: client.register_script(script(verb)) for verb in verbs}

    @classmethod
    def connect(cls, reach: Reach, *, timeout: float = 2.0) -> Self:
        """A ledger that gives up on an unanswered command after `timeout` seconds."""
        return cls(reach.client(timeout, retries=1))

    def take(self, revisions: Iterable[Revision], lease_for: float) -> list[Lease]:
        """Lease those of the Revisions that are due, for `lease_for` seconds."""
        now, token, *flat = self._run("take", milliseconds(lease_for), *map(str, revisions))
        rows = (flat[i : i + LEASE_FIELDS] for i in range(0, len(flat), LEASE_FIELDS))
        return [_lease(now / 1000, token, row) for row in rows]

    def settle(self, settled: Sequence[Settled], idle_after: float) -> list[Revision]:
        """Record that reports were confirmed. Returns the Revisions whose lease was lost, for which nothing changed."""
        arguments: list[Any] = [settled[0].lease.token, milliseconds(idle_after)]
        for one in settled:
            episode, repeat_at = one.episode, one.repeat_at
            arguments += [
                str(one.lease.revision),
                _time(episode.first_report),
                _time(episode.last_report),
                episode.concurrency,
                _time(one.ready_at),
                _time(repeat_at),
                one.gone,
            ]
        return _revisions(self._run("settle", *arguments))

    def release(self, leases: Sequence[Lease], back_offs: Sequence[float]) -> list[Revision]:
        """Make leased Revisions pending again, each after its back-off in seconds. Returns those whose lease was lost."""
        pairs = zip(leases, back_offs, strict=True)
        arguments = [part for lease, back_off in pairs for part in (str(lease.revision), milliseconds(back_off))]
        return _revisions(self._run("release", leases[0].token, *arguments))

    def bury(self, leases: Sequence[Lease], reason: str, idle_after: float, *, keep: int) -> list[Revision]:
        """Turn leased wake-ups into dead letters, of which the newest `keep` are kept. Returns those whose lease was lost."""
        names = [str(lease.revision) for lease in leases]
        return _revisions(self._run("bury", leases[0].token, milliseconds(idle_after), keep, reason, *names))

    def sweep(self, queue: str, *, ring_below: int, ring_again: float, most: int = 10_000) -> tuple[int, list[Revision]]:
        """End the leases that ran out; name the Revisions to ring. Returns the number of such leases, and the names."""
        dead, *names = self._run("sweep", queue, ring_below, milliseconds(ring_again), most)
        return dead, _revisions(names)

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

    def _run(self, verb: Verb, *arguments: Any) -> list[Any]:  # noqa: ANN401  what a script takes and returns has no one type
        try:
            reply: list[Any] = self._scripts[verb](args=arguments)
        except (RedisError, OSError) as error:
            raise LedgerUnavailable(str(error) or type(error).__name__) from error
        return reply


def _lease(taken_at: float, token: int, row: Sequence[bytes]) -> Lease:
    name, calls, waiting, first_call, last_call, due_at, attempts, first_report, last_report, concurrency = row
    episode = Episode(seconds(first_report), seconds(last_report), float(concurrency))
    return Lease(
        Revision.parse(name.decode()),
        token,
        taken_at,
        int(calls),
        int(waiting),
        int(first_call) / 1000,
        int(last_call) / 1000,
        int(due_at) / 1000,
        int(attempts),
        episode,
    )


def _time(at: float | None) -> int | str:
    return "" if at is None else milliseconds(at)


def _revisions(names: Iterable[bytes]) -> list[Revision]:
    return [Revision.parse(name.decode()) for name in names]
