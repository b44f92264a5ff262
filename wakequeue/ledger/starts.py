"""Starts: wake-ups that no call made, now or at a later time. A *plan* is a start that the ledger keeps until its time comes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

import msgspec
from redis import Redis

from wakequeue.errors import LedgerFull
from wakequeue.ledger.scripts import (
    BEAT,
    LEASED,
    PENDING,
    PLANNED,
    PLANS,
    REVISION,
    SCHEDULES,
    Verb,
    asked,
    in_parts,
    milliseconds,
    script,
)
from wakequeue.reach import Reach
from wakequeue.revision import Revision
from wakequeue.settings import Settings

#: What stands for the name that comes after all others: the start is there as a whole.
WHOLE: Final = "~"


@dataclass(frozen=True, slots=True)
class Start:
    """A Revision is to wake `at` a time (Unix seconds), 0 for now, and to be kept warm for `keep_for` seconds from then.

    0 keeps it not at all. So long, the Autoscaler is to keep at least so many `pods`. One with `only_asleep` starts nothing where
    the Revision wakes or is awake, but for what it is kept.
    """

    revision: Revision
    at: float = 0.0
    keep_for: float = 0.0
    pods: int = 1
    only_asleep: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """What became of starts: how many are `planned` for later, `missed`, or `made`; and who is `due` by it, to be rung for.

    Those that were missed were to start more than `make_up_within` ago, and are dead letters.
    """

    planned: int = 0
    missed: int = 0
    made: int = 0
    due: list[Revision] = field(default_factory=list)

    def __add__(self, other: "Begun") -> "Begun":
        return Begun(self.planned + other.planned, self.missed + other.missed, self.made + other.made, self.due + other.due)


@dataclass(frozen=True, slots=True)
class Plan:
    """A start that waits for its time; its `cause` is who or what planned it."""

    revision: Revision
    at: float
    keep_for: float
    pods: int
    cause: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A Revision that is kept warm until a time, in Unix seconds, with at least so many pods."""

    revision: Revision
    until: float
    pods: int


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What was taken back of Revisions: so many plans, and so many Revisions are no longer kept warm."""

    plans: int
    kept: int


@dataclass(frozen=True, slots=True)
class Led:
    """Whether a beat leads; the time by which starts are made; how many are in the queue; and where the schedules are.

    `last_starts` are the times of the last start of each that is wholly in the ledger.
    """

    leads: bool
    now: float
    queued: int
    last_starts: dict[str, float]


class Starts:
    """The starts of one ledger. Every method raises LedgerUnavailable where Redis gives no answer.

    Without `rings` nobody is left to the caller to be rung for: the next sweep does.
    """

    def __init__(self, client: Redis, settings: Settings, queue: str, *, rings: bool = True) -> None:
        self._client, self._rules = client, rules(settings, queue, rings=rings)
        verbs: tuple[Verb, ...] = ("begin", "cancel", "lead")
        self._scripts = {verb: client.register_script(script(verb)) for verb in verbs}

    @classmethod
    def connect(cls, reach: Reach, settings: Settings, queue: str, *, timeout: float = 2.0) -> Self:
        """Starts that give up on an unanswered command after `timeout` seconds."""
        return cls(reach.client(timeout, retries=0), settings, queue)

    def begin(self, cause: str, starts: Sequence[Start]) -> Begun:
        """Make starts that are due, and keep the others until they are; `cause` is their caller, in the audit trail.

        Of the same Revision, cause and time there is one plan, the newest. Raises LedgerFull where there is no room for more plans.
        """
        return begun(self._run("begin", *self._rules, *of_cause(cause), *of_starts(starts)))

    def begin_scheduled(self, schedule: str, at: float, cause: str, starts: Sequence[Start]) -> Begun:
        """Do so for the start of a schedule at a time, once: what of it is in the ledger, or an older start, changes nothing."""
        in_order = sorted(starts, key=lambda start: str(start.revision))
        whole, parts = Begun(), list(in_parts(in_order)) or [[]]
        for part in parts:
            start_of = (cause, schedule, milliseconds(at), int(part is parts[-1]))
            whole += begun(self._run("begin", *self._rules, *start_of, *of_starts(part)))
        return whole

    def planned(self) -> list[Plan]:
        """All plans, the earliest first."""
        ids = asked(self._client.zrange, PLANNED, 0, -1)
        contents = asked(self._client.hmget, PLANS, ids) if ids else []
        return [_plan(id_, content) for id_, content in zip(ids, contents, strict=True) if content]

    def kept(self) -> list[Kept]:
        """Who is kept warm, by their keys."""
        now, found = self.clock(), []
        for names in in_parts(sorted(self._reported())):
            pipeline = self._client.pipeline(transaction=False)
            for name in names:
                pipeline.hget(f"{REVISION}{name.decode()}", "keeps")
            for name, keeps in zip(names, asked(pipeline.execute), strict=True):
                found += [
                    Kept(Revision.parse(name.decode()), until / 1000, int(pods))
                    for pods, (_, until) in msgspec.json.decode(keeps or b"{}").items()
                    if until / 1000 > now
                ]
        return found

    def last_starts(self) -> dict[str, float]:
        """Of each schedule that the ledger heard of, the time of the last start that is wholly in it."""
        return {name.decode(): _last_start(reached) for name, reached in asked(self._client.hgetall, SCHEDULES).items()}

    def cancel(self, revisions: Iterable[Revision] | None = None) -> Cancelled:
        """Take back what is planned of these Revisions, or of all, and keep them warm no longer."""
        plans = asked(self._client.zrange, PLANNED, 0, -1)
        if revisions is None:
            names = self._reported()
        else:
            names = [str(revision).encode() for revision in revisions]
            plans = [plan for plan in plans if plan.partition(b" ")[0] in set(names)]
        counts = [self._run("cancel", len(part), *part) for part in in_parts(plans)]
        counts += [self._run("cancel", 0, *part) for part in in_parts(names)]
        return Cancelled(sum(count for count, _ in counts), sum(count for _, count in counts))

    def lead(self, queue: str, beat: str, schedules: Iterable[str], seconds: float) -> Led:
        """Have this beat lead for so many seconds, unless another one does; see where the schedules are, and how long the queue is.

        A schedule that the ledger hasn't heard of had its last start now; those that only it has, it forgets.
        """
        names = list(schedules)
        now, leads, queued, *reached = self._run("lead", queue, beat, milliseconds(seconds), *names)
        return Led(bool(leads), now / 1000, queued, dict(zip(names, map(_last_start, reached), strict=True)))

    def stand_down(self, queue: str, beat: str) -> None:
        """Have this beat lead no longer."""
        self._run("lead", queue, beat, 0)

    def leader(self) -> str:
        """The beat that leads; empty where none does."""
        return (asked(self._client.get, BEAT) or b"").decode()

    def clock(self) -> float:
        """The time by which starts are made, in Unix seconds."""
        seconds, microseconds = asked(self._client.time)
        return float(seconds + microseconds / 1e6)

    def _reported(self) -> list[bytes]:
        """Those that have a report to come, as who is kept warm always has."""
        return [name for state in (PENDING, LEASED) for name in asked(self._client.zrange, state, 0, -1)]

    def _run(self, verb: Verb, *arguments: Any) -> Any:  # noqa: ANN401  what a script takes and returns has no one type
        return asked(self._scripts[verb], args=arguments)


def rules(settings: Settings, queue: str, *, rings: bool = True) -> tuple[str | int, ...]:
    """What *begin* goes by, of the settings."""
    ring_below = settings.ring_below if rings else 0
    times = (settings.ring_again, settings.idle_after, settings.make_up_within)
    return (queue, ring_below, *map(milliseconds, times), settings.keep_history, settings.keep_dead_letters)


def of_cause(cause: str) -> tuple[str | int, ...]:
    """How *begin* is told who or what starts, where no schedule does."""
    return (cause, "", 0, 0)


def of_starts(starts: Iterable[Start]) -> Iterator[str | int]:
    """How *begin* is told what to start."""
    for start in starts:
        yield str(start.revision)
        # hiredis writes no subclass of int.
        yield from (milliseconds(start.at), milliseconds(start.keep_for), int(start.pods), int(start.only_asleep))


def begun(reply: Sequence[Any]) -> Begun:
    """What *begin* says became of it. Raises LedgerFull where there was no room."""
    planned, missed, made, *due = reply
    if planned < 0:
        msg = "it has 100,000 plans"
        raise LedgerFull(msg)
    return Begun(planned, missed, made, [Revision.parse(name.decode()) for name in due])


def _plan(id_: bytes, content: bytes) -> Plan:
    name, at, cause = id_.decode().split(" ", 2)
    raw = msgspec.json.decode(content)
    return Plan(Revision.parse(name), int(at) / 1000, raw["keep_for"] / 1000, raw["pods"], cause)


def _last_start(reached: bytes) -> float:
    """A start that is there in part is not the last one yet, but the one before, whenever that was."""
    at, _, name = reached.decode().partition(" ")
    return (int(at) - (name != WHOLE)) / 1000
