"""The stand-in Autoscaler's scale: Knative's sum within a second, average over the window, and target."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakequeue.revision import Revision
from wakequeue.standin import Scale
from wakequeue.stat import StatMessage

HELLO = Revision("default", "hello-00001")
NOW = 1_700_000_000.0


def pods(scale: Scale, concurrency: float, after: float = 0.0, revision: Revision = HELLO) -> int:
    """Return the pods that a Revision should have once it reported a concurrency, `after` seconds after NOW."""
    return scale.add(StatMessage(revision, "activator-1", concurrency, 1), NOW + after)


@pytest.mark.parametrize(
    ("concurrency", "expected"), [(0.0, 0), (0.001, 1), (1.0, 1), (70.0, 1), (70.001, 2), (140.0, 2), (500.0, 8), (10_000.0, 143)]
)
def test_one_stat_decides_at_once(concurrency: float, expected: int) -> None:
    """From zero, one stat gives its concurrency divided by the target, rounded up; 0 wakes nothing."""
    assert pods(Scale(), concurrency) == expected


def test_values_of_one_second_are_summed() -> None:
    """A report and its correction within a second of the clock count as one, whoever sent them."""
    scale = Scale()
    assert pods(scale, 1.0, 0.0) == 1
    assert pods(scale, 499.0, 0.999) == 8
    assert pods(scale, 500.0, 1.0) == 8


def test_values_of_several_seconds_are_averaged() -> None:
    """The average is over all seconds from the first value to the last, those without a value too."""
    scale = Scale()
    assert pods(scale, 700.0) == 10
    assert pods(scale, 0.001, 1.0) == math.ceil(700.001 / 2 / 70)
    assert pods(scale, 0.001, 9.0) == math.ceil(700.002 / 10 / 70) == 2


def test_a_burst_keeps_its_pods_while_it_wakes() -> None:
    """The rhythm's reports of a burst of 500, (1), (499), (500), (500), all mean the same 8 pods."""
    scale = Scale()
    assert pods(scale, 1.0, 0.0) == 1
    assert [pods(scale, concurrency, after) for concurrency, after in ((499.0, 0.2), (500.0, 1.2), (500.0, 2.2))] == [8, 8, 8]


def test_warm_traffic_never_adds_a_pod() -> None:
    """The awake concurrency each second neither raises the scale nor lets it fall to zero."""
    scale = Scale()
    assert {pods(scale, 0.001, second) for second in range(200)} == {1}


def test_a_value_leaves_with_the_stable_window() -> None:
    """A value counts for the 60 seconds of the window, and then no more."""
    scale = Scale()
    pods(scale, 7000.0)
    assert pods(scale, 0.001, 59) == math.ceil(7000.001 / 60 / 70) == 2
    assert pods(scale, 0.001, 60) == 1


def test_revisions_have_scales_of_their_own() -> None:
    """One Revision's burst is nothing to another, also to one of the same name in another namespace."""
    scale = Scale()
    pods(scale, 7000.0)
    assert pods(scale, 1.0, revision=Revision("default", "hello-00002")) == 1
    assert pods(scale, 1.0, revision=Revision("shop", "hello-00001")) == 1


def test_a_clock_that_goes_back_is_survived() -> None:
    """A stat of an earlier second still gives a scale."""
    scale = Scale()
    pods(scale, 70.0, 5.0)
    assert pods(scale, 70.0, 0.0) >= 1


@given(st.lists(st.tuples(st.floats(1e-6, 1e6), st.floats(0, 30)), min_size=1))
def test_the_scale_is_never_zero_and_never_more_than_all_at_once(stats: list[tuple[float, float]]) -> None:
    """Any concurrency above zero gives a pod, and an average never exceeds the sum."""
    scale, now, total = Scale(), 0.0, 0.0
    for concurrency, gap in stats:
        now, total = now + gap, total + concurrency
        assert 1 <= pods(scale, concurrency, now) <= math.ceil(total * 1.000001 / 70)
