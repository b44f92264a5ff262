"""Starts: wake-ups that no call made, now or at a later time. A *plan* is a start that the ledger keeps until its time comes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import msgspec
from redis import Redis

from wakequeue.errors import LedgerFull
from wakequeue.ledger.scripts import PLANNED, PLANS, SCHEDULES, Verb, asked, milliseconds, script
from wakequeue.reach import Reach
from wakequeue.revision import Revision
from wakequeue.settings import Settings

#: How many Revisions of a schedule's start go to one script, so that none keeps Redis from its other clients for long.
NAMES_AT_ONCE: Final = 1_000

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
    """What became of starts: how many are `planned` for later, and the Revisions that are `due`, for whom to ring."""

    planned: int
    due: list[Revision]


@dataclass(frozen=True, slots=True)
class Plan:
    """A start that waits for its time; its `cause` is who or what planned it."""

    revision: Revision
    at: float
    keep_for: float
    pods: int
    cause: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What was taken back of Revisions: so many plans, and so many Revisions are no longer kept warm."""

    plans: int
    kept: int


@dataclass(frozen=True, slots=True)
class Led:
    """Whether a beat leads; the ledger's time; and by schedule the time of the last start that is wholly in the ledger."""

    leads: bool
    now: float
    last_starts: dict[str, float]


class Starts:
    """The starts of one ledger. Every method raises LedgerUnavailable where Redis gives no answer."""

    def __init__(self, client: Redis, settings: Settings, queue: str) -> None:
        self._client, self._queue, self._rules = client, queue, rules(settings, queue)
        verbs: tuple[Verb, ...] = ("begin", "cancel", "lead")
        self._scripts = {verb: client.register_script(script(verb)) for verb in verbs}

    @classmethod
    def connect(cls, reach: Reach, settings: Settings, queue: str, *, timeout: float = 2.0) -> Self:
        """Starts that give up on an unanswered command after `timeout` seconds."""
        return cls(reach.client(timeout, retries=0), settings, queue)

    def begin(self, cause: str, starts: Sequence[Start]) -> Begun:
        """Make starts that are due, and keep the others until they are; `cause` is their caller, in the audit trail.

        Raises LedgerFull where there is no room for more plans.
        """
        return begun(self._run("begin", *self._rules, *of_cause(cause), *of_starts(starts)))

    def begin_scheduled(self, schedule: str, at: float, starts: Sequence[Start]) -> Begun:
        """Do so for the start of a schedule at a time, once: what of it is in the ledger, or an older start, changes nothing."""
        in_order = sorted(starts, key=lambda start: str(start.revision))
        parts = [in_order[first : first + NAMES_AT_ONCE] for first in range(0, len(in_order), NAMES_AT_ONCE)] or [[]]
        whole = Begun(0, [])
        for part in parts:
            start_of = (f"schedule {schedule}", schedule, milliseconds(at), int(part is parts[-1]))
            one = begun(self._run("begin", *self._rules, *start_of, *of_starts(part)))
            whole = Begun(whole.planned + one.planned, whole.due + one.due)
        return whole

    def planned(self) -> list[Plan]:
        """All plans, the earliest first."""
        ids = asked(self._client.zrange, PLANNED, 0, -1)
        contents = asked(self._client.hmget, PLANS, ids) if ids else []
        return [_plan(id_, content) for id_, content in zip(ids, contents, strict=True) if content]

    def last_starts(self) -> dict[str, float]:
        """Of each schedule that the ledger heard of, the time of the last start that is wholly in it."""
        return {name.decode(): _last_start(reached) for name, reached in asked(self._client.hgetall, SCHEDULES).items()}

    def cancel(self, revisions: Iterable[Revision] | None = None) -> Cancelled:
        """Take back what is planned of these Revisions, or of all, and keep them warm no longer."""
        names = None if revisions is None else [str(revision) for revision in revisions]
        return Cancelled(0, 0) if names == [] else Cancelled(*self._run("cancel", *(names or ())))

    def lead(self, beat: str, schedules: Iterable[str], seconds: float) -> Led:
        """Have this beat lead for so many seconds, unless another one does; and see where the schedules are.

        A schedule that the ledger hasn't heard of had its last start now.
        """
        names = list(schedules)
        now, leads, *reached = self._run("lead", beat, milliseconds(seconds), *names)
        return Led(bool(leads), now / 1000, dict(zip(names, map(_last_start, reached), strict=True)))

    def stand_down(self, beat: str) -> None:
        """Have this beat lead no longer."""
        self._run("lead", beat, 0)

    def queued(self) -> int:
        """How many tasks wait in the queue."""
        return int(asked(self._client.llen, self._queue))

    def _run(self, verb: Verb, *arguments: Any) -> Any:  # noqa: ANN401  what a script takes and returns has no one type
        return asked(self._scripts[verb], args=arguments)


def rules(settings: Settings, queue: str) -> tuple[str | int, ...]:
    """What *begin* goes by, of the settings."""
    times = (settings.ring_again, settings.idle_after, settings.make_up_within)
    return (queue, settings.ring_below, *map(milliseconds, times), settings.keep_history)


def of_cause(cause: str) -> tuple[str | int, ...]:
    """How *begin* is told who or what starts, where no schedule does."""
    return (cause, "", 0, 0)


def of_starts(starts: Iterable[Start]) -> Iterator[str | int]:
    """How *begin* is told what to start."""
    for start in starts:
        yield str(start.revision)
        yield from (milliseconds(start.at), milliseconds(start.keep_for), start.pods, int(start.only_asleep))


def begun(reply: Sequence[Any]) -> Begun:
    """What *begin* says became of it. Raises LedgerFull where there was no room."""
    planned, *due = reply
    if planned < 0:
        msg = "it has 100,000 plans"
        raise LedgerFull(msg)
    return Begun(planned, [Revision.parse(name.decode()) for name in due])


def _plan(id_: bytes, content: bytes) -> Plan:
    name, _, at = id_.decode().partition(" ")
    raw = msgspec.json.decode(content)
    return Plan(Revision.parse(name), int(at) / 1000, raw["keep_for"] / 1000, raw["pods"], raw["cause"])


def _last_start(reached: bytes) -> float:
    """A start that is there in part is not the last one yet, but the one before, whenever that was."""
    at, _, name = reached.decode().partition(" ")
    return (int(at) - (name != WHOLE)) / 1000
