"""Calls that are not yet recorded, counted by Revision: how many, by whom, when the first and the last. Pure."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from gateway_hook.call import ReportStyle
from wakequeue.revision import Revision
from wakequeue.traces import UNTRACED, Span

#: How many callers of one Revision a commit names; further ones are counted together.
MOST_CALLERS: Final = 8
OTHERS: Final = "others"

#: How many spans of one Revision's calls a commit names.
MOST_SPANS: Final = 8


class Waits(NamedTuple):
    """A request that waits: who told of it, empty where it is counted already, and when it last came."""

    caller: str
    last: float


@dataclass(slots=True)
class Tally:
    """The calls of one Revision; times are the recorder's clock, in seconds.

    `calls` are those that can't be told apart, made by `callers`; `requests` are those that wait, by id. `spans` are of those that
    are traced.
    """

    first: float
    last: float
    calls: int = 0
    callers: dict[str, int] = field(default_factory=dict)
    requests: dict[str, Waits] = field(default_factory=dict)
    style: ReportStyle = ""
    spans: list[Span] = field(default_factory=list)

    @property
    def caller(self) -> str:
        """One who called; empty where nobody did, but a request goes on waiting."""
        return next(iter(self.callers), "") or next((one.caller for one in self.requests.values()), "")

    def count(self, caller: str, calls: int) -> None:
        """Count calls that a caller made."""
        callers = self.callers
        if caller not in callers and len(callers) >= MOST_CALLERS:
            caller = OTHERS
        callers[caller] = callers.get(caller, 0) + calls
        self.calls += calls

    def trace(self, span: Span) -> None:
        """Take note of the span of a call that is traced."""
        if len(self.spans) < MOST_SPANS:
            self.spans.append(span)


class Tallies(dict[Revision, Tally]):
    """Calls by Revision, with who made them, and the times of the first and the last."""

    def add(self, revision: Revision, caller: str, now: float, style: ReportStyle = "", span: Span = UNTRACED) -> None:
        """Count one call; the last style that is named is that of them all."""
        tally = self._at(revision, now)
        if style:
            tally.style = style
        tally.count(caller, 1)
        if span.context:
            tally.trace(span)

    def add_calls(self, revision: Revision, calls: Tally) -> None:
        """Count calls that were counted elsewhere."""
        tally = self._at(revision, calls.first)
        tally.last = max(tally.last, calls.last)
        tally.style = calls.style or tally.style
        for caller, count in calls.callers.items():
            tally.count(caller, count)

    def add_request(self, revision: Revision, caller: str, now: float, request: str, span: Span = UNTRACED) -> None:
        """Take note of a request that waits."""
        tally = self._at(revision, now)
        tally.requests[request] = Waits(caller, now)
        if span.context:
            tally.trace(span)

    @property
    def calls(self) -> int:
        """How many calls there are of all Revisions."""
        return sum(tally.calls + len(tally.requests) for tally in self.values())

    def _at(self, revision: Revision, now: float) -> Tally:
        tally = self.get(revision)
        if tally is None:
            tally = self[revision] = Tally(now, now)
        elif now > tally.last:
            tally.last = now
        elif now < tally.first:
            tally.first = now
        return tally
