"""Requests that found no upstream and come again: each is one call, and is known to wait while it comes."""

from hypothesis import given
from hypothesis import strategies as st

from gateway_hook.waiting import Attempt, Waiting
from wakequeue.revision import Revision

A, B = Revision("shop", "a"), Revision("shop", "b")


def waiting(most: int = 100) -> Waiting:
    """Return an empty memory with a patience of 15 seconds."""
    return Waiting(patience=15.0, most=most)


def told(memory: Waiting, then: float) -> dict[Revision, set[str]]:
    """Return the requests that came since `then`."""
    return {revision: set(tally.requests) for revision, tally in memory.since(then, then + 1).items()}


def test_a_requests_first_attempt_is_told_from_the_further_ones() -> None:
    """A request is known by its Revision and its id together."""
    memory = waiting()
    attempts = [memory.attempt(*one, 0.0) for one in ((A, "1"), (A, "1"), (A, "2"), (B, "1"), (B, "1"))]
    assert attempts == [Attempt.FIRST, Attempt.FURTHER, Attempt.FIRST, Attempt.FIRST, Attempt.FURTHER]


def test_who_waits_is_who_came_since() -> None:
    """A request that came again since it was last told of is told of again."""
    memory = waiting()
    for revision, request, now in ((A, "1", 1.0), (A, "2", 1.2), (B, "1", 1.4)):
        memory.attempt(revision, request, now)
        memory.counted(revision, [request])
    assert told(memory, 0.0) == {A: {"1", "2"}, B: {"1"}}
    memory.attempt(A, "2", 2.1)
    assert told(memory, 2.0) == {A: {"2"}}
    assert told(memory, 3.0) == {}


def test_who_is_not_counted_is_not_told_of() -> None:
    """The ledger would take it for one that is, and its call would be missing."""
    memory = waiting()
    memory.attempt(A, "1", 1.0)
    memory.attempt(A, "2", 1.0)
    memory.counted(A, ["2", "unknown"])
    memory.counted(B, ["1"])
    assert told(memory, 0.0) == {A: {"2"}}


def test_when_each_came_is_told() -> None:
    """Each has its own time, and no caller: they are counted already, and are no calls."""
    memory = waiting()
    for request, now in (("1", 1.0), ("2", 1.7), ("3", 1.3)):
        memory.attempt(A, request, now)
        memory.counted(A, [request])
    tally = memory.since(0.0, 2.0)[A]
    assert (tally.first, tally.last, tally.calls) == (1.0, 1.7, 0)
    assert tally.requests == {"1": ("", 1.0), "2": ("", 1.7), "3": ("", 1.3)}


def test_a_request_that_does_not_come_is_forgotten() -> None:
    """After `patience` its client is thought to have gone: should it come again, it is a call of its own."""
    memory = waiting()
    memory.attempt(A, "1", 1.0)
    memory.forget(15.5)
    assert memory.attempt(A, "1", 15.5) is Attempt.FURTHER
    memory.forget(30.5)
    assert memory.attempt(A, "1", 30.5) is Attempt.FIRST


def test_a_request_that_is_held_comes_all_the_time() -> None:
    """It is told of and not forgotten until its last held attempt is answered; then it has just come."""
    memory = waiting()
    for revision in (A, B):
        memory.attempt(revision, "1", 1.0)
        memory.counted(revision, ["1"])
    with memory.held([A, B], "1", lambda: 61.0, comes_again=True):
        with memory.held([A], "1", lambda: 50.0, comes_again=True), memory.held([A], "unknown", lambda: 50.0, comes_again=False):
            memory.forget(40.0)
        assert memory.since(40.0, 60.0)[A].requests == {"1": ("", 60.0)}
        assert memory.attempt(B, "1", 60.0) is Attempt.FURTHER
    assert told(memory, 61.0) == {A: {"1"}, B: {"1"}}
    assert told(memory, 62.0) == {}
    memory.forget(76.0)
    assert memory.attempt(A, "1", 76.0) is Attempt.FIRST


def test_an_attempt_that_was_taken_back_was_none() -> None:
    """The next one is the first, and its room is free."""
    memory = waiting(most=1)
    memory.attempt(A, "1", 1.0)
    memory.take_back(A, "1")
    assert [memory.attempt(A, request, 1.0) for request in "12"] == [Attempt.FIRST, Attempt.TOO_MANY]


def test_there_is_room_for_so_many() -> None:
    """Those that are known go on, a new one finds room once another has gone, though nobody looked."""
    memory = waiting(most=2)
    assert [memory.attempt(A, request, 1.0) for request in "123"] == [Attempt.FIRST, Attempt.FIRST, Attempt.TOO_MANY]
    assert memory.attempt(A, "1", 10.0) is Attempt.FURTHER
    assert [memory.attempt(B, request, 17.0) for request in "34"] == [Attempt.FIRST, Attempt.TOO_MANY]


@given(st.lists(st.tuples(st.sampled_from([A, B]), st.sampled_from("1234"), st.floats(0, 20)), max_size=40))
def test_it_forgets_all(attempts: list[tuple[Revision, str, float]]) -> None:
    """Whatever came, nothing is held once nothing has come for `patience`: there is room for as many as at first."""
    memory = waiting(most=3)
    for revision, request, now in sorted(attempts, key=lambda one: one[2]):
        memory.attempt(revision, request, now)
        memory.forget(now)
    memory.forget(100.0)
    assert [memory.attempt(A, request, 100.0) for request in "567"] == [Attempt.FIRST] * 3


def test_a_held_request_that_comes_no_more_is_forgotten() -> None:
    """Once it isn't held any more: its name was made for that alone, and there may be many."""
    memory = Waiting(patience=15.0, most=1)
    for number in range(3):
        assert memory.attempt(A, f"ours-{number}", 1.0) is Attempt.FIRST
        with memory.held([A], f"ours-{number}", lambda: 2.0, comes_again=False):
            assert memory.attempt(A, "another", 1.5) is Attempt.TOO_MANY
