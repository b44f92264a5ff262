"""Starts: wake-ups that no call made, now or at a later time. A *plan* is a start that the ledger keeps until its time comes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from redis import Redis

from wakequeue.reach import Reach
from wakequeue.revision import Revision
from wakequeue.settings import Settings


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

    def __init__(self, client: Redis, settings: Settings) -> None:
        raise NotImplementedError

    @classmethod
    def connect(cls, reach: Reach, settings: Settings, *, timeout: float = 2.0) -> Self:
        """Starts that give up on an unanswered command after `timeout` seconds."""
        return cls(reach.client(timeout, retries=0), settings)

    def begin(self, cause: str, starts: Sequence[Start]) -> Begun:
        """Make starts that are due, and keep the others until they are; `cause` is their caller, in the audit trail."""
        raise NotImplementedError

    def begin_scheduled(self, schedule: str, at: float, starts: Sequence[Start]) -> Begun:
        """Do so for the start of a schedule at a time, once: what of it is in the ledger, or an older start, changes nothing."""
        raise NotImplementedError

    def planned(self) -> list[Plan]:
        """All plans, the earliest first."""
        raise NotImplementedError

    def cancel(self, revisions: Iterable[Revision]) -> Cancelled:
        """Take back what is planned of these Revisions, and keep them warm no longer."""
        raise NotImplementedError

    def lead(self, beat: str, schedules: Iterable[str], seconds: float) -> Led:
        """Have this beat lead for so many seconds, unless another one does; and see where the schedules are.

        A schedule that the ledger hasn't heard of had its last start now.
        """
        raise NotImplementedError

    def stand_down(self, beat: str) -> None:
        """Have this beat lead no longer."""
        raise NotImplementedError
