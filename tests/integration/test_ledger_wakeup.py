"""A wake-up's id and the trace contexts that came with its calls, in the ledger on a real Redis."""

import pytest
from support.ledger import A, B, Ledger, ended, entry, key, only, waits
from support.redis_server import RedisServer

from wakequeue.ledger import Commit, Entry, History, Start

TRACES = tuple(f"00-{number:032x}-{number:016x}-01" for number in range(1, 13))


def traced(*traces: str) -> Entry:
    """A call of A that came with trace contexts."""
    return entry(A)._replace(traces=traces)


def ids_told(ledger: Ledger) -> list[tuple[str, str]]:
    """What the audit trail tells, with the ids."""
    return [(one.outcome, one.wakeup) for one in History(ledger.client).newest(20)]


def test_all_that_becomes_of_a_wake_up_has_its_id(ledger: Ledger) -> None:
    """The first report, its attempts, the correction, what Knative made of it, and the letter of what was never confirmed."""
    wakeup = only(ledger.record(entry(A))).wakeup
    first = only(ledger.take(A))
    ledger.release([first], [0.0])
    second = only(ledger.take(A))
    ledger.settle(second)
    ledger.record(entry(A))
    third = only(ledger.take(A))
    ledger.worker.settle([ended(third, "unwoken", repeat_in=0.0)])
    fourth = only(ledger.take(A))
    ledger.bury([fourth])
    assert {lease.wakeup for lease in (first, second, third, fourth)} == {wakeup}
    assert ids_told(ledger) == [(outcome, wakeup) for outcome in ("reported", "unwoken", "reported", "buried")]
    assert {letter.wakeup for letter in ledger.letters.find(lambda _: True)} == {wakeup}


def test_what_wakes_again_is_another_wake_up(ledger: Ledger) -> None:
    """Once a Revision was asleep, its next call has an id of its own; and so has another Revision's of the same commit."""
    a, b = ledger.record(entry(A), entry(B))
    ledger.settle(only(ledger.take(A)))
    ledger.forget(A)
    again = only(ledger.record(waits(A, "1")))
    assert again.begins
    assert len({a.wakeup, b.wakeup, again.wakeup}) == 3


def test_a_lost_answer_is_told_the_same(ledger: Ledger) -> None:
    """A commit that is sent again names the id that it made the first time, and begins what it began."""
    first, again = (ledger.record(entry(A), commit=Commit("x", 1)) for _ in range(2))
    assert [(one.wakeup, one.begins) for one in again] == [(one.wakeup, True) for one in first]


def test_a_start_has_an_id(ledger: Ledger) -> None:
    """Made by its own begin, kept by a call that joins it; one that came too late has it in its letter."""
    ledger.starts.begin("hand", [Start(A)])
    begun = only(ledger.take(A)).wakeup
    assert [(one.wakeup, one.begins) for one in ledger.record(entry(A))] == [(begun, False)]
    ledger.starts.begin("hand", [Start(B, at=ledger.now() - 86_400)])
    late = only(list(ledger.letters.find(lambda _: True))).wakeup
    assert ids_told(ledger) == [("buried", late)]
    assert len({begun, late, ""}) == 3


def test_a_replay_goes_on_under_the_letters_id(ledger: Ledger) -> None:
    """Where its Revision is asleep; where that is awake or pending again, the id of that stays."""
    wakeup = only(ledger.record(entry(A))).wakeup
    ledger.bury([only(ledger.take(A))])
    ledger.forget(A)
    letter = only(list(ledger.letters.find(lambda _: True)))
    assert ledger.letters.replay([letter.id]) == 1
    again = only(ledger.take(A))
    assert again.wakeup == wakeup
    ledger.bury([again])
    ledger.forget(A)
    other = only(ledger.record(entry(A))).wakeup
    assert ledger.letters.replay([letter.id for letter in ledger.letters.find(lambda _: True)]) == 1
    assert only(ledger.take(A)).wakeup == other != wakeup


def test_a_wake_up_of_the_version_before_gets_an_id(ledger: Ledger) -> None:
    """A front that makes none leaves it to whoever takes or calls next; a letter without one is given one by its replay."""
    ledger.record(entry(A), entry(B))
    for revision in (A, B):
        ledger.client.hdel(key(revision), "wakeup")
    taken = only(ledger.take(A))
    assert [(one.wakeup, one.begins) for one in ledger.record(entry(A))] == [(taken.wakeup, False)]
    called = only(ledger.record(entry(B)))
    assert called.begins
    assert only(ledger.take(B)).wakeup == called.wakeup
    ledger.client.hdel(key(A), "wakeup")
    ledger.bury([taken])
    letter = only(list(ledger.letters.find(lambda _: True)))
    ledger.forget(A)
    ledger.letters.replay([letter.id])
    assert (letter.wakeup, len(only(ledger.take(A)).wakeup)) == ("", 32)


def test_trace_contexts_go_with_their_calls(ledger: Ledger) -> None:
    """The lease has those of the calls that it reports, once; what is released has them again, before those that came since."""
    ledger.record(traced(TRACES[0]))
    ledger.record(traced(TRACES[1]))
    lease = only(ledger.take(A))
    ledger.record(traced(TRACES[2]))
    ledger.release([lease], [0.0])
    assert not ledger.client.hexists(key(A), "taken_traces")
    again = only(ledger.take(A))
    ledger.record(traced(TRACES[3]))
    ledger.settle(again)
    rest = only(ledger.take(A))
    assert (lease.traces, again.traces, rest.traces) == (TRACES[:2], TRACES[:3], TRACES[3:4])
    ledger.bury([rest])
    ledger.record(entry(A))
    assert only(ledger.take(A)).traces == ()


def test_trace_contexts_outlive_their_worker(ledger: Ledger) -> None:
    """A lease that runs out leaves them to the next."""
    ledger.record(traced(TRACES[0]))
    ledger.take(A)
    ledger.end_lease(A)
    ledger.sweep()
    assert only(ledger.take(A, trial=True)).traces == TRACES[:1]


def test_so_many_trace_contexts_are_kept(ledger: Ledger) -> None:
    """The first eight of a wake-up, however they come, and however often they are given back."""
    ledger.record(traced(*TRACES[:6]))
    ledger.record(traced(*TRACES[6:]))
    lease = only(ledger.take(A))
    ledger.record(traced(TRACES[9]))
    ledger.release([lease], [0.0])
    assert lease.traces == only(ledger.take(A)).traces == TRACES[:8]


@pytest.mark.parametrize("end", ["settle", "bury", "release"])
def test_where_no_trace_came_nothing_is_kept(ledger: Ledger, shared_redis: RedisServer, end: str) -> None:
    """Nor is anything left of those that came, once they are settled or buried."""
    if end != "release":
        ledger.record(traced(TRACES[0]))
    ledger.record(entry(A))
    lease = only(ledger.take(A))
    {"settle": lambda: ledger.settle(lease), "bury": lambda: ledger.bury([lease]), "release": lambda: ledger.release([lease], [0])}[
        end
    ]()
    assert not {b"traces", b"taken_traces"} & set(shared_redis.client.hkeys(key(A)))
