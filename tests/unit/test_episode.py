"""The rhythm: what one Revision's reports say, and when, driven as the ledger drives it."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, pairwise
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wakequeue.cluster.knowledge import Readiness
from wakequeue.episode import Ending, Episode, Phase, Report, Rhythm, Step, decide, rest

#: The default settings.
RHYTHM: Final = Rhythm(
    waking_for=3.0, report_every=1.0, correct_after=0.2, awake_concurrency=0.001, patience=15.0, unwoken_after=120.0
)
IDLE_AFTER: Final = 5.0
#: A Unix time at the beginning of a second, in milliseconds, which is the ledger's unit.
START: Final = 1_700_000_000_000


@dataclass(frozen=True, slots=True)
class Arrival:
    """So many calls, at a time in milliseconds."""

    at: int
    calls: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A report, when it was made, and the calls that had arrived by then."""

    at: int
    phase: Phase
    report: Report
    arrived: int
    first: bool


@dataclass(frozen=True, slots=True)
class Stepped:
    """A step, when it was made, of which episode, and what was known of readiness."""

    at: int
    before: Episode
    readiness: Readiness | None
    step: Step


@dataclass(slots=True)
class Hash:
    """What the ledger keeps of one Revision; times in milliseconds."""

    episode: Episode = field(default_factory=Episode)
    calls: int = 0
    waiting: int = 0
    ready_at: int = 0
    first_call: int | None = None
    due_at: int | None = None
    forgotten_at: int | None = None


class Ledger:
    """The ledger's verbs on one Revision, in memory: *record* makes it due, *take* and *settle* are one step."""

    def __init__(self, rhythm: Rhythm, idle_after: float, known: Sequence[tuple[int, bool | None]] = ()) -> None:
        self.rhythm, self.idle_after = rhythm, milliseconds(idle_after)
        self.known = known
        self.hash = Hash()
        self.arrived = 0
        self.last_call = 0
        self.sent: list[Sent] = []
        self.steps: list[Stepped] = []

    def readiness(self, at: int) -> Readiness | None:
        """Return what is known at a time: what was said last, for how long."""
        since, ready = next(((since, ready) for since, ready in reversed(self.known) if since <= at), (at, None))
        return None if ready is None else Readiness(ready, (at - since) / 1000)

    def record(self, arrival: Arrival) -> None:
        """Take calls in: those that find the Revision awake don't wait."""
        if self.hash.forgotten_at is not None and arrival.at >= self.hash.forgotten_at:
            self.hash = Hash()
        state = self.hash
        state.forgotten_at = None
        state.calls += arrival.calls
        state.first_call = arrival.at if state.first_call is None else state.first_call
        readiness = self.readiness(arrival.at)
        awake = state.episode.phase(arrival.at / 1000, self.rhythm) == "awake" if readiness is None else readiness.ready
        if not awake:
            state.waiting += arrival.calls
        due_at = max(arrival.at, state.ready_at)
        state.due_at = due_at if state.due_at is None else min(due_at, state.due_at)
        self.arrived += arrival.calls
        self.last_call = arrival.at

    def step(self, at: int) -> None:
        """Report what is due."""
        state, now = self.hash, at / 1000
        readiness = self.readiness(at)
        step = decide(
            state.episode,
            calls=state.calls,
            waiting=state.waiting,
            waited=(at - state.first_call) / 1000 if self.known and state.first_call is not None else 0.0,
            quiet=(at - self.last_call) / 1000,
            now=now,
            rhythm=self.rhythm,
            readiness=readiness,
        )
        self.steps.append(Stepped(at, state.episode, readiness, step))
        if step.report is not None:
            first = state.episode.first_report is None
            self.sent.append(Sent(at, step.phase, step.report, self.arrived, first))
        state.episode, state.calls, state.ready_at = step.episode, 0, milliseconds(step.ready_at)
        state.first_call, state.waiting = None, state.waiting - step.gone
        state.due_at = None if step.repeat_at is None else milliseconds(step.repeat_at)
        if state.due_at is None:
            state.forgotten_at = max(at, self.last_call) + self.idle_after


def milliseconds(seconds: float) -> int:
    """Return the ledger's unit of time."""
    return round(seconds * 1000)


def simulate(
    arrivals: Iterable[Arrival], lateness: Sequence[int] = (0,), rhythm: Rhythm = RHYTHM, idle_after: float = IDLE_AFTER
) -> list[Sent]:
    """Let calls arrive, take each step when it is due and somewhat late, until all is quiet; return the reports."""
    return follow(arrivals, lateness, Ledger(rhythm, idle_after)).sent


def follow(arrivals: Iterable[Arrival], lateness: Sequence[int], ledger: Ledger) -> Ledger:
    """Do so with this ledger."""
    waiting, late = sorted(arrivals, key=lambda arrival: arrival.at), cycle(lateness)
    lag = next(late)
    while waiting or ledger.hash.due_at is not None:
        due_at = ledger.hash.due_at
        if due_at is None or (waiting and waiting[0].at <= due_at + lag):
            ledger.record(waiting.pop(0))
        else:
            ledger.step(due_at + lag)
            lag = next(late)
    return ledger


def by_second(sent: Iterable[Sent]) -> dict[int, float]:
    """Sum concurrencies by second, as the Autoscaler does."""
    seconds: dict[int, float] = defaultdict(float)
    for one in sent:
        seconds[one.at // 1000] += one.report.concurrency
    return dict(seconds)


def burst(calls: int, *, at: int = 0, within: int = 0) -> list[Arrival]:
    """Return `calls` calls, one by one and evenly, over `within` milliseconds."""
    return [Arrival(START + at + within * one // max(calls - 1, 1), 1) for one in range(calls)]


def as_written(sent: Iterable[Sent]) -> list[tuple[int, float, int]]:
    """Return reports as (milliseconds since START, concurrency, requests)."""
    return [(one.at - START, one.report.concurrency, one.report.requests) for one in sent]


# Arrivals near each other and far apart, from any place within a second.
arrivals_of_a_day = st.lists(
    st.tuples(st.integers(0, 300) | st.integers(0, 2_000) | st.integers(0, 12_000), st.integers(1, 600)), min_size=1, max_size=60
).map(lambda gaps: [Arrival(START + sum(gap for gap, _ in gaps[: number + 1]), calls) for number, (_, calls) in enumerate(gaps)])
lateness_of_steps = st.lists(st.integers(0, 30) | st.integers(0, 4_000), min_size=1, max_size=10)


def rhythms(*, original_style: bool = False) -> st.SearchStrategy[tuple[Rhythm, float]]:
    """Any rhythm that the settings allow, with its `idle_after`; whole milliseconds."""

    def ordered(correct: int, longer: int, idle: int, waking: int) -> tuple[Rhythm, float]:
        report = correct + longer
        return Rhythm(waking / 1000, report / 1000, correct / 1000, 0.001, 15.0, 120.0, original_style), (report + idle) / 1000

    return st.builds(ordered, *(st.integers(1, most) for most in (900, 2_000, 5_000, 10_000)))


any_rhythm = st.just((RHYTHM, IDLE_AFTER)) | rhythms()


# What holds for all calls, at all times.


@given(arrivals_of_a_day, lateness_of_steps, any_rhythm | rhythms(original_style=True))
def test_reports_keep_their_distance(arrivals: list[Arrival], lateness: list[int], chosen: tuple[Rhythm, float]) -> None:
    """Two reports are `report_every` apart, but for the one correction, with new calls, of an episode's first report."""
    rhythm, idle_after = chosen
    for before, after in pairwise(simulate(arrivals, lateness, rhythm, idle_after)):
        apart = after.at - before.at
        if apart < milliseconds(rhythm.report_every):
            assert before.first
            assert apart >= milliseconds(rhythm.correct_after)
            assert after.arrived > before.arrived


@given(arrivals_of_a_day, lateness_of_steps, any_rhythm)
def test_each_call_is_reported_once(arrivals: list[Arrival], lateness: list[int], chosen: tuple[Rhythm, float]) -> None:
    """The requests reported are never more than the calls made, and once all is quiet as many."""
    sent = simulate(arrivals, lateness, *chosen)
    reported = 0
    for one in sent:
        reported += one.report.requests
        assert reported <= one.arrived
    assert reported == sum(arrival.calls for arrival in arrivals)


@given(arrivals_of_a_day, lateness_of_steps, any_rhythm)
def test_a_report_always_says_something_finite(arrivals: list[Arrival], lateness: list[int], chosen: tuple[Rhythm, float]) -> None:
    """Concurrency is above zero and finite, and requests are never negative: NaN and negative values harm the Autoscaler."""
    for one in simulate(arrivals, lateness, *chosen):
        assert math.isfinite(one.report.concurrency)
        assert one.report.concurrency > 0
        assert one.report.requests >= 0


@given(arrivals_of_a_day, lateness_of_steps, any_rhythm)
def test_an_awake_revision_is_not_scaled_by_us(arrivals: list[Arrival], lateness: list[int], chosen: tuple[Rhythm, float]) -> None:
    """A report of an awake Revision has new calls, and the concurrency that weighs nothing."""
    for one in simulate(arrivals, lateness, *chosen):
        if one.phase == "awake":
            assert one.report.concurrency == chosen[0].awake_concurrency
            assert one.report.requests > 0


@given(arrivals_of_a_day, lateness_of_steps, rhythms(original_style=True))
def test_the_original_style_is_always_one_and_one(
    arrivals: list[Arrival], lateness: list[int], chosen: tuple[Rhythm, float]
) -> None:
    """As the adapter of 2019 did, each report says concurrency 1 and one request."""
    sent = simulate(arrivals, lateness, *chosen)
    assert {one.report for one in sent} == {Report(1.0, 1)}


@given(arrivals_of_a_day, lateness_of_steps)
def test_while_waking_a_report_comes_each_second(arrivals: list[Arrival], lateness: list[int]) -> None:
    """For `waking_for` after a first report no gap between reports is longer than `report_every` and a step's lateness."""
    sent = simulate(arrivals, lateness)
    for number, first in enumerate(sent):
        if not first.first:
            continue
        episode = [first, *(one for one in sent[number + 1 :] if one.at < first.at + 3_000)]
        for before, after in pairwise(episode):
            assert after.at - before.at <= 1_000 + max(lateness)
        assert episode[-1].at + 1_000 + max(lateness) >= first.at + 3_000


@given(
    start=st.integers(0, 999),
    offsets=st.lists(st.integers(0, 200), max_size=500),
    first_late=st.integers(0, 1_000),
    late=st.lists(st.integers(0, 900), min_size=1, max_size=5),
)
@example(start=0, offsets=[200] * 499, first_late=0, late=[0])
@example(start=900, offsets=[100] * 499, first_late=0, late=[0])
@example(start=799, offsets=[200] * 499, first_late=0, late=[0])
def test_a_burst_is_reported_whole(start: int, offsets: list[int], first_late: int, late: list[int]) -> None:
    """All calls within `correct_after` of the first: from the second of the last new one on, each second sums to them all."""
    arrivals = [Arrival(START + start + offset, 1) for offset in (0, *offsets)]
    sent = simulate(arrivals, [first_late, *late])
    whole = next(one for one in sent if one.arrived == len(arrivals))
    assert sent.index(whole) <= 1
    seconds = by_second(one for one in sent if one.phase != "awake")
    for second, concurrency in seconds.items():
        if second >= whole.at // 1000:
            assert concurrency == len(arrivals)
        else:
            assert concurrency <= len(arrivals)


# Examples.


def test_one_call_is_reported_at_once_and_repeated() -> None:
    """A single call is (1, 1) at once, then (1, 0) each second of waking, then silence."""
    assert as_written(simulate(burst(1))) == [(0, 1.0, 1), (1000, 1.0, 0), (2000, 1.0, 0)]


def test_the_activators_own_sequence() -> None:
    """Of 20 callers the activator says (1, 1), what it left out, then (20, 0) each second; we correct within the same second."""
    sent = simulate(burst(20, within=150))
    assert as_written(sent) == [(0, 1.0, 1), (200, 19.0, 19), (1200, 20.0, 0), (2200, 20.0, 0)]
    assert set(by_second(sent).values()) == {20.0}


def test_a_correction_in_the_next_second_is_whole() -> None:
    """The Autoscaler's sum of a new second has nothing of the last one, so the correction leaves nothing out of it."""
    assert as_written(simulate(burst(20, at=900, within=150)))[:2] == [(900, 1.0, 1), (1100, 20.0, 19)]


def test_a_burst_that_came_before_the_first_report_is_in_it() -> None:
    """The first report names all the calls so far, as callers and as requests."""
    assert as_written(simulate(burst(500, within=50), lateness=[60]))[0] == (60, 500.0, 500)


def test_there_is_one_correction() -> None:
    """Calls after the correction wait for the next report, a whole second later."""
    arrivals = [Arrival(START + at, 10) for at in (0, 100, 250, 1_150, 1_250)]
    assert as_written(simulate(arrivals)) == [(0, 10.0, 10), (200, 10.0, 10), (1200, 40.0, 20), (2200, 50.0, 10)]


def test_a_correction_may_come_late_in_its_second() -> None:
    """Calls that come long after the first report are its correction all the same, and move the rhythm."""
    arrivals = [Arrival(START, 1), Arrival(START + 700, 4)]
    assert as_written(simulate(arrivals)) == [(0, 1.0, 1), (700, 4.0, 4), (1700, 5.0, 0), (2700, 5.0, 0)]


def test_warm_traffic_is_one_small_report_a_second() -> None:
    """A call each 100 ms: once the Revision is awake, one report a second of 10 requests and no weight."""
    sent = simulate(burst(101, within=10_000))
    awake = [one for one in sent if one.phase == "awake"]
    assert {(one.report.concurrency, one.report.requests) for one in awake[1:-1]} == {(0.001, 10)}
    assert [one.phase for one in sent[:4]] == ["asleep", "waking", "waking", "waking"]


def test_a_revision_that_slept_wakes_again() -> None:
    """After `idle_after` without calls the first call is an episode's first again; before, it is a call of an awake Revision."""
    asleep = simulate([*burst(1), *burst(1, at=3_000 + 5_000)])
    assert as_written(asleep)[3:] == [(8000, 1.0, 1), (9000, 1.0, 0), (10_000, 1.0, 0)]
    awake = simulate([*burst(1), *burst(1, at=6_999)])
    assert as_written(awake)[3:] == [(6999, 0.001, 1)]


def test_the_original_style_keeps_the_rhythm() -> None:
    """Only the numbers are the original's; they come when the activator's would."""
    original = replace(RHYTHM, original_style=True)
    assert as_written(simulate(burst(20, within=150), rhythm=original)) == [(at, 1.0, 1) for at in (0, 200, 1200, 2200)]


# One step.


@pytest.mark.parametrize(
    ("now", "phase"), [(99.0, "waking"), (100.0, "waking"), (102.999, "waking"), (103.0, "awake"), (1000.0, "awake")]
)
def test_the_phase_follows_from_the_first_report(now: float, phase: Phase) -> None:
    """A Revision wakes for `waking_for` from its first report on, and is awake from then on, once its repeats are made."""
    for last_report in (102.0, 102.5, 103.0):
        assert Episode(100.0, last_report, 1.0).phase(now, RHYTHM) == phase
    assert Episode().phase(now, RHYTHM) == "asleep"


def test_only_a_first_report_is_correctable() -> None:
    """The correction is to be had between the first report and the next."""
    assert not Episode().correctable
    assert Episode(100.0, 100.0, 1.0).correctable
    assert not Episode(100.0, 100.2, 1.0).correctable


@pytest.mark.parametrize(("calls", "waiting"), [(0, 0), (0, 7), (1, 1), (3, 20)])
@pytest.mark.parametrize("now", [101.5, 102.999])
def test_a_waking_step_always_reports(calls: int, waiting: int, now: float) -> None:
    """While waking there is a report with the callers that wait, new calls or not."""
    step = decide(Episode(100.0, 100.4, 20.0), calls=calls, waiting=waiting, waited=0.0, now=now, rhythm=RHYTHM)
    assert step.report == Report(max(float(waiting), 0.001), calls)
    assert step.phase == "waking"
    assert step.ready_at == now + 1.0


@pytest.mark.parametrize(("now", "repeat_at"), [(101.5, 102.5), (101.999, 102.999), (102.0, None), (102.5, None), (110.0, None)])
def test_it_repeats_while_the_next_report_is_still_waking(now: float, repeat_at: float | None) -> None:
    """A repeat is planned where the Revision will still be waking by then."""
    step = decide(Episode(100.0, 100.4, 20.0), calls=1, waiting=21, waited=0.0, now=now, rhythm=RHYTHM)
    assert step.repeat_at == pytest.approx(repeat_at)


def test_an_awake_step_without_calls_says_nothing() -> None:
    """A repeat that was taken too late finds the Revision awake: no report, nothing planned, nothing forgotten."""
    episode = Episode(100.0, 102.0, 20.0)
    assert decide(episode, calls=0, waiting=20, waited=0.0, now=103.5, rhythm=RHYTHM) == Step("awake", None, episode, 103.0, None)


def test_a_first_report_without_callers_still_wakes() -> None:
    """Concurrency 0 would wake nothing, so even calls of which nobody waits any more are reported with a little."""
    step = decide(Episode(), calls=3, waiting=0, waited=0.0, now=100.0, rhythm=RHYTHM)
    assert step == Step("asleep", Report(0.001, 3), Episode(100.0, 100.0, 0.001, waking_since=100.0), 100.2, 101.0)


def test_nothing_is_left_to_correct() -> None:
    """A report in the same second whose callers were all named weighs nothing, and is not negative."""
    for waiting in (0, 5, 20):
        step = decide(Episode(100.0, 100.0, 20.0), calls=1, waiting=waiting, waited=0.0, now=100.4, rhythm=RHYTHM)
        assert step.report == Report(0.001, 1)


def test_a_repeat_that_is_late_is_made_all_the_same() -> None:
    """While the Autoscaler was away the waking lasts: on its return it hears of the callers, and not that all is warm."""
    step = decide(Episode(100.0, 101.0, 500.0), calls=0, waiting=500, waited=0.0, now=107.0, rhythm=RHYTHM)
    assert (step.phase, step.report, step.repeat_at) == ("waking", Report(500.0, 0), None)
    after = decide(step.episode, calls=2, waiting=502, waited=0.5, now=108.0, rhythm=RHYTHM)
    assert (after.phase, after.report) == ("awake", Report(0.001, 2))


@pytest.mark.parametrize(("waited", "concurrency"), [(0.0, 600.0), (15.0, 600.0), (30.0, 300.0), (600.0, 15.0)])
def test_callers_lose_patience(waited: float, concurrency: float) -> None:
    """Of calls that could not be reported for long only those of the last `patience` seconds still wait; all are requests."""
    step = decide(Episode(), calls=600, waiting=600, waited=waited, now=100.0, rhythm=RHYTHM)
    assert step.report == Report(concurrency, 600)
    assert step.gone == 600 - concurrency


# Requests that are known to wait.


def waking_with(
    known: int, *, at: float, last_wait: float, first: float = 0.0, last: float = 0.0, concurrency: float = 0.0
) -> Step:
    """Return the step at a time, in seconds since START, of a Revision that so many requests wait for."""
    start = START / 1000
    episode = Episode(start + first, start + last, concurrency, start + last_wait)
    return decide(episode, calls=0, waiting=0, waited=0.0, now=start + at, rhythm=RHYTHM, known=known)


def test_known_requests_are_concurrency() -> None:
    """They are added to the callers that are thought to wait, from the first report on."""
    step = decide(Episode(), calls=5, waiting=2, waited=0.0, now=START / 1000, rhythm=RHYTHM, known=3)
    assert step.report == Report(5.0, 5)


@pytest.mark.parametrize("at", [3.5, 10.0, 100.0])
def test_the_waking_goes_on_while_a_request_is_known_to_wait(at: float) -> None:
    """However long the cold start takes, a report each second has the requests that wait now."""
    step = waking_with(7, at=at, last_wait=at - 0.4, last=at - 1.0, concurrency=9.0)
    assert (step.phase, step.report) == ("waking", Report(7.0, 0))


def test_the_waking_is_over_once_none_is_heard_of() -> None:
    """`report_every` after the last attempt the Revision is awake, and without calls there is nothing to say."""
    step = waking_with(0, at=10.0, last_wait=8.9, last=9.5)
    assert (step.phase, step.report) == ("awake", None)


def test_an_awake_revision_that_a_request_waits_for_is_waking_again() -> None:
    """It has gone to zero behind our back: what waits is reported in full, not as warm traffic."""
    step = waking_with(1, at=60.0, last_wait=60.0, last=59.0, concurrency=0.001)
    assert (step.phase, step.report) == ("waking", Report(1.0, 0))


def test_known_requests_in_the_same_second_are_told_once() -> None:
    """The Autoscaler adds up what one second brings: a correction has what the report before left out."""
    step = waking_with(10, at=0.3, last_wait=0.3, concurrency=4.0)
    assert step.report == Report(6.0, 0)


def test_known_requests_lose_no_patience() -> None:
    """Those that are thought to wait are fewer after `patience`; those that are known to are not."""
    step = decide(Episode(), calls=10, waiting=10, waited=30.0, now=START / 1000, rhythm=RHYTHM, known=4)
    assert step.report == Report(9.0, 10)
    assert step.gone == 5


def test_when_a_request_last_waited_is_kept() -> None:
    """A step changes what was reported, not what is known."""
    assert waking_with(1, at=1.0, last_wait=0.9).episode.last_wait == START / 1000 + 0.9


# Readiness.


@st.composite
def followed(draw: st.DrawFn) -> Ledger:
    """Calls, what is known of readiness meanwhile, and any rhythm with a deadline: all steps that follow."""
    rhythm, idle_after = draw(any_rhythm)
    rhythm = replace(rhythm, unwoken_after=draw(st.integers(1, 15_000)) / 1000)
    known = draw(st.lists(st.tuples(st.integers(0, 20_000), st.sampled_from([True, False, False, None])), min_size=1, max_size=8))
    ledger = Ledger(rhythm, idle_after, [(START + at, ready) for at, ready in sorted(known, key=lambda one: one[0])])
    return follow(draw(arrivals_of_a_day), draw(lateness_of_steps), ledger)


@given(followed())
def test_reports_keep_their_distance_whatever_is_ready(ledger: Ledger) -> None:
    """Two reports are `report_every` apart; a report that is less so is a correction, and the one before it is none."""
    apart = [after.at - before.at for before, after in pairwise(ledger.sent)]
    close = [one < milliseconds(ledger.rhythm.report_every) for one in apart]
    assert not any(before and after for before, after in pairwise(close))
    assert min(apart, default=1_000_000) >= milliseconds(ledger.rhythm.correct_after)


@given(followed())
def test_readiness_comes_before_the_times(ledger: Ledger) -> None:
    """What is ready is awake, and is repeated to nobody; what is at zero never is, and is repeated while its waking is open."""
    for one in ledger.steps:
        if one.readiness is not None and one.readiness.ready:
            assert (one.step.phase, one.step.repeat_at) == ("awake", None)
            assert one.step.report is None or one.step.report.concurrency == ledger.rhythm.awake_concurrency
        elif one.readiness is not None:
            assert one.step.phase != "awake"
            assert (one.step.repeat_at is None) == (one.step.report is None)


@given(followed())
def test_each_waking_ends_once(ledger: Ledger) -> None:
    """By what is known then, no sooner than its first call, and no later than when all is quiet."""
    for one in ledger.steps:
        before, after, ending = one.before.waking_since, one.step.episode.waking_since, one.step.ending
        if ending is None:
            assert before in {None, after}
            continue
        expected = {None: "reported", True: "woken", False: "unwoken"}[one.readiness and one.readiness.ready]
        assert ending.outcome == expected
        assert ending.since <= ending.at <= one.at / 1000
        assert before in {None, ending.since}
        if before is None or expected != "unwoken":
            assert after is None
        elif after is not None:
            assert one.step.report is not None
            assert one.step.report.requests > 0
    assert ledger.hash.episode.waking_since is None


@given(followed())
def test_each_call_is_reported_once_whatever_is_ready(ledger: Ledger) -> None:
    """No ending has a call go unreported."""
    assert sum(one.report.requests for one in ledger.sent) == ledger.arrived


def known_to_be(*changes: tuple[int, bool | None]) -> Ledger:
    """A ledger beside a cluster of which this becomes known, at milliseconds since START."""
    return Ledger(RHYTHM, IDLE_AFTER, [(START + at, ready) for at, ready in changes])


def endings(ledger: Ledger) -> list[tuple[str, int, int]]:
    """Return each ending with its first call and its time, in milliseconds since START."""
    found = [one.step.ending for one in ledger.steps if one.step.ending is not None]
    return [(one.outcome, milliseconds(one.since) - START, milliseconds(one.at) - START) for one in found]


def test_readiness_ends_a_waking() -> None:
    """Ready after 1.4 s: the next repeat isn't made, and the waking ended when that was seen."""
    ledger = follow(burst(3), (0,), known_to_be((0, False), (1_400, True)))
    assert as_written(ledger.sent) == [(0, 3.0, 3), (1000, 3.0, 0)]
    assert endings(ledger) == [("woken", 0, 1_400)]


def test_a_waking_lasts_until_it_is_ready() -> None:
    """A cold start of 20 s is repeated each second, with the callers for as long as they have patience, then for one pod."""
    ledger = follow(burst(5), (0,), known_to_be((0, False), (20_500, True)))
    assert as_written(ledger.sent)[1:] == [(at, 5.0 if at <= 15_000 else 0.001, 0) for at in range(1_000, 21_000, 1_000)]
    assert endings(ledger) == [("woken", 0, 20_500)]


def test_a_waking_that_is_never_ready_is_unwoken() -> None:
    """After `unwoken_after` it is repeated no more, and the Revision is asleep: the next call wakes it anew."""
    ledger = follow([*burst(1), *burst(1, at=121_000)], (0,), known_to_be((0, False)))
    assert [one.at - START for one in ledger.sent if one.phase == "asleep"] == [0, 121_000]
    assert endings(ledger) == [("unwoken", 0, 120_000), ("unwoken", 121_000, 241_000)]


def test_a_call_in_hand_outlives_the_waking() -> None:
    """A call that comes with the deadline is reported, and begins a waking of its own."""
    ledger = follow([*burst(1), *burst(1, at=119_500)], (0,), known_to_be((0, False), (120_500, True)))
    assert endings(ledger) == [("unwoken", 0, 120_000), ("woken", 119_500, 120_500)]
    (second,) = (one for one in ledger.sent if one.at == START + 120_000)
    assert (second.phase, second.report.requests) == ("asleep", 1)


def test_a_request_that_is_known_to_wait_outlives_the_waking() -> None:
    """It is in hand as a call is."""
    episode = Episode(100.0, 219.0, 1.0, last_wait=219.5, waking_since=100.0)
    at_zero = Readiness(ready=False, seconds=120.0)
    step = decide(episode, calls=0, waiting=0, waited=0.0, now=220.0, rhythm=RHYTHM, known=2, readiness=at_zero)
    assert (step.report, step.ending, step.episode.waking_since) == (Report(2.0, 0), Ending("unwoken", 100.0, 220.0), 220.0)


def test_an_outage_is_no_unwoken_waking() -> None:
    """Where the first report came late because the Autoscaler was away, the deadline counts from there."""
    at_zero = Readiness(ready=False, seconds=1_000.0)
    first = decide(Episode(), calls=1, waiting=1, waited=200.0, now=300.0, rhythm=RHYTHM, quiet=200.0, readiness=at_zero)
    assert first.episode.waking_since == 100.0
    for now, outcome in ((301.0, None), (419.9, None), (420.0, "unwoken")):
        step = decide(first.episode, calls=0, waiting=0, waited=0.0, now=now, rhythm=RHYTHM, quiet=now - 100, readiness=at_zero)
        assert (step.ending and step.ending.outcome) == outcome


def test_a_second_waking_has_its_time_too() -> None:
    """After one of which a single report was made, for the Autoscaler was away: calls since then have a deadline of their own."""
    at_zero = Readiness(ready=False, seconds=0.0)
    alone = Episode(100.0, 100.0, 1.0, waking_since=100.0)
    second = decide(alone, calls=100, waiting=100, waited=123.0, now=225.0, rhythm=RHYTHM, quiet=1.0, readiness=at_zero)
    assert (second.ending and second.ending.outcome, second.repeat_at) == ("unwoken", 226.0)
    for now, outcome in ((226.0, None), (344.9, None), (345.0, "unwoken")):
        step = decide(second.episode, calls=0, waiting=9, waited=0.0, now=now, rhythm=RHYTHM, quiet=now - 224, readiness=at_zero)
        assert (step.ending and step.ending.outcome) == outcome


def test_at_zero_the_times_do_not_make_it_awake() -> None:
    """A call within `idle_after` of the last one, of a Revision that has gone to zero, begins a waking."""
    ledger = follow([*burst(1), *burst(1, at=4_000)], (0,), known_to_be((0, True), (3_000, False), (5_200, True)))
    assert [(one.at - START, one.phase) for one in ledger.sent] == [(0, "awake"), (4_000, "asleep"), (5_000, "waking")]
    assert endings(ledger) == [("woken", 4_000, 5_200)]


def test_a_ready_revision_is_not_woken() -> None:
    """Its first call weighs nothing, needs no correction, and opens no waking."""
    ledger = follow(burst(20, within=150), (0,), known_to_be((0, True)))
    assert as_written(ledger.sent) == [(0, 0.001, 1), (1000, 0.001, 19)]
    assert endings(ledger) == []


def test_without_access_a_waking_ends_with_its_repeats() -> None:
    """The times are all that there is: it ends with the last repeat."""
    ledger = follow(burst(1), (0,), known_to_be((0, None)))
    assert as_written(ledger.sent) == [(0, 1.0, 1), (1000, 1.0, 0), (2000, 1.0, 0)]
    assert endings(ledger) == [("reported", 0, 2_000)]


def test_callers_of_a_long_waking_give_up_as_they_came() -> None:
    """Ten calls a second for a minute: never many more are reported than came within `patience`."""
    ledger = follow(burst(600, within=60_000), (0,), known_to_be((0, False)))
    assert max(one.report.concurrency for one in ledger.sent) <= 15 * 10 * 1.1
    assert min(one.report.concurrency for one in ledger.sent if 16_000 <= one.at - START <= 60_000) >= 15 * 10 * 0.9


@pytest.mark.parametrize(
    ("readiness", "ending"),
    [
        (None, Ending("reported", 90.0, 400.0)),
        (Readiness(ready=False, seconds=500.0), Ending("unwoken", 90.0, 400.0)),
        (Readiness(ready=True, seconds=5.0), Ending("woken", 90.0, 395.0)),
        (Readiness(ready=True, seconds=500.0), Ending("woken", 90.0, 90.0)),
    ],
)
def test_a_waking_that_is_left_alone_ends(readiness: Readiness | None, ending: Ending) -> None:
    """Where there is nothing to say any more, an open waking ends by what is known."""
    step = rest(Episode(100.0, 101.0, 1.0, waking_since=90.0), now=400.0, rhythm=RHYTHM, readiness=readiness)
    assert (step.report, step.repeat_at, step.ready_at, step.ending) == (None, None, 102.0, ending)
    assert step.episode.waking_since is None
