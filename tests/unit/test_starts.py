"""Requests whose beginning was logged: counted once, remembered for a while, and never too many."""

from gateway_hook.call import Call, Cluster
from gateway_hook.envoy.starts import Starts


def call(name: str) -> Call:
    """Return a call that can be told from others."""
    return Call(sources=(Cluster(name.encode()),), request_id=name)


def test_a_request_is_made_a_call_once() -> None:
    """What is unheard of is a call when it is first asked for, and later entries are counted until the last."""
    starts = Starts(patience=15, most=10)
    starts.begin("a", call("a"), 0)
    assert starts.unheard_of(["a", "b"]) == {"a": call("a")}
    assert starts.unheard_of(["a"]) == {}
    assert [starts.is_counted("a", ended=ended) for ended in (False, False, True, True)] == [True, True, True, False]
    assert len(starts) == 0


def test_a_request_that_was_heard_of_is_no_call_any_more() -> None:
    """Any further entry before it is asked for decides instead."""
    starts = Starts(patience=15, most=10)
    starts.begin("a", call("a"), 0)
    assert not starts.is_counted("a", ended=False)
    assert starts.unheard_of(["a"]) == {}
    assert len(starts) == 0


def test_a_second_beginning_changes_nothing() -> None:
    """An id that is known stays what it is: a call that was made isn't made again."""
    starts = Starts(patience=15, most=10)
    starts.begin("a", call("a"), 0)
    starts.unheard_of(["a"])
    starts.begin("a", call("b"), 1)
    assert starts.unheard_of(["a"]) == {}


def test_a_request_is_forgotten_after_patience() -> None:
    """One that never ends is remembered no longer than its client is thought to wait."""
    starts = Starts(patience=15, most=10)
    for at, name in enumerate("abc"):
        starts.begin(name, call(name), at)
        starts.unheard_of([name])
    starts.begin("d", call("d"), 16.0)
    assert [starts.is_counted(name, ended=False) for name in "abc"] == [False, False, True]


def test_of_too_many_the_newest_are_remembered() -> None:
    """Memory is bounded, whatever is logged."""
    starts = Starts(patience=15, most=3)
    for name in "abcde":
        starts.begin(name, call(name), 0)
    assert len(starts) == 3
    assert list(starts.unheard_of("abcde")) == list("cde")


def test_what_names_no_revision_is_left_to_later_entries() -> None:
    """Forgotten, it is counted by whatever is said of it later; so is what was never known."""
    starts = Starts(patience=15, most=10)
    starts.begin("a", call("a"), 0)
    starts.unheard_of(["a"])
    starts.forget("a")
    starts.forget("b")
    assert not starts.is_counted("a", ended=True)
