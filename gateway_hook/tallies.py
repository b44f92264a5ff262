"""Calls that are not yet recorded, counted by Revision: how many, by whom, when the first and the last. Pure."""

from dataclasses import dataclass, field
from typing import Final

from wakequeue.revision import Revision

#: How many callers of one Revision a commit names; further ones are counted together.
MOST_CALLERS: Final = 8
OTHERS: Final = "others"


@dataclass(slots=True)
class Tally:
    """The calls of one Revision; times are the recorder's clock, in seconds."""

    first: float
    last: float
    calls: int = 0
    callers: dict[str, int] = field(default_factory=dict)


class Tallies(dict[Revision, Tally]):
    """Calls by Revision, with who made them, and the times of the first and the last."""

    def add(self, revision: Revision, caller: str, now: float) -> None:
        """Count one call."""
        tally = self.get(revision)
        if tally is None:
            tally = self[revision] = Tally(now, now)
        tally.calls += 1
        tally.last = now
        if caller not in tally.callers and len(tally.callers) >= MOST_CALLERS:
            caller = OTHERS
        tally.callers[caller] = tally.callers.get(caller, 0) + 1

    @property
    def calls(self) -> int:
        """How many calls there are of all Revisions."""
        return sum(tally.calls for tally in self.values())
