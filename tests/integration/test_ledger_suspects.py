"""Wake-ups whose lease ended with its holder: who is blamed, who is tried, and what is poisoned."""

import pytest
from support.ledger import A, B, Ledger, entry, only

from wakequeue.broker import QUEUE
from wakequeue.revision import Revision


def end_with_holder(ledger: Ledger, *revisions: Revision, **numbers: float) -> tuple[int, list[Revision]]:
    """The holder of these leases dies, and a sweep finds out."""
    ledger.end_lease(*revisions)
    return ledger.sweep(**numbers)


def test_what_ended_with_its_holder_is_taken_in_a_trial_alone(ledger: Ledger) -> None:
    """It is named as a suspect, with how often it was blamed, and stays pending."""
    ledger.record(entry(A), entry(B))
    ledger.take(A)
    end_with_holder(ledger, A)
    taken = ledger.worker.take([A, B])
    assert ([lease.revision for lease in taken.leases], taken.suspects) == ([B], {A: 1})
    assert only(ledger.take(A, trial=True)).attempts == 2


def test_only_what_was_on_trial_is_blamed(ledger: Ledger) -> None:
    """A worker that dies with a suspect on trial takes others with it: they are given back, and are no suspects."""
    ledger.record(entry(A), entry(B))
    ledger.take(A)
    end_with_holder(ledger, A)
    ledger.take(B)
    ledger.take(A, trial=True)
    end_with_holder(ledger, A, B)
    assert ledger.worker.take([A, B]).suspects == {A: 2}


def test_another_workers_trial_excuses_nobody(ledger: Ledger) -> None:
    """Only the holder of the trial has its other leases excused."""
    ledger.record(entry(A), entry(B))
    ledger.take(A)
    end_with_holder(ledger, A)
    ledger.using(holder="other").take([A], trial=True)
    ledger.take(B)
    end_with_holder(ledger, A, B)
    assert ledger.worker.take([A, B]).suspects == {A: 2, B: 1}


def test_what_was_blamed_three_times_is_poisoned(ledger: Ledger) -> None:
    """The sweep buries it; calls that came since are no suspects."""
    ledger.record(entry(A, 3))
    ledger.take(A)
    for _ in range(2):
        end_with_holder(ledger, A)
        ledger.take(A, trial=True)
    ledger.record(entry(A, 2))
    ledger.end_lease(A)
    swept = ledger.worker.sweep(QUEUE)
    assert (swept.ended, swept.poisoned) == (1, 1)
    letter = only(list(ledger.letters.find(lambda _: True)))
    assert (letter.revision, letter.reason, letter.calls, letter.attempts) == (A, "poisoned", 3, 3)
    assert [cause for _, cause in letter.tries] == ["the lease ran out"] * 2
    assert only(ledger.take(A)).calls == 2
    assert ledger.census().drift_calls == 0


@pytest.mark.parametrize("verb", ["settle", "release"])
def test_a_suspect_that_a_worker_survives_is_acquitted(ledger: Ledger, verb: str) -> None:
    """Blame is for leases in a row: one that its holder ended itself begins the count anew."""
    ledger.record(entry(A))
    ledger.take(A)
    end_with_holder(ledger, A)
    lease = only(ledger.take(A, trial=True))
    if verb == "settle":
        ledger.settle(lease, repeat_in=0.0)
    else:
        ledger.release([lease], [0.0])
    assert [one.revision for one in ledger.take(A)] == [A]


def test_a_holder_that_was_too_slow_lives(ledger: Ledger) -> None:
    """A worker that comes with a lease that ran out clears its Revision of the blame: however often, nothing is poisoned."""
    ledger.record(entry(A))
    for _ in range(4):
        (lease,) = ledger.take(A)
        end_with_holder(ledger, A)
        assert ledger.settle(lease) == [A]
    assert ledger.census().buried == 0


def test_a_trial_that_is_over_excuses_nobody(ledger: Ledger) -> None:
    """Once a worker has come through a trial, what ends it later is blamed as ever."""
    ledger.record(entry(A), entry(B))
    ledger.take(A)
    end_with_holder(ledger, A)
    ledger.settle(only(ledger.take(A, trial=True)))
    ledger.take(B)
    end_with_holder(ledger, B)
    assert ledger.worker.take([B]).suspects == {B: 1}
