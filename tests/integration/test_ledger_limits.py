"""Rate limits on a real Redis: a burst passes, the rest is spaced, and one namespace does not delay another."""

import asyncio
import time

import pytest
from support.ledger import HOUR, REVISIONS, A, B, C, D, Ledger, entry, key, only
from support.redis_server import RedisServer
from support.waiting import wait_until

from wakequeue.broker import QUEUE
from wakequeue.ledger import Commit, FrontLedger, WorkerLedger
from wakequeue.revision import Revision
from wakequeue.setting_types import Seconds
from wakequeue.settings import Settings

#: Half a minute's reports, where a namespace may make one a second.
MANY = [Revision("shop", f"r{number}") for number in range(30)]


def limited(*, per_second: int = 10, burst: int = 2, all_per_second: int = 1_000, all_burst: int = 1_000) -> dict[str, float]:
    """Settings of both limits."""
    return {
        "namespace_rate_limit": per_second,
        "namespace_rate_burst": burst,
        "rate_limit": all_per_second,
        "rate_burst": all_burst,
    }


def due_at(ledger: Ledger, revision: Revision) -> float:
    """When a pending Revision is due, in Unix seconds."""
    return int(ledger.client.hget(key(revision), "due_at")) / 1000


def test_a_limit_lets_a_burst_through_and_spaces_the_rest(ledger: Ledger) -> None:
    """Of four Revisions due at once, with a burst of two and ten a second, two are taken and the others are due 0.1 s apart."""
    ledger.record(*map(entry, REVISIONS))
    taken = ledger.using(**limited()).take(REVISIONS)
    assert [lease.revision for lease in taken.leases] == [A, B]
    assert taken.delayed == {"namespace": 2, "all": 0}
    now = taken.leases[0].taken_at
    assert [due_at(ledger, one) - now for one in (C, D)] == pytest.approx([0.1, 0.2], abs=0.002)


def test_a_slot_is_its_revisions_own(ledger: Ledger) -> None:
    """What was delayed is taken when its slot comes, though the limit has no room for others; and costs no attempt."""
    worker = ledger.using(**limited(per_second=1, burst=1))
    ledger.record(entry(A), entry(B))
    worker.take([A, B])
    ledger.record(entry(C))
    assert worker.take([C]).leases == []
    lease = only(wait_until(lambda: worker.take([B]).leases))
    assert lease.attempts == 1
    assert lease.taken_at >= lease.due_at
    assert ledger.census().drift_calls == 0


def test_new_calls_do_not_hasten_a_slot(ledger: Ledger) -> None:
    """A delayed Revision keeps its slot, whatever is called meanwhile, and the front is told to ring nothing."""
    worker = ledger.using(**limited(per_second=1, burst=1))
    ledger.record(*map(entry, MANY), entry(B))
    worker.take([*MANY, B])
    before = due_at(ledger, B)
    assert not only(ledger.record(entry(B))).ring
    assert due_at(ledger, B) == before
    assert worker.take([B]).leases == []


def test_a_slot_that_nobody_used_lapses(ledger: Ledger) -> None:
    """Two seconds after its slot a Revision has to pass the limit anew: what a dead worker left undone doesn't come as a flood."""
    worker = ledger.using(**limited(per_second=1, burst=1))
    ledger.record(*map(entry, REVISIONS))
    worker.take(REVISIONS)
    for revision in (B, C, D):
        ledger.client.hset(key(revision), "due_at", round((due_at(ledger, revision) - 10) * 1000))
    ledger.client.delete("{wakequeue}:rate:shop")
    assert [lease.revision for lease in worker.take([B, C, D]).leases] == [B]


def test_a_noisy_namespace_leaves_the_others_alone(ledger: Ledger) -> None:
    """One namespace's limit delays its own Revisions, and reserves nothing of what all share."""
    worker = ledger.using(**limited(per_second=1, burst=1, all_per_second=2, all_burst=2))
    noisy = [Revision("noisy", f"r{number}") for number in range(50)]
    ledger.record(*map(entry, noisy), entry(A))
    assert [lease.revision for lease in worker.take([*noisy, A]).leases] == [noisy[0], A]


def test_all_namespaces_share_one_limit(ledger: Ledger) -> None:
    """Beyond the burst of all, a Revision is delayed though its namespace has room; and then passes without paying twice."""
    worker = ledger.using(**limited(all_per_second=10, all_burst=1, burst=10))
    other = Revision("other", "a")
    ledger.record(entry(A), entry(other))
    taken = worker.take([A, other])
    assert ([lease.revision for lease in taken.leases], taken.delayed) == ([A], {"namespace": 0, "all": 1})
    assert due_at(ledger, other) - taken.leases[0].taken_at == pytest.approx(0.1, abs=0.002)
    assert only(wait_until(lambda: worker.take([other]).leases)).revision == other


def test_a_busy_namespace_rings_seldom(ledger: Ledger) -> None:
    """Of many commits fifty ring at once, and two hundred a second; another namespace's rings all the same."""
    noisy = [Revision("noisy", f"r{number}") for number in range(200)]
    began = time.monotonic()
    rung = [only(ledger.record(entry(revision))).ring for revision in noisy]
    took = time.monotonic() - began
    assert rung[:50] == [True] * 50
    assert rung.count(True) <= 51 + 200 * took
    assert only(ledger.record(entry(A))).ring
    assert set(ledger.sweep()[1]) == {revision for revision, ring in zip(noisy, rung, strict=True) if not ring}


def test_what_its_limit_would_delay_is_not_rung(shared_redis: RedisServer, ledger: Ledger) -> None:
    """A front leaves it to the sweep, whose doorbells are of many Revisions, to ask for a namespace whose limit has no room."""
    settings = Settings(namespace_rate_limit=1, namespace_rate_burst=1, ring_again=Seconds(HOUR))
    other = Revision("other", "a")

    async def record() -> list[bool]:
        front = FrontLedger.connect(shared_redis.reach, settings, QUEUE)
        replies = [await front.record(Commit("x", number), [entry(one)]) for number, one in enumerate((A, B, other), start=1)]
        await front.close()
        return [only(reply).ring for reply in replies]

    ledger.record(*map(entry, MANY))
    WorkerLedger(ledger.client, settings).take(MANY)
    assert asyncio.run(record()) == [False, False, True]
    assert set(ledger.sweep()[1]) - set(MANY) == {A, B}


def test_a_commit_rings_once_for_a_namespace(ledger: Ledger) -> None:
    """However many Revisions of it: they share a doorbell."""
    noisy = [Revision("noisy", f"r{number}") for number in range(500)]
    assert all(one.ring for one in ledger.record(*map(entry, noisy)))
    assert only(ledger.record(entry(Revision("noisy", "another")))).ring


def test_what_has_expired_needs_no_slot(ledger: Ledger) -> None:
    """It is taken to be buried, whatever the limit, and leaves the limit's room to what will be reported."""
    worker = ledger.using(**limited(per_second=1, burst=1))
    ledger.record(entry(A, first_age=400.0, last_age=400.0), entry(B, first_age=400.0, last_age=400.0), entry(C))
    assert [lease.revision for lease in worker.take([A, B, C]).leases] == [A, B, C]


def test_limits_follow_from_each_other() -> None:
    """A burst is as large as its limit, and a namespace has half of all, unless they are set."""
    assert Settings(rate_limit=100).limits == (100, 100, 50, 50)
    assert Settings(rate_limit=100, rate_burst=5, namespace_rate_limit=80).limits == (100, 5, 80, 5)
    assert Settings(rate_limit=1).limits == (1, 1, 1, 1)
