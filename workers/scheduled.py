"""One start of a schedule: the Revisions that it means, but for those that may not wake or aren't there, are told to the ledger.

Whom it means may not be known here: these settings, older than the beat's, have no such schedule, or the cluster wasn't listed yet.
Then nothing is done, and the beat asks again. For the cluster that goes on for half of the time in which a start is made up: then
names are read as they are without one. For the schedule, until it is too late, and the next one's turn.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import inf
from typing import Literal

from kombu.exceptions import OperationalError

from wakequeue.allowed import may_wake
from wakequeue.cluster.knowledge import Cluster
from wakequeue.events import Bounded, Event, info
from wakequeue.ledger import Start, Starts
from wakequeue.named import is_pattern, revisions_named
from wakequeue.revision import Revision
from wakequeue.schedule import Schedule
from wakequeue.settings import Settings
from wakequeue.telemetry import BURIED, DOORBELLS, LEFT_OUT, SCHEDULES


@dataclass(slots=True)
class Started:
    """How many Revisions are started, or planned to be by their delay; how many missed it, or were left out.

    The others, if any, have it from a task before this one.
    """

    started: int = 0
    planned: int = 0
    missed: int = 0
    left_out: int = 0


class Scheduled:
    """Makes the starts of schedules; safe to share between the threads of a worker.

    `ring` publishes doorbells.
    """

    def __init__(self, starts: Starts, ring: Callable[[Sequence[Revision]], int], cluster: Cluster, settings: Settings) -> None:
        self._starts, self._ring, self._cluster, self._settings = starts, ring, cluster, settings
        self._schedules = {one.key(settings.zone.info): one for one in settings.schedules.values()}
        SCHEDULES.set(len(self._schedules))
        self._unknown, self._doorbell_lost = Bounded(Event.START_UNKNOWN), Bounded(Event.DOORBELL_LOST)
        self._left_out = {reason: Bounded(Event.LEFT_OUT) for reason in ("denied", "gone")}

    def start(self, key: str, at: float) -> Started:
        """Make the start of a schedule, by its key, at a time, in Unix seconds, once.

        Raises LedgerUnavailable where Redis is away.
        """
        name, late = key.partition("@")[0], self._starts.clock() - at
        schedule = self._schedules.get(key) or Schedule(name, wakes=())
        meant = revisions_named(schedule.wakes, self._cluster, largest=self._settings.split == "largest")
        waits = late <= self._waits_for(schedule)
        if waits or not meant or (any(map(is_pattern, schedule.wakes)) and not self._cluster.applications()):
            self._unknown.warning(schedule=name, wakes=",".join(schedule.wakes))
        if waits:
            return Started()
        wanted = self._without_left_out(name, meant)
        starts = [Start(one, at + schedule.delay(at, one), schedule.keep_for, schedule.pods) for one in wanted]
        begun = self._starts.begin_scheduled(key, at, f"schedule {name}", starts)
        BURIED.labels("expired").inc(begun.missed)
        started = Started(begun.made, begun.planned, begun.missed, len(meant) - len(wanted))
        info(Event.SCHEDULED, schedule=name, at=f"{at:.0f}", late=f"{late:.1f}", **asdict(started))
        self._ring_for(begun.due)
        return started

    def _waits_for(self, schedule: Schedule) -> float:
        """How late a start may be, in seconds, and still wait for it to be known whom it means; less than 0 where that is."""
        if not schedule.wakes:
            return self._settings.make_up_within
        return self._settings.make_up_within / 2 if self._cluster.applications() is None else -inf

    def _without_left_out(self, name: str, meant: Sequence[Revision]) -> list[Revision]:
        reasons = {one: self._reason(one) for one in meant}
        for reason, said in self._left_out.items():
            if left_out := [one for one in meant if reasons[one] == reason]:
                LEFT_OUT.labels(reason).inc(len(left_out))
                said.warning(schedule=name, revisions=len(left_out), first=left_out[0], reason=reason)
        return [one for one in meant if not reasons[one]]

    def _reason(self, revision: Revision) -> Literal["denied", "gone", ""]:
        """Why a Revision may not start, empty where it may."""
        if not may_wake(revision.namespace, self._settings):
            return "denied"
        return "gone" if self._cluster.exists(revision) is False else ""

    def _ring_for(self, due: Sequence[Revision]) -> None:
        """Have them delivered at once; where Redis doesn't take it, the sweep rings for them."""
        try:
            DOORBELLS.labels("schedule").inc(self._ring(due))
        except (OperationalError, OSError) as error:
            self._doorbell_lost.warning(error=error)
