"""The ledger's clock never goes back, and what failed is due once the Autoscaler is back."""

import pytest
from support.ledger import HOUR, A, B, C, D, Ledger, entry, key, only
from support.waiting import wait_until

from wakequeue.broker import QUEUE
from wakequeue.episode import Episode
from wakequeue.revision import Revision

HASTENED = "{wakequeue}:hastened"


def set_back(ledger: Ledger) -> None:
    """Let Redis's clock be an hour behind what a sweep last saw."""
    seconds, microseconds = ledger.client.time()
    ledger.client.hset("{wakequeue}:totals", "clock", round((seconds + HOUR) * 1000 + microseconds / 1000))


def test_a_clock_that_is_set_back_delays_nothing(ledger: Ledger) -> None:
    """What is recorded, due or leased goes on by the ledger's clock, which no step takes back; a sweep makes it run on."""
    set_back(ledger)
    ledger.record(entry(A))
    lease = only(ledger.take(A, lease_for=0.05))
    assert wait_until(lambda: ledger.sweep()[0]) == 1
    again = only(ledger.take(A, trial=True))
    assert again.taken_at >= lease.taken_at + 0.05
    seconds, _ = ledger.client.time()
    assert again.taken_at - seconds == pytest.approx(HOUR, abs=5)


def test_a_clock_that_comes_back_is_followed(ledger: Ledger) -> None:
    """Once Redis's clock has caught up with the ledger's there is one time again."""
    set_back(ledger)
    ledger.sweep()
    ledger.client.hincrby("{wakequeue}:totals", "clock", -round(2 * HOUR * 1000))
    ledger.sweep()
    ledger.record(entry(A))
    seconds, _ = ledger.client.time()
    assert only(ledger.take(A)).taken_at - seconds == pytest.approx(0, abs=5)


def test_what_should_be_forgotten_is_asleep_though_its_key_stays(ledger: Ledger) -> None:
    """A key that a clock set back keeps too long doesn't make the next burst look like one of an awake Revision."""
    ledger.record(entry(A, 5))
    ledger.settle(only(ledger.take(A)))
    ledger.client.hset(key(A), mapping={"last_call": 1, "ready_at": 1})
    ledger.record(entry(A, 2))
    lease = only(ledger.take(A))
    assert (lease.calls, lease.waiting, lease.episode) == (2, 2, Episode())


def test_what_failed_is_hastened_the_oldest_first(ledger: Ledger) -> None:
    """Back-offs are over at once, and the sweep rings by the age of the calls; a repeat that never failed keeps its time."""
    for revision, age in ((A, 500.0), (B, 900.0), (C, 700.0)):
        ledger.record(entry(revision, first_age=age, last_age=age))
    ledger.release(ledger.take(A, B, C), [HOUR, HOUR, HOUR])
    ledger.record(entry(D))
    ledger.settle(only(ledger.take(D)), repeat_in=HOUR)
    assert ledger.sweep() == (0, [])
    ledger.client.lpush(QUEUE, "a doorbell that names them in another order")
    other = Revision("shop", "e")
    ledger.record(entry(other, first_age=800.0, last_age=800.0))
    assert ledger.hasten() == 4
    assert ledger.client.llen(QUEUE) == 0
    assert ledger.sweep() == (0, [B, other, C, A])
    assert ledger.take(D) == []


def test_a_slot_is_kept_when_what_failed_is_hastened(ledger: Ledger) -> None:
    """What a rate limit delays isn't made due, though it failed before: its slot would be lost, and another reserved."""
    worker = ledger.using(namespace_rate_limit=1, namespace_rate_burst=1)
    ledger.record(entry(A), entry(B))
    ledger.release(ledger.take(A, B), [0.0, 0.0])
    ledger.client.delete("{wakequeue}:rate:shop")
    assert [lease.revision for lease in worker.take([A, B]).leases] == [A]
    ledger.client.hincrby(key(B), "due_at", 60_000)  # lest its slot come meanwhile
    before = ledger.client.hgetall(key(B))
    assert ledger.hasten() == 0
    assert ledger.client.hgetall(key(B)) == before


def test_workers_hasten_together(ledger: Ledger) -> None:
    """Of all that are connected again within a second one hastens: the others would only drop its doorbells."""
    ledger.record(entry(A))

    def stopped_within_the_second() -> bool:
        assert ledger.hasten() == 1
        return 0 < ledger.client.pttl(HASTENED) <= 1_000 and bool(ledger.client.persist(HASTENED))

    wait_until(stopped_within_the_second)
    ledger.client.lpush(QUEUE, "a doorbell of since")
    assert ledger.using(holder="other").hasten(QUEUE) == 0
    assert ledger.client.llen(QUEUE) == 1
