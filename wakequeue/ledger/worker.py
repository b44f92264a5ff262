"""The worker's side of the ledger: *take*, *settle*, *release*, *bury*, *sweep*, *hasten*, and the *census* that only reads.

Every verb raises LedgerUnavailable where Redis gave no answer or refused the write.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self

from redis import Redis
from redis.exceptions import RedisError

from wakequeue.ledger.leases import Lease, Settled, read_leases, settled_rows
from wakequeue.ledger.scripts import CONNECTED, HASTENED, PENDING, Verb, asked, in_parts, milliseconds, script
from wakequeue.reach import Reach
from wakequeue.revision import Revision
from wakequeue.settings import Settings

#: For how long a request is thought to wait after it was last heard of, in times of `report_every`: fronts tell twice in it, and
#: gateways may leave attempts out.
WAITS_FOR_REPORTS = 1.5

#: How often, at most, all workers together hasten: many of them are connected again at once.
HASTEN_EVERY_MS = 1_000


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
        named = {str(revision): revision for revision in revisions}
        now, token, delayed, suspects, rows = self._run("take", self._lease_for, self._holder, int(trial), *self._limits, *named)
        return Taken(
            read_leases(now / 1000, token, named, rows),
            {"namespace": delayed[0], "all": delayed[1]},
            dict(zip(_revisions(suspects[::2]), suspects[1::2], strict=True)),
        )

    def settle(self, settled: Sequence[Settled]) -> list[Revision]:
        """Record that reports were confirmed. Returns the Revisions whose lease was lost, for which nothing changed."""
        return _revisions(self._run("settle", settled[0].lease.token, *self._keeps, settled_rows(settled)))

    def release(self, leases: Sequence[Lease], back_offs: Sequence[float], cause: str) -> list[Revision]:
        """Make leased Revisions pending again, each after its back-off in seconds. Returns those whose lease was lost."""
        pairs = zip(leases, back_offs, strict=True)
        arguments = [part for lease, back_off in pairs for part in (str(lease.revision), milliseconds(back_off))]
        return _revisions(self._run("release", leases[0].token, cause, *arguments))

    def bury(self, leases: Sequence[Lease], reason: str) -> list[Revision]:
        """Turn leased wake-ups into dead letters. Returns those whose lease was lost."""
        names = [str(lease.revision) for lease in leases]
        return _revisions(self._run("bury", leases[0].token, *self._keeps, reason, *names))

    def sweep(self, queue: str, *, connected: bool = False, most: int = 10_000) -> Swept:
        """End the leases that ran out, make the starts that were planned for now, drop old dead letters, and say whom to ring.

        `most` of each. Others are told where this worker is `connected` to the Autoscaler.
        """
        worker = self._holder if connected else ""
        ended, poisoned, missed, *names = self._run("sweep", queue, *self._rings, most, *self._keeps, self._make_up_within, worker)
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

    def others_connected(self) -> bool:
        """Whether another worker was the last to sweep while it was connected to the Autoscaler, within the last second."""
        return asked(self.client.get, CONNECTED) not in {None, self._holder.encode()}

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


def _revisions(names: Iterable[bytes]) -> list[Revision]:
    return [Revision.parse(name.decode()) for name in names]
