"""The rhythm of reports for one Revision, decided without I/O: what was reported, what is new and the time give the next report.

    asleep --first report--> waking --ready, or `waking_for`--> awake --no call for `idle_after`--> asleep
       ^                       |
       +--- `unwoken_after` ---+

*Asleep*: the first call is reported at once, with the calls so far as concurrency and as request count. *Waking*: one report
each `report_every`, even with no new call, because a single stat can be lost while the Autoscaler's leader changes. Its
concurrency is the callers that wait; its request count, the new calls. A burst arrives in pieces, so the first report may be
corrected once before `report_every` is over: the Autoscaler sums what arrives within one second of its clock
(knative.dev/serving pkg/autoscaler/aggregation/bucketing.go), and so a report within the same second carries only what the
first one left out. *Awake*: only new calls are reported, with a concurrency too small to add to the scale.

Where the cluster says whether the Revision is ready, that comes before the times. Ready, it is awake. Not ready, it is asleep or
waking, never awake: the waking goes on until it is ready, or until `unwoken_after` is over. A waking that is open ends once:
*woken*; *unwoken*; by the times alone, as *reported*, where nothing is known of readiness; or with a wake-up that is buried.

Some gateways tell of each attempt of a request, so that it is known to wait: then the waking goes on for as long as that is heard,
and those requests are counted, not guessed. Of the others a caller waits for `patience` at most: when calls could not be reported
for longer than that, because the Autoscaler was away, only the share that came in the last `patience` seconds still counts as
concurrency. In a waking that lasts longer than that, callers give up as evenly as they came, and all of them `patience` after the
last. Every call counts as a request.

A Revision that is *kept* warm is reported each `report_every`, whether it is called or not, with what holds its pods at least. The
Autoscaler averages what arrives in each second (knative.dev/serving pkg/autoscaler/aggregation/bucketing.go); so such a report
stands for the time since the one before it.

Times are Unix seconds of Redis's clock. An Episode ends by being forgotten: the ledger lets it expire.
"""

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

from wakequeue.cluster.knowledge import Readiness

Phase = Literal["asleep", "waking", "awake"]


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The numbers of the rhythm; times in seconds."""

    waking_for: float
    report_every: float
    correct_after: float
    awake_concurrency: float
    patience: float
    unwoken_after: float
    original_style: bool = False


class Episode(NamedTuple):
    """What was reported of a Revision since it was last asleep.

    `concurrency` is the last report's; the times are None before the first report, and `first_report` is 0 of a Revision that was
    found awake. `last_wait` is when a request was last known to wait, None where none was. `waking_since` is when the first call of
    the waking was made that is open, None where none is.
    """

    first_report: float | None = None
    last_report: float | None = None
    concurrency: float = 0.0
    last_wait: float | None = None
    waking_since: float | None = None

    def phase(self, now: float, rhythm: Rhythm) -> Phase:
        """Where in the rhythm the Revision is by the times: waking until its repeats are made, however late that is."""
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

    def overdue(self, now: float, rhythm: Rhythm) -> bool:
        """Whether the open waking has had its time, from its first call or, where that could not be reported, its first report."""
        if self.waking_since is None or self.first_report is None:
            return False
        return now >= max(self.waking_since, self.first_report) + rhythm.unwoken_after


class Report(NamedTuple):
    """What one StatMessage says: callers that wait, and calls that no report named before."""

    concurrency: float
    requests: int


@dataclass(frozen=True, slots=True)
class Keep:
    """What is to be reported of a Revision that is kept warm, on average: callers at once, and requests a second."""

    concurrency: float
    requests: float = 0.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a waking ended, and when; its first call was made at `since`."""

    outcome: Literal["woken", "unwoken", "reported"]
    since: float
    at: float


class Step(NamedTuple):
    """What to do now, and what holds once it is done.

    `report` is None where nothing is to be said. New calls may be reported from `ready_at` on; `repeat_at` is when to report
    even without any, None for not at all. `gone` of the waiting callers are thought to have given up. `ending` is that of the
    waking that was open, None where it goes on or none was.
    """

    phase: Phase
    report: Report | None
    episode: Episode
    ready_at: float
    repeat_at: float | None = None
    gone: int = 0
    ending: Ending | None = None


def decide(  # noqa: PLR0913  they are what there is to know
    episode: Episode,
    *,
    calls: int,
    waiting: int,
    waited: float,
    now: float,
    rhythm: Rhythm,
    known: int = 0,
    quiet: float = 0.0,
    readiness: Readiness | None = None,
    keep: Keep | None = None,
) -> Step:
    """The next step of a Revision.

    It has `calls` unreported calls, the oldest of them made `waited` seconds ago, and the last of all its calls was `quiet` seconds
    ago; `waiting` calls of this episode, reported or not, found it not awake, and so many requests more are `known` to wait. `keep`
    is what keeps it warm, None where nothing does.
    """
    phase = _phase(episode, now, rhythm, readiness)
    unwoken = _at_zero(readiness) and episode.overdue(now, rhythm)
    if keep is None and not calls and (phase == "awake" or (unwoken and not known)):
        return rest(episode, now=now, rhythm=rhythm, readiness=readiness)
    gone = waiting - math.ceil(waiting * _staying(episode, waited, quiet, now, rhythm, readiness))
    ending = None
    if unwoken:
        phase, ending, episode = "asleep", _ending(episode, now, readiness), episode._replace(waking_since=None)
    report = (
        Report(1.0, 1)
        if rhythm.original_style
        else Report(_concurrency(phase, episode, waiting - gone + known, now, rhythm), calls)
    )
    if keep is not None:
        report = _kept(report, keep, episode, now, rhythm)
    first_report, waking_since = _begun(episode, phase, now - waited, now, rhythm, readiness)
    after = Episode(first_report, now, report.concurrency, episode.last_wait, waking_since)
    repeat_at = now + rhythm.report_every
    if _phase(after, repeat_at, rhythm, readiness) == "waking":
        return Step(phase, report, after, _ready_at(after, rhythm), repeat_at, gone, ending)
    over = after._replace(waking_since=None)
    return Step(
        phase, report, over, _ready_at(over, rhythm), None if keep is None else repeat_at, gone, _ending(after, now, readiness)
    )


def rest(episode: Episode, *, now: float, rhythm: Rhythm, readiness: Readiness | None = None) -> Step:
    """The step of a Revision of which there is nothing to say; a waking that is open ends with it."""
    phase: Phase = "asleep" if _at_zero(readiness) else "awake"
    after = episode._replace(waking_since=None)
    if readiness is not None:
        after = after._replace(first_report=0.0 if readiness.ready else None)
    return Step(phase, None, after, _ready_at(after, rhythm), ending=_ending(episode, now, readiness))


def _at_zero(readiness: Readiness | None) -> bool:
    return readiness is not None and not readiness.ready


def _phase(episode: Episode, now: float, rhythm: Rhythm, readiness: Readiness | None) -> Phase:
    by_times = episode.phase(now, rhythm)
    if readiness is None:
        return by_times
    if readiness.ready:
        return "awake"
    if by_times == "awake":
        return "asleep" if episode.waking_since is None else "waking"
    return by_times


def _begun(
    episode: Episode, phase: Phase, first_call: float, now: float, rhythm: Rhythm, readiness: Readiness | None
) -> tuple[float | None, float | None]:
    """The first report, and the first call, of the waking that a report of this phase belongs to; a correction begins no other."""
    first_report, waking_since = episode.first_report, episode.waking_since
    if readiness is not None and readiness.ready:
        return 0.0, waking_since
    if phase == "asleep" and not (episode.correctable and now < (episode.last_report or 0.0) + rhythm.report_every):
        first_report = now
    if waking_since is None and (phase == "asleep" or _at_zero(readiness)):
        waking_since = first_call
    return first_report, waking_since


def _ending(episode: Episode, now: float, readiness: Readiness | None) -> Ending | None:
    since = episode.waking_since
    if since is None:
        return None
    if readiness is None:
        return Ending("reported", since, now)
    if readiness.ready:
        return Ending("woken", since, max(now - readiness.seconds, since))
    return Ending("unwoken", since, now)


def _staying(episode: Episode, waited: float, quiet: float, now: float, rhythm: Rhythm, readiness: Readiness | None) -> float:
    """The share of the callers that are thought to wait who still do."""
    share = min(1.0, rhythm.patience / waited) if waited > 0 else 1.0
    if not _at_zero(readiness):
        return share
    if quiet > rhythm.patience:
        return 0.0
    since, last_report = episode.waking_since, episode.last_report
    if since is None or last_report is None or now - since <= rhythm.patience:
        return share
    return min(share, max(0.0, 1 - (now - last_report) / rhythm.patience))


def _concurrency(phase: Phase, episode: Episode, waiting: int, now: float, rhythm: Rhythm) -> float:
    if phase == "awake":
        return rhythm.awake_concurrency
    same_second = episode.last_report is not None and math.floor(episode.last_report) == math.floor(now)
    return max(waiting - (episode.concurrency if same_second else 0.0), rhythm.awake_concurrency)


def _kept(report: Report, keep: Keep, episode: Episode, now: float, rhythm: Rhythm) -> Report:
    """The report with no less than what keeps the Revision, for as long as it stands for."""
    since = now - rhythm.report_every if episode.last_report is None else episode.last_report
    seconds = min(now - since, 2 * rhythm.report_every)
    return Report(max(report.concurrency, keep.concurrency * seconds), max(report.requests, round(keep.requests * seconds)))


def _ready_at(episode: Episode, rhythm: Rhythm) -> float:
    if episode.last_report is None:
        return 0.0
    return episode.last_report + (rhythm.correct_after if episode.correctable else rhythm.report_every)
