"""Dead letters and the audit trail on a real Redis: found, replayed, purged, bounded, and told."""

import pytest
from support.ledger import HOUR, REVISIONS, A, B, C, Ledger, ended, entry, only, settled

from wakequeue.episode import Episode
from wakequeue.ledger import Entry, History
from wakequeue.revision import Revision


def bury(ledger: Ledger, revision: Revision, calls: int = 2) -> str:
    """Record and bury; returns the letter's id."""
    ledger.record(entry(revision, calls))
    lease = only(ledger.take(revision))
    ledger.bury([lease])
    return f"{revision}@{lease.token}"


def test_a_replayed_letter_is_due_as_if_called_now(ledger: Ledger) -> None:
    """Its calls are pending, with who made them; they were made just now, and nobody waits any more."""
    ledger.record(entry(A, 3, first_age=400, last_age=350))
    lease = only(ledger.take(A))
    ledger.bury([lease], idle_after=0.001)
    assert ledger.letters.replay([f"{A}@{lease.token}"]) == 1
    again = only(ledger.take(A))
    assert (again.calls, again.waiting, again.attempts, again.episode) == (3, 0, 1, Episode())
    assert again.taken_at - again.last_call < 5
    ledger.settle(again)
    assert only(History(ledger.client).newest(1)).callers == {"mixer 10.0.0.7": 3}
    counted = ledger.census()
    assert (counted.buried, counted.buried_calls, counted.settled_calls, counted.drift_calls) == (0, 0, 3, 0)


def test_a_replay_rings_by_the_sweep(ledger: Ledger) -> None:
    """What a replay makes due is rung by the next sweep, and joins what is pending already."""
    letter = bury(ledger, A)
    ledger.record(entry(A, 5))
    assert ledger.letters.replay([letter]) == 1
    assert only(ledger.take(A)).calls == 7
    other = bury(ledger, B)
    ledger.letters.replay([other])
    assert ledger.sweep() == (0, [B])


def test_dead_letters_are_dropped_with_age(ledger: Ledger) -> None:
    """A sweep drops those buried longer ago than keep_dead_letters_for, and counts them."""
    old, young = bury(ledger, A), bury(ledger, B)
    ledger.client.zincrby("{wakequeue}:buried", -2 * HOUR * 1000, old)
    ledger.sweep(keep_dead_letters_for=HOUR)
    assert [letter.id for letter in ledger.letters.find(lambda _: True)] == [young]
    counted = ledger.census()
    assert (counted.buried_calls, counted.discarded_calls, counted.letters_dropped, counted.drift_calls) == (2, 2, 1, 0)


def test_letters_are_found_by_what_they_say(ledger: Ledger) -> None:
    """The oldest first; those that the filter wants."""
    ids = [bury(ledger, revision) for revision in REVISIONS]
    assert [letter.id for letter in ledger.letters.find(lambda _: True)] == ids
    assert [letter.id for letter in ledger.letters.find(lambda letter: letter.revision == C)] == [ids[2]]


def test_the_audit_trail_says_what_became_of_each(ledger: Ledger) -> None:
    """A report with its numbers, its callers and its failed attempts; a burial with its reason; the newest last."""
    ledger.record(entry(A, 3, first_age=9.0, last_age=4.0))
    ledger.release(ledger.take(A), [0.0])
    lease = only(ledger.take(A))
    ledger.settle(lease)
    bury(ledger, B)
    reported, buried = History(ledger.client).newest(10)
    assert (reported.revision, reported.outcome, reported.phase, reported.calls, reported.concurrency) == (
        A,
        "reported",
        "asleep",
        3,
        3.0,
    )
    assert (reported.callers, reported.attempts, reported.worker) == ({"mixer 10.0.0.7": 3}, 2, "worker")
    assert [cause for _, cause in reported.tries] == ["no pong in time"]
    assert (reported.first_call, reported.last_call) == (lease.first_call, lease.last_call)
    assert 0 <= reported.at - lease.taken_at < 5
    assert (buried.revision, buried.outcome, buried.reason, buried.tries) == (B, "buried", "expired", [])
    assert History(ledger.client).newest(10, A) == [reported]
    assert History(ledger.client).newest(1) == [buried]


def test_a_repeat_is_told_where_it_failed_before(ledger: Ledger) -> None:
    """A repeat has no call of its own: it is in the audit trail only where an attempt at it had failed."""
    ledger.record(entry(A))
    ledger.settle(only(ledger.take(A)), repeat_in=0.0)
    ledger.settle(only(ledger.take(A)), repeat_in=0.0)
    assert len(History(ledger.client).newest(10)) == 1
    ledger.release(ledger.take(A), [0.0])
    ledger.settle(only(ledger.take(A)))
    _, repeat = History(ledger.client).newest(10)
    assert (repeat.calls, repeat.first_call, repeat.callers, repeat.attempts) == (0, None, {}, 2)


def test_the_audit_trail_says_how_a_waking_ended(ledger: Ledger) -> None:
    """Before the report of what came with its end; its calls were told when they were reported."""
    for outcome in ("woken", "unwoken"):
        ledger.record(entry(A, 3))
        lease = only(ledger.take(A))
        assert ledger.worker.settle([ended(lease, outcome, after=1.842)]) == []
        ending, reported = History(ledger.client).newest(2)
        assert (ending.revision, ending.outcome, ending.calls, ending.callers, ending.tries) == (A, outcome, 0, {}, [])
        assert (ending.waking_seconds, ending.reason) == (1.842, "no image" if outcome == "unwoken" else "")
        assert ending.first_call == pytest.approx(lease.taken_at - 1.842)
        assert (reported.outcome, reported.calls, reported.waking_seconds) == ("reported", 3, None)


def test_an_unwoken_letter_has_no_calls(ledger: Ledger) -> None:
    """They were settled: no call is counted twice, or lost, when such a letter is made again, replayed or purged."""
    for _ in range(4):
        for revision in (A, B):
            ledger.record(entry(revision, 3))
            ledger.worker.settle([ended(only(ledger.take(revision)), "unwoken")])
    letters = list(ledger.letters.find(lambda _: True))
    assert [(one.revision, one.reason, one.calls, one.tries[0][1]) for one in letters] == [
        (revision, "unwoken", 0, "no image") for revision in (A, B)
    ], "of each Revision the newest"
    assert ledger.letters.replay([letters[0].id]) == ledger.letters.purge([letters[1].id]) == 1
    counted = ledger.census()
    assert (counted.settled_calls, counted.buried, counted.buried_calls, counted.discarded_calls) == (24, 0, 0, 0)
    assert (counted.letters_dropped, counted.drift_calls, counted.pending, counted.pending_calls) == (0, 0, 1, 0)
    assert only(ledger.take(A)).calls == 0


def test_unwoken_letters_push_out_no_calls(ledger: Ledger) -> None:
    """However often a Revision doesn't wake, the letters that have calls stay."""
    bounded = ledger.using(keep_dead_letters=3)
    ledger.record(entry(B, 7))
    bounded.bury([only(ledger.take(B))], "expired")
    for _ in range(5):
        ledger.record(entry(A))
        bounded.settle([ended(only(ledger.take(A)), "unwoken")])
    counted = ledger.census()
    assert (counted.buried, counted.buried_calls, counted.discarded_calls) == (2, 7, 0)


def test_a_waking_outlives_its_worker(ledger: Ledger) -> None:
    """Since when a Revision is waking is the next lease's to know, until it has ended or is buried."""
    ledger.record(entry(A))
    lease = only(ledger.take(A))
    waking = settled(lease, repeat_in=0.0)._replace(episode=Episode(1.0, lease.taken_at, 1.0, waking_since=0.5))
    ledger.worker.settle([waking])
    lease = only(ledger.take(A))
    assert lease.episode == waking.episode
    ledger.end_lease(A)
    ledger.sweep()
    lease = only(ledger.take(A, trial=True))
    assert lease.episode.waking_since == 0.5
    ledger.bury([lease])
    ledger.record(entry(A))
    assert only(ledger.take(A)).episode.waking_since is None


def test_the_audit_trail_is_bounded(ledger: Ledger) -> None:
    """Roughly the newest keep_history entries stay."""
    for _ in range(500):
        ledger.record(entry(A))
        ledger.using(keep_history=100).settle([settled(only(ledger.take(A)), repeat_in=0.0)])
    assert 100 <= ledger.client.xlen("{wakequeue}:history") <= 200


def test_the_trail_is_followed(ledger: Ledger) -> None:
    """Entries come as they are made, those of one Revision where only it is asked for."""
    history = History(ledger.client)
    bury(ledger, A)
    following, of_b = history.follow(history.last_id()), history.follow("0-0", B)
    bury(ledger, B)
    assert next(following).revision == B
    assert next(of_b).revision == B


def test_so_many_callers_are_remembered(ledger: Ledger) -> None:
    """Callers of several commits are added up; beyond eight, others are counted together."""
    for number in range(12):
        ledger.record(Entry(A, 1, awake=False, first_age=0.0, last_age=0.0, callers={f"c{number}": 1}))
    ledger.record(Entry(A, 1, awake=False, first_age=0.0, last_age=0.0, callers={"c0": 1}))
    ledger.settle(only(ledger.take(A)))
    callers = only(History(ledger.client).newest(1)).callers
    assert sum(callers.values()) == 13
    assert (callers["c0"], callers["others"], len(callers)) == (2, 4, 9)
