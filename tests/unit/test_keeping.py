"""Keeping warm: what is reported has the Autoscaler keep so many pods, and no more, however unevenly the reports come."""

import math
from collections import defaultdict
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wakequeue.cluster.knowledge import Readiness, Scaling
from wakequeue.episode import Episode, Keep, Report, Step, decide
from wakequeue.settings import Settings
from workers.keeping import keep_of

SETTINGS = Settings()
RHYTHM = SETTINGS.rhythm
NOON = 1_700_000_000.0
READY, AT_ZERO = Readiness(ready=True, seconds=99.0), Readiness(ready=False, seconds=0.0)


def kept_step(episode: Episode, now: float, keep: Keep | None, calls: int = 0, readiness: Readiness | None = None) -> Step:
    """The next step of a Revision whose calls find it awake."""
    return decide(
        episode, calls=calls, waiting=0, waited=0.0, now=now, rhythm=RHYTHM, quiet=9_999.0, readiness=readiness, keep=keep
    )


def reports(keep: Keep, lateness: Sequence[float]) -> dict[int, list[Report]]:
    """The reports of a Revision that is kept warm from `NOON` on, by the second, each so late."""
    by_second: dict[int, list[Report]] = defaultdict(list)
    episode, now = Episode(), NOON
    for late in lateness:
        step = kept_step(episode, now, keep, calls=not by_second)
        assert step.report is not None
        assert step.repeat_at is not None
        by_second[math.floor(now)].append(step.report)
        episode, now = step.episode, step.repeat_at + late
    return by_second


def wanted(of: list[float], window: int, per_pod: float) -> list[int]:
    """The pods that the Autoscaler wants at each second, by the average of a window; see `knative.dev/serving` aggregation."""
    averages = [sum(of[max(0, end - window) : end]) / min(end, window) for end in range(2, len(of))]
    return [math.ceil(average / per_pod) for average in averages]


lateness = st.lists(st.floats(0.0, 0.12), min_size=30, max_size=120)


@given(
    pods=st.integers(1, 20), lateness=lateness, scaling=st.sampled_from([None, Scaling("concurrency", 0.7), Scaling("rps", 140)])
)
@example(pods=20, lateness=[0.1] * 120, scaling=None)
def test_so_many_pods_are_wanted_and_no_more(pods: int, lateness: list[float], scaling: Scaling | None) -> None:
    """Over the stable window of a minute, though reports come up to an eighth of a second late; nearly so until it is full."""
    keep = keep_of(pods, scaling, SETTINGS)
    by_second = reports(keep, lateness)
    rps = scaling is not None and scaling.metric == "rps"
    said = [
        sum(one.requests if rps else one.concurrency for one in by_second[second])
        for second in range(math.floor(NOON), max(by_second) + 1)
    ]
    per_pod = scaling.per_pod if scaling else SETTINGS.callers_per_pod
    counts = wanted(said, 60, per_pod)
    assert set(counts[60:]) <= {pods}
    assert all(pods * 0.85 <= count <= pods * 1.15 + 1 for count in counts)


def test_one_pod_is_kept_by_next_to_nothing() -> None:
    """It adds nothing to what the Revision's callers are worth, whatever one pod is to have."""
    assert keep_of(1, None, SETTINGS) == keep_of(1, Scaling("concurrency", 9.0), SETTINGS) == Keep(0.001)


@pytest.mark.parametrize(
    ("pods", "scaling", "keep"),
    [
        (3, None, Keep(175.0)),
        (3, Scaling("concurrency", 7.0), Keep(17.5)),
        (1, Scaling("rps", 140.0), Keep(0.001, 1.0)),
        (2, Scaling("rps", 140.0), Keep(0.001, 210.0)),
    ],
)
def test_what_keeps_so_many_pods(pods: int, scaling: Scaling | None, keep: Keep) -> None:
    """Half a pod less than them, by what the Revision is scaled by; by the setting where that isn't known."""
    assert keep_of(pods, scaling, SETTINGS) == keep


def test_callers_that_wait_are_reported_if_they_are_more() -> None:
    """A Revision that is kept with two pods, and called by a thousand, is scaled for the thousand."""
    step = decide(Episode(), calls=1_000, waiting=1_000, waited=0.0, now=NOON, rhythm=RHYTHM, keep=Keep(105.0))
    assert step.report == Report(1_000.0, 1_000)


@pytest.mark.parametrize("readiness", [None, READY])
def test_an_awake_revision_is_reported_while_it_is_kept(readiness: Readiness | None) -> None:
    """Without any call, a second later again; once it is kept no longer there is nothing to say."""
    awake = Episode(NOON - 60, NOON - 1, 0.001)
    step = kept_step(awake, NOON, Keep(0.001), readiness=readiness)
    assert (step.phase, step.report, step.repeat_at, step.ending) == ("awake", Report(0.001, 0), NOON + 1, None)
    over = kept_step(step.episode, NOON + 1, None, readiness=readiness)
    assert (over.report, over.repeat_at) == (None, None)


def test_a_revision_that_goes_to_zero_while_it_is_kept_is_woken_again() -> None:
    """A waking begins without a call; one that is not ready in time is unwoken, and another begins."""
    step = kept_step(Episode(NOON - 60, NOON - 1, 0.001), NOON, Keep(0.001), readiness=AT_ZERO)
    assert (step.phase, step.episode.waking_since, step.repeat_at) == ("asleep", NOON, NOON + 1)
    late = kept_step(step.episode, NOON + 120, Keep(0.001), readiness=AT_ZERO)
    assert late.ending is not None
    assert (late.ending.outcome, late.episode.waking_since, late.repeat_at) == ("unwoken", NOON + 120, NOON + 121)
    woken = kept_step(late.episode, NOON + 121, Keep(0.001), readiness=Readiness(ready=True, seconds=0.5))
    assert woken.ending is not None
    assert (woken.ending.outcome, woken.repeat_at) == ("woken", NOON + 122)


def test_a_report_after_a_long_silence_stands_for_two_reports_at_most() -> None:
    """The Autoscaler was away: what it missed is not made up, for it would be too much at once."""
    step = kept_step(Episode(NOON - 600, NOON - 300, 105.0), NOON, Keep(105.0))
    assert step.report == Report(210.0, 0)
