"""Starts in memory, by a clock that a test sets; they pass the contract suite of the real ones as far as a beat goes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger import Begun, Led, Start, Starts
from wakequeue.revision import Revision


class Made(NamedTuple):
    """A start of a schedule that the ledger made: when it was due, and when it was made."""

    schedule: str
    at: float
    made_at: float


@dataclass
class FakeStarts(Starts):
    """A ledger whose time is `now`, and that can be `away`."""

    now: float = 1_000_000.0
    away: bool = False
    #: How many starts wait in the queue.
    queued: int = 0
    make_up_within: float = 300.0
    made: list[Made] = field(default_factory=list)
    #: Those that were too old.
    buried: list[Made] = field(default_factory=list)
    #: What was told of each.
    starts: list[Start] = field(default_factory=list)
    leader: str = ""
    leads_until: float = 0.0
    _last: dict[str, float] = field(default_factory=dict)

    def begin_scheduled(self, schedule: str, at: float, cause: str, starts: Sequence[Start]) -> Begun:  # noqa: ARG002  as the real one
        """See `Starts`."""
        self._ask()
        schedule = name_of(schedule)
        if at <= self._last.get(schedule, -1.0):
            return Begun()
        self._last[schedule] = at
        late = self.now - at > self.make_up_within
        (self.buried if late else self.made).append(Made(schedule, at, self.now))
        self.starts += starts
        due = [] if late else [one.revision for one in starts if one.at <= self.now]
        return Begun(missed=len(starts)) if late else Begun(planned=len(starts) - len(due), made=len(due), due=due)

    def lead(self, queue: str, beat: str, schedules: Iterable[str], seconds: float) -> Led:  # noqa: ARG002  as above
        """See `Starts`."""
        self._ask()
        if self.leader in {"", beat} or self.leads_until <= self.now:
            self.leader, self.leads_until = beat, self.now + seconds
        last = {key: self._last.setdefault(name_of(key), self.now) for key in schedules}
        return Led(self.leader == beat, self.now, self.queued, last)

    def stand_down(self, queue: str, beat: str) -> None:  # noqa: ARG002  as above
        """See `Starts`."""
        self._ask()
        if self.leader == beat:
            self.leader = ""

    def clock(self) -> float:
        """See `Starts`."""
        self._ask()
        return self.now

    def has(self, schedule: str, at: float) -> None:
        """Have this as the last start of a schedule."""
        self._last[schedule] = at

    def last(self, schedule: str) -> float:
        """The last start of a schedule."""
        return self._last[name_of(schedule)]

    def revisions(self) -> list[Revision]:
        """The Revisions that were told."""
        return [one.revision for one in self.starts]

    def _ask(self) -> None:
        if self.away:
            raise LedgerUnavailable("away")


def name_of(key: str) -> str:
    """A schedule's name."""
    return key.partition("@")[0]
