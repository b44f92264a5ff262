"""The rhythm of reports for one Revision, decided without I/O: what was reported, what is new and the time give the next report.

    asleep --first report--> waking --`waking_for`--> awake --no call for `idle_after`--> asleep

*Asleep*: the first call is reported at once, with the calls so far as concurrency and as request count. *Waking*: one report
each `report_every`, even with no new call, because a single stat can be lost while the Autoscaler's leader changes. Its
concurrency is the callers that wait; its request count, the new calls. A burst arrives in pieces, so the first report may be
corrected once before `report_every` is over: the Autoscaler sums what arrives within one second of its clock
(knative.dev/serving pkg/autoscaler/aggregation/bucketing.go), and so a report within the same second carries only what the
first one left out. *Awake*: only new calls are reported, with a concurrency too small to add to the scale.

Some gateways tell of each attempt of a request, so that it is known to wait: then the waking goes on for as long as that is heard,
and those requests are counted, not guessed. Of the others a caller waits for `patience` at most: when calls could not be reported
for longer than that, because the Autoscaler was away, only the share that came in the last `patience` seconds still counts as
concurrency. Every call counts as a request.

Times are Unix seconds of Redis's clock. An Episode ends by being forgotten: the ledger lets it expire.
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

Phase = Literal["asleep", "waking", "awake"]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The numbers of the rhythm; times in seconds."""

    waking_for: float
    report_every: float
    correct_after: float
    awake_concurrency: float
    patience: float
    original_style: bool = False


@dataclass(frozen=True, slots=True)
class Episode:
    """What was reported of a Revision since it was last asleep.

    `concurrency` is the last report's; the times are None before the first report. `last_wait` is when a request was last known
    to wait, None where none was.
    """

    first_report: float | None = None
    last_report: float | None = None
    concurrency: float = 0.0
    last_wait: float | None = None

    def phase(self, now: float, rhythm: Rhythm) -> Phase:
        """Where in the rhythm the Revision is: waking until its repeats are made, however late that is."""
        if self.first_report is None or self.last_report is None:
            return "asleep"
        waking_until = self.first_report + rhythm.waking_for
        if self.last_wait is not None:
            waking_until = max(waking_until, self.last_wait + rhythm.report_every)
        return "waking" if now < waking_until or self.last_report + rhythm.report_every < waking_until else "awake"

    @property
    def correctable(self) -> bool:
        """Whether the one correction is still to be had: there was a first report, and none since."""
        return self.first_report is not None and self.first_report == self.last_report


@dataclass(frozen=True, slots=True)
class Report:
    """What one StatMessage says: callers that wait, and calls that no report named before."""

    concurrency: float
    requests: int


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now, and what holds once it is done.

    `report` is None where nothing is to be said. New calls may be reported from `ready_at` on; `repeat_at` is when to report
    even without any, None for not at all. `gone` of the waiting callers are thought to have given up.
    """

    phase: Phase
    report: Report | None
    episode: Episode
    ready_at: float
    repeat_at: float | None = None
    gone: int = 0


def decide(  # noqa: PLR0913  they are what there is to know
    episode: Episode, *, calls: int, waiting: int, waited: float, now: float, rhythm: Rhythm, known: int = 0
) -> Step:
    """The next step of a Revision.

    It has `calls` unreported calls, the oldest of them made `waited` seconds ago; `waiting` calls of this episode, reported or
    not, found it not awake, and so many requests more are `known` to wait.
    """
    phase = episode.phase(now, rhythm)
    if phase == "awake" and not calls:
        return rest(episode, rhythm)
    gone = waiting - math.ceil(waiting * min(1.0, rhythm.patience / waited)) if waited > 0 else 0
    report = Report(_concurrency(phase, episode, waiting - gone + known, now, rhythm), calls)
    if rhythm.original_style:
        report = Report(1.0, 1)
    first = now if episode.first_report is None else episode.first_report
    after = replace(episode, first_report=first, last_report=now, concurrency=report.concurrency)
    repeat_at = now + rhythm.report_every
    repeats = after.phase(repeat_at, rhythm) == "waking"
    return Step(phase, report, after, _ready_at(after, rhythm), repeat_at if repeats else None, gone)


def rest(episode: Episode, rhythm: Rhythm) -> Step:
    """The step of a Revision of which there is nothing to say."""
    return Step("awake", None, episode, _ready_at(episode, rhythm))


def _concurrency(phase: Phase, episode: Episode, waiting: int, now: float, rhythm: Rhythm) -> float:
    if phase == "awake":
        return rhythm.awake_concurrency
    same_second = episode.last_report is not None and math.floor(episode.last_report) == math.floor(now)
    return max(waiting - (episode.concurrency if same_second else 0.0), rhythm.awake_concurrency)


def _ready_at(episode: Episode, rhythm: Rhythm) -> float:
    if episode.last_report is None:
        return 0.0
    return episode.last_report + (rhythm.correct_after if episode.correctable else rhythm.report_every)
