"""The ledger on a real Redis: every verb by itself."""

import asyncio
import fnmatch
import json
import time
from collections.abc import Iterator
from typing import Final

import pytest
from support.ledger import HOUR, REVISIONS, A, B, C, D, Ledger, entry, key, only, settled, waits
from support.redis_server import RedisServer
from support.waiting import wait_until

from wakequeue.broker import QUEUE, STARTS
from wakequeue.episode import Episode
from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger import Commit, FrontLedger, Lease, Recorded, Start, WorkerLedger
from wakequeue.revision import Revision
from wakequeue.setting_types import Seconds
from wakequeue.settings import Settings

#: The key names that are a wire format, from the docstring of wakequeue.ledger.
KEYS: Final = {
    "{wakequeue}:r:*/*": b"hash",
    "{wakequeue}:w:*/*": b"zset",
    "{wakequeue}:pending": b"zset",
    "{wakequeue}:leased": b"zset",
    "{wakequeue}:buried": b"zset",
    "{wakequeue}:dead": b"hash",
    "{wakequeue}:totals": b"hash",
    "{wakequeue}:front:*": b"string",
    "{wakequeue}:history": b"stream",
    "{wakequeue}:rate:*": b"string",
    "{wakequeue}:rate": b"string",
    "{wakequeue}:ring:*": b"string",
    "{wakequeue}:trial:*": b"string",
    "{wakequeue}:hastened": b"string",
    "{wakequeue}:connected": b"string",
    "{wakequeue}:planned": b"zset",
    "{wakequeue}:plans": b"hash",
    "{wakequeue}:schedules": b"hash",
    "{wakequeue}:beat": b"string",
}
FIELDS: Final = {
    b"keeps",
    b"calls",
    b"callers",
    b"taken",
    b"taken_callers",
    b"waiting",
    b"first_call",
    b"last_call",
    b"taken_first_call",
    b"due_at",
    b"ready_at",
    b"passed",
    b"token",
    b"holder",
    b"attempts",
    b"tries",
    b"crashes",
    b"first_report",
    b"last_report",
    b"concurrency",
    b"last_wait",
    b"style",
    b"waking_since",
    b"wakeup",
    b"traces",
    b"taken_traces",
}


# ---- every verb by itself


def test_what_is_recorded_can_be_taken(ledger: Ledger) -> None:
    """A first call is due at once, and its lease says everything of it."""
    assert ledger.record(entry(A, 3, first_age=120.0, last_age=30.0)) != []
    lease = only(ledger.take(A, lease_for=HOUR))
    assert (lease.revision, lease.calls, lease.waiting, lease.attempts, lease.episode) == (A, 3, 3, 1, Episode())
    assert lease.taken_at - lease.first_call == pytest.approx(120.0, abs=10)
    assert lease.last_call - lease.first_call == pytest.approx(90.0)
    assert 0 <= lease.taken_at - lease.due_at < 10


def test_a_commit_counts_once(ledger: Ledger) -> None:
    """The same commit again changes nothing, but has the doorbell rung of what is still due: nobody may have been told."""
    ledger.record(entry(A, 3), entry(B), commit=Commit("x", 1))
    before = ledger.dump()
    assert [one.ring for one in ledger.record(entry(A, 3), entry(B), commit=Commit("x", 1))] == [True, True]
    assert ledger.dump() == before
    ledger.take(A)
    assert [one.ring for one in ledger.record(entry(A, 3), entry(B), commit=Commit("x", 1))] == [False, True]
    assert ledger.census().recorded_calls == 4


def test_a_commit_is_remembered_for_a_day(ledger: Ledger) -> None:
    """One key for each stream of a front goes by itself, long after any front has given up on an answer."""
    for number in range(1, 4):
        ledger.record(entry(A), commit=Commit("x", number))
    assert 86_300 < ledger.client.ttl("{wakequeue}:front:x") <= 86_400
    assert len(list(ledger.client.scan_iter("{wakequeue}:front:*"))) == 1


def test_a_long_queue_is_not_made_longer(ledger: Ledger) -> None:
    """With ring_below tasks in the queue a front is told to ring nothing, and the sweep rings once the queue is shorter."""
    ledger.client.lpush(QUEUE, *range(200))
    assert not only(ledger.record(entry(A))).ring
    assert ledger.sweep() == (0, [])
    ledger.client.delete(QUEUE)
    assert ledger.sweep() == (0, [A])


def test_what_is_taken_is_taken_once(ledger: Ledger) -> None:
    """A lease excludes every other worker, and one that names a Revision twice."""
    ledger.record(entry(A))
    assert len(ledger.take(A, A)) == 1
    assert ledger.take(A) == []


def test_an_unknown_revision_is_not_taken(ledger: Ledger) -> None:
    """A doorbell for a Revision without calls finds nothing, and leaves nothing but its token."""
    assert ledger.take(A) == []
    assert set(ledger.dump()) == {b"{wakequeue}:totals"}


def test_calls_during_a_lease_are_reported_after_it(ledger: Ledger) -> None:
    """Calls that come while a worker holds the lease don't ring, and are due as soon as it settles."""
    ledger.record(entry(A, 2))
    lease = only(ledger.take(A))
    assert not only(ledger.record(entry(A, 5))).ring
    assert ledger.settle(lease) == []
    after = only(ledger.take(A))
    assert (after.calls, after.attempts) == (5, 1)
    assert after.episode == Episode(lease.taken_at, lease.taken_at, 2.0)


def test_calls_during_a_lease_wait_for_ready_at(ledger: Ledger) -> None:
    """What came while a worker held the lease is due at the ready_at that it settles with."""
    ledger.record(entry(A))
    first = only(ledger.take(A))
    ledger.record(entry(A))
    ledger.settle(first, ready_in=HOUR, repeat_in=0.0)
    assert ledger.take(A) == []
    assert ledger.client.hget(key(A), "due_at") == b"%d" % round((first.taken_at + HOUR) * 1000)


def test_a_lease_has_the_oldest_and_the_newest_call(ledger: Ledger) -> None:
    """The oldest of those that it reports, whichever commit it came with, and the newest of all."""
    ledger.record(entry(A, first_age=900.0, last_age=200.0))
    ledger.record(entry(A, first_age=500.0, last_age=500.0))
    lease = only(ledger.take(A))
    assert lease.taken_at - lease.first_call == pytest.approx(900.0, abs=10)
    assert lease.taken_at - lease.last_call == pytest.approx(200.0, abs=10)
    ledger.settle(lease)
    ledger.record(entry(A, first_age=100.0, last_age=100.0))
    again = only(ledger.take(A))
    assert again.taken_at - again.first_call == pytest.approx(100.0, abs=10)


def test_no_report_before_ready_at(ledger: Ledger) -> None:
    """After a settle new calls are due at ready_at: neither the front nor the sweep rings before, and nobody takes them."""
    ledger.record(entry(A))
    ledger.settle(only(ledger.take(A)), ready_in=HOUR)
    assert not only(ledger.record(entry(A))).ring
    assert ledger.sweep() == (0, [])
    assert ledger.take(A) == []


def test_new_calls_are_due_at_ready_at(ledger: Ledger) -> None:
    """Once ready_at has come they are taken, by Redis's own clock."""
    ledger.record(entry(A))
    first = only(ledger.take(A))
    ledger.settle(first, ready_in=3.0)
    ledger.record(entry(A))
    lease = only(wait_until(lambda: ledger.take(A)))
    assert lease.due_at == pytest.approx(first.taken_at + 3.0, abs=0.001)
    assert lease.taken_at >= lease.due_at


def test_new_calls_hasten_a_repeat_to_ready_at(ledger: Ledger) -> None:
    """A repeat that is due later is due at ready_at once calls come, and the front rings where that is now."""
    for revision, ready_in, rings in ((A, 0.0, True), (B, 3.0, False)):
        ledger.record(entry(revision))
        first = only(ledger.take(revision))
        ledger.settle(first, ready_in=ready_in, repeat_in=HOUR)
        assert ledger.take(revision) == []
        assert only(ledger.record(entry(revision))).ring == rings
        lease = only(wait_until(lambda revision=revision: ledger.take(revision)))
        assert lease.calls == 1
        assert lease.taken_at >= first.taken_at + ready_in - 0.001


def test_a_repeat_is_due_without_calls(ledger: Ledger) -> None:
    """A repeat is taken with no new call, and says how many callers wait."""
    ledger.record(entry(A, 7))
    ledger.settle(only(ledger.take(A)), ready_in=HOUR, repeat_in=0.0)
    lease = only(ledger.take(A))
    assert (lease.calls, lease.waiting) == (0, 7)


def test_new_calls_do_not_cut_a_back_off_short(ledger: Ledger) -> None:
    """What was released is due after its back-off, whatever is called meanwhile."""
    ledger.record(entry(A))
    assert ledger.release(ledger.take(A), [HOUR]) == []
    assert not only(ledger.record(entry(A))).ring
    assert ledger.take(A) == []
    assert ledger.sweep() == (0, [])
    assert ledger.client.hget(key(A), "calls") == b"2"


def test_times_of_a_lease_are_whole(ledger: Ledger) -> None:
    """Whatever another hand wrote: what can't be read is lost with all that was taken beside it."""
    names = ("due_at", "first_call", "last_call", "last_wait", "first_report", "last_report", "waking_since")
    ledger.record(entry(A))
    keeps = json.dumps({"1": [1500.5, 9e12 + 0.5]})
    ledger.client.hset(key(A), mapping=dict.fromkeys(names, "1500.5") | {"keeps": keeps})
    lease = only(ledger.take(A))
    episode = lease.episode
    times = (lease.due_at, lease.first_call, lease.last_call, episode.last_wait, episode.first_report, episode.last_report)
    assert {*times, episode.waking_since, lease.kept_since} == {1.5}
    assert lease.kept_until == 9e9


def test_a_release_gives_back_what_was_taken(ledger: Ledger) -> None:
    """After it the calls, the oldest call and the number of attempts go on; the episode is as it was."""
    ledger.record(entry(A, 2, first_age=9.0, last_age=8.0))
    lease = only(ledger.take(A))
    ledger.record(entry(A, 1))
    ledger.release([lease], [0.0])
    again = only(ledger.take(A))
    assert (again.calls, again.waiting, again.attempts, again.episode) == (3, 3, 2, Episode())
    assert again.first_call == lease.first_call
    assert again.last_call > lease.last_call


def test_a_settle_ends_the_attempts(ledger: Ledger) -> None:
    """The number of attempts begins anew after a report."""
    ledger.record(entry(A))
    ledger.release(ledger.take(A), [0.0])
    ledger.settle(only(ledger.take(A)), repeat_in=0.0)
    assert only(ledger.take(A)).attempts == 1


def test_awake_calls_do_not_wait(ledger: Ledger) -> None:
    """Only calls that found the Revision not awake are counted as waiting."""
    ledger.record(entry(A, 3))
    ledger.record(entry(A, 4, awake=True))
    lease = only(ledger.take(A))
    assert (lease.calls, lease.waiting) == (7, 3)


def test_waiting_grows_over_an_episode(ledger: Ledger) -> None:
    """Those who wait go on waiting after a report of them."""
    ledger.record(entry(A, 3))
    ledger.settle(only(ledger.take(A)))
    ledger.record(entry(A, 2))
    assert only(ledger.take(A)).waiting == 5


def test_a_forgotten_revision_that_the_front_knows_awake_does_not_look_asleep(ledger: Ledger) -> None:
    """Its first report was long ago, so that nothing of the waking is repeated; its calls count, and none waits."""
    (reply,) = ledger.record(entry(A, 4, awake=True))
    assert reply.ring
    assert reply.episode == Episode(0.0, 0.0)
    lease = only(ledger.take(A))
    assert (lease.calls, lease.waiting, lease.episode) == (4, 0, Episode(0.0, 0.0, 0.0))


def test_the_front_learns_when_the_first_report_was(ledger: Ledger) -> None:
    """From the first settled report on the reply says how long ago it was."""
    ledger.record(entry(A))
    lease = only(ledger.take(A))
    assert only(ledger.record(entry(A))).episode == Episode()
    early = settled(lease)._replace(episode=Episode(lease.taken_at - 7, lease.taken_at, 1.0))
    ledger.worker.settle([early])
    assert only(ledger.record(entry(A))).episode == Episode(lease.taken_at - 7, lease.taken_at)


def test_a_revision_with_nothing_due_is_forgotten_idle_after_its_last_call(ledger: Ledger) -> None:
    """Its hash expires, but not while something is due or a new call has come."""
    ledger.record(entry(A))
    lease = only(ledger.take(A))
    assert ledger.expires_in(A) is None
    ledger.settle(lease, idle_after=60, repeat_in=0.0)
    assert ledger.expires_in(A) is None
    ledger.settle(only(ledger.take(A)), idle_after=60)
    assert ledger.expires_in(A) == pytest.approx(60, abs=10)
    ledger.record(entry(A))
    assert ledger.expires_in(A) is None


def test_a_forgotten_revision_is_asleep(ledger: Ledger) -> None:
    """After idle_after nothing is left of it: the next call begins another episode."""
    ledger.record(entry(A, 5))
    ledger.settle(only(ledger.take(A)), idle_after=0.01)
    wait_until(lambda: not ledger.client.exists(key(A)))
    assert only(ledger.record(entry(A, 2))).ring
    lease = only(ledger.take(A))
    assert (lease.calls, lease.waiting, lease.episode) == (2, 2, Episode())


def test_a_buried_wake_up_is_a_dead_letter(ledger: Ledger) -> None:
    """The letter says what was lost and why; nothing is due, and the Revision, not called for long, is forgotten at once."""
    ledger.record(entry(A, 3, first_age=400, last_age=350))
    lease = only(ledger.take(A))
    assert ledger.bury([lease], "expired", idle_after=60) == []
    letter = f"{A}@{lease.token}".encode()
    assert ledger.client.zrange("{wakequeue}:buried", 0, -1) == [letter]
    content = json.loads(ledger.client.hget("{wakequeue}:dead", letter))
    assert content.pop("buried_at") / 1000 == pytest.approx(lease.taken_at, abs=10)
    assert content == {
        "revision": str(A),
        "reason": "expired",
        "calls": 3,
        "attempts": 1,
        "first_call": round(lease.first_call * 1000),
        "last_call": round(lease.last_call * 1000),
        "callers": '{"mixer 10.0.0.7": 3}',
        "tries": "[]",
        "wakeup": lease.wakeup,
    }
    assert (ledger.census().buried, ledger.census().buried_calls, ledger.census().pending) == (1, 3, 0)
    assert not ledger.client.exists(key(A))


def test_dead_letters_are_bounded(ledger: Ledger) -> None:
    """Only the newest are kept; what was dropped is counted, and its calls are discarded."""
    for revision in REVISIONS:
        ledger.record(entry(revision, 2))
        ledger.bury(ledger.take(revision), "expired", idle_after=60, keep_dead_letters=3)
    kept = [letter.decode().partition("@")[0] for letter in ledger.client.zrange("{wakequeue}:buried", 0, -1)]
    assert kept == [str(revision) for revision in REVISIONS[-3:]]
    assert ledger.client.hlen("{wakequeue}:dead") == 3
    assert ledger.client.hget("{wakequeue}:totals", "letters_dropped") == b"%d" % (len(REVISIONS) - 3)
    counted = ledger.census()
    assert (counted.buried_calls, counted.discarded_calls, counted.letters_dropped, counted.drift_calls) == (6, 2, 1, 0)


def test_callers_that_have_gone_wait_no_more(ledger: Ledger) -> None:
    """Settling takes off the waiting callers those that are thought to have given up, and keeps those that came since."""
    ledger.record(entry(A, 10))
    lease = only(ledger.take(A))
    ledger.record(entry(A, 2))
    ledger.worker.settle([settled(lease)._replace(gone=7)])
    assert only(ledger.take(A)).waiting == 5


def test_calls_during_a_lease_outlive_its_burial(ledger: Ledger) -> None:
    """Only what was taken is buried."""
    ledger.record(entry(A, 3))
    lease = only(ledger.take(A))
    ledger.record(entry(A, 2))
    ledger.bury([lease], "unencodable", idle_after=60)
    assert only(ledger.take(A)).calls == 2
    assert ledger.expires_in(A) is None


def test_calls_during_a_lease_wait_for_ready_at_after_its_burial(ledger: Ledger) -> None:
    """A burial doesn't hasten the next report."""
    ledger.record(entry(A))
    ledger.settle(only(ledger.take(A)), ready_in=HOUR, repeat_in=0.0)
    lease = only(ledger.take(A))
    ledger.record(entry(A))
    ledger.bury([lease], "unencodable", idle_after=60)
    assert ledger.take(A) == []


def test_who_was_buried_waits_no_more(ledger: Ledger) -> None:
    """Calls after a burial wait alone."""
    ledger.record(entry(A, 500))
    lease = only(ledger.take(A))
    ledger.record(entry(A, 2))
    ledger.bury([lease], "expired", idle_after=60)
    ledger.record(entry(A, 1))
    assert only(ledger.take(A)).waiting == 3


@pytest.mark.parametrize("verb", ["settle", "release", "bury"])
def test_a_stale_lease_changes_nothing(ledger: Ledger, verb: str) -> None:
    """A lease that ran out, was taken by another since, or never was, is lost, and the ledger stays as it is.

    But for the blame that a sweep put on its Revision: whoever comes with the last lease lives.
    """
    ledger.record(entry(A, 2), entry(B))
    stale, kept = ledger.take(A, B)
    ledger.end_lease(A)

    def lost(lease: Lease) -> bool:
        before = ledger.dump()
        answers = {
            "settle": lambda: ledger.settle(lease),
            "release": lambda: ledger.release([lease], [0.0]),
            "bury": lambda: ledger.bury([lease], "expired", idle_after=60),
        }[verb]()
        return answers == [lease.revision] and ledger.dump() == before

    assert lost(stale)
    assert ledger.sweep() == (1, [A])
    assert not lost(stale)
    assert lost(stale)
    holder = only(ledger.take(A))
    assert holder.token > stale.token
    assert lost(stale)
    assert lost(holder._replace(token=holder.token + 7))
    assert not lost(holder)
    assert not lost(kept)
    assert lost(kept)


def test_one_lost_lease_does_not_stop_the_others(ledger: Ledger) -> None:
    """Of a batch in which one lease ran out the others are settled."""
    ledger.record(entry(A), entry(B), entry(C))
    leases = ledger.take(A, B, C)
    ledger.end_lease(B)
    assert ledger.worker.settle([settled(lease) for lease in leases]) == [B]
    assert ledger.census().settled_calls == 2
    assert ledger.census().leased_calls == 1


def test_a_lease_runs_out_by_rediss_clock(ledger: Ledger) -> None:
    """A lease of some milliseconds is soon ended by a sweep, and what it held is pending again."""
    ledger.record(entry(A, 2))
    lease = only(ledger.take(A, lease_for=0.005))
    assert wait_until(lambda: ledger.sweep()[0]) == 1
    assert ledger.settle(lease) == [A]
    assert only(ledger.take(A, trial=True)).calls == 2


def test_the_sweep_names_each_revision_to_one_caller(ledger: Ledger) -> None:
    """A due Revision is named once, and again after ring_again only."""
    ledger.record(entry(A))
    ledger.release(ledger.take(A), [0.0])
    assert ledger.sweep(ring_again=3.0) == (0, [A])
    assert ledger.sweep(ring_again=3.0) == (0, [])
    assert wait_until(lambda: ledger.sweep(ring_again=HOUR)[1]) == [A]
    assert ledger.sweep() == (0, [])


def test_the_front_rings_before_the_sweep(ledger: Ledger) -> None:
    """While the doorbell is the front's to ring the sweep leaves it alone; the Revision may be taken all the same."""
    assert only(ledger.record(entry(A))).ring
    assert ledger.sweep() == (0, [])
    assert len(ledger.take(A)) == 1


def test_the_sweep_rings_for_a_front_that_did_not(shared_redis: RedisServer, ledger: Ledger) -> None:
    """A doorbell that the front never published is rung after its ring_again."""

    async def record() -> list[Recorded]:
        front = FrontLedger.connect(shared_redis.reach, Settings(ring_again=Seconds(0.1)), QUEUE)
        try:
            return await front.record(Commit("x", 1), [entry(A)])
        finally:
            await front.close()

    assert only(asyncio.run(record())).ring
    assert wait_until(lambda: ledger.sweep()[1]) == [A]


def test_the_sweep_holds_back_while_the_queue_is_long(ledger: Ledger) -> None:
    """With ring_below tasks in the queue it rings nothing, though it still ends leases; with fewer it rings."""
    ledger.record(entry(A), entry(B))
    ledger.take(A, B)
    ledger.end_lease(A, B)
    ledger.client.lpush(QUEUE, *range(5))
    assert ledger.sweep(ring_below=5) == (2, [])
    assert ledger.census().queued_tasks == 5
    assert sorted(ledger.sweep(ring_below=6)[1]) == [A, B]


def test_a_sweep_does_so_much_at_most(ledger: Ledger) -> None:
    """What is beyond `most` is left to the next sweep."""
    ledger.record(*map(entry, REVISIONS))
    ledger.take(*REVISIONS)
    ledger.end_lease(*REVISIONS)
    assert [(dead, len(due)) for dead, due in (ledger.sweep(most=3) for _ in range(3))] == [(3, 3), (1, 1), (0, 0)]


def test_the_census_says_for_how_long_the_oldest_has_been_due(ledger: Ledger) -> None:
    """It is the age of the oldest due_at, and 0 where nothing is due."""
    ledger.record(entry(A), entry(B))
    ledger.client.hincrby(key(B), "due_at", -900_000)
    assert ledger.census().oldest_due_seconds == pytest.approx(900.0, abs=10)
    ledger.release(ledger.take(A, B), [HOUR, HOUR])
    assert ledger.census().oldest_due_seconds == 0


def test_the_census_has_a_name_for_every_figure(ledger: Ledger) -> None:
    """Its figures, the drift among them, are numbers by name."""
    ledger.record(entry(A, 3))
    ledger.client.hincrby("{wakequeue}:totals", "recorded", 2)
    figures = ledger.census().as_dict()
    assert (figures["pending_calls"], figures["recorded_calls"], figures["drift_calls"]) == (3, 5, 2)


def test_the_oldest_call_stays_the_oldest(ledger: Ledger) -> None:
    """However late an entry comes, and through a release, first_call is that of the oldest unreported call."""
    ledger.record(entry(A, first_age=100.0))
    ledger.record(entry(A, first_age=1_000.0))
    lease = only(ledger.take(A))
    assert lease.taken_at - lease.first_call == pytest.approx(1_000.0, abs=10)
    ledger.record(entry(A, first_age=2_000.0))
    ledger.release([lease], [0.0])
    again = only(ledger.take(A))
    assert again.taken_at - again.first_call == pytest.approx(2_000.0, abs=10)


def test_old_calls_of_a_forgotten_revision_do_not_make_it_awake(ledger: Ledger) -> None:
    """A front's knowledge ends idle_after after the last call, however late Redis comes back."""
    (reply,) = ledger.record(entry(A, 4, awake=True, first_age=2 * HOUR, last_age=1.5 * HOUR))
    assert reply.episode == Episode()
    assert only(ledger.take(A)).waiting == 0


def test_a_commit_of_a_thousand_revisions(ledger: Ledger) -> None:
    """The most that a front puts into one commit is recorded, taken, and settled, buried or released in one script each."""
    revisions = [Revision("many", f"r{number}") for number in range(1_000)]
    assert all(one.ring for one in ledger.record(*(entry(revision, 2) for revision in revisions)))
    leases = ledger.take(*revisions)
    assert [lease.revision for lease in leases] == revisions
    assert ledger.worker.settle([settled(lease) for lease in leases[:500]]) == []
    assert ledger.bury(leases[500:600], "expired") == []
    assert ledger.release(leases[600:], [0.0] * 400) == []
    counted = ledger.census()
    assert (counted.settled_calls, counted.buried_calls, counted.pending_calls, counted.pending) == (1_000, 200, 800, 400)
    assert counted.drift_calls == 0
    assert len(ledger.sweep()[1]) == 400


def test_the_keys_are_those_of_the_docstring(ledger: Ledger) -> None:
    """After every verb there are the documented keys, of their types and with their fields, and nothing else."""
    # As after doorbells and reports of a minute at once: those of one alone would soon be gone.
    limits = {f"{{wakequeue}}:{limit}": round((ledger.now() + 60) * 1e6) for limit in ("ring:shop", "rate:shop", "rate")}
    ledger.client.set("{wakequeue}:ring:shop", limits["{wakequeue}:ring:shop"], px=60_000)
    ledger.record(*(entry(one)._replace(traces=["00-1-1-01"]) for one in REVISIONS), commit=Commit("x", 1))
    names = ledger.types()
    a, b, c, _ = ledger.take(*REVISIONS)
    ledger.settle(a)
    ledger.release([b], [0.0])
    ledger.bury([c], "expired")
    ledger.end_lease(D)
    # Their keys are gone after a second.
    for verb, lasts in ((ledger.sweep, "{wakequeue}:connected"), (ledger.hasten, "{wakequeue}:hastened")):
        wait_until(lambda verb=verb, lasts=lasts: (verb(), names.update(ledger.types())) and lasts in names, what=lasts)
    ledger.take(D, trial=True)
    ledger.record(entry(C)._replace(style="original"), waits(D, "1")._replace(traces=["00-2-2-01"]))
    for limit, arrival in limits.items():
        ledger.client.set(limit, arrival, px=60_000)
    ledger.take(B, C, rate_limit=2, rate_burst=1, namespace_rate_limit=1, namespace_rate_burst=1)
    ledger.starts.begin("hand", [Start(D, keep_for=HOUR), Start(D, at=ledger.now() + HOUR)])
    ledger.starts.lead(STARTS, "beat", ["office"], HOUR)
    names |= ledger.types()
    assert {only([kind for kind in KEYS if fnmatch.fnmatchcase(name, kind)]) for name in names} == set(KEYS)
    assert all(names[name] == KEYS[kind] for name in names for kind in KEYS if fnmatch.fnmatchcase(name, kind))
    fields = {field for revision in REVISIONS for field in ledger.client.hkeys(key(revision))}
    assert fields == FIELDS
    totals = {b"recorded", b"settled", b"buried", b"token", b"clock", b"ahead"}
    assert set(ledger.client.hkeys("{wakequeue}:totals")) == totals


@pytest.fixture
def own_ledger(redis_server: RedisServer) -> Iterator[Ledger]:
    """An empty ledger, on a Redis that may be hurt."""
    ledger = Ledger(redis_server)
    yield ledger
    ledger.close()


def test_a_full_redis_refuses_a_commit_whole(own_ledger: Ledger) -> None:
    """It raises LedgerUnavailable and leaves nothing half-written; the same commit counts once there is room."""
    ledger = own_ledger
    ledger.record(entry(A))
    before = ledger.dump()
    ledger.client.config_set("maxmemory", 1)
    for _ in range(2):
        with pytest.raises(LedgerUnavailable):
            ledger.record(entry(A, 2), entry(B, 3), commit=Commit("x", 1))
    assert ledger.dump() == before
    ledger.client.config_set("maxmemory", 0)
    assert [one.ring for one in ledger.record(entry(A, 2), entry(B, 3), commit=Commit("x", 1))] == [False, True]
    assert ledger.census().pending_calls == 6


def test_a_full_redis_does_the_workers_verbs_whole_or_not_at_all(own_ledger: Ledger) -> None:
    """With its memory full no verb leaves a wake-up between two states."""
    ledger = own_ledger
    ledger.record(*(entry(revision, 2) for revision in REVISIONS))
    a, b, c, _ = ledger.take(*REVISIONS)
    other = Revision("shop", "e")
    ledger.record(entry(other), *(entry(revision) for revision in REVISIONS))
    ledger.end_lease(D)
    ledger.client.config_set("maxmemory", 1)
    for verb in (
        lambda: ledger.settle(a),
        lambda: ledger.release([b], [0.0]),
        lambda: ledger.bury([c], "expired"),
        ledger.sweep,
        ledger.sweep,
        lambda: ledger.take(other),
    ):
        before = ledger.dump()
        try:
            verb()
        except LedgerUnavailable:
            assert ledger.dump() == before
        assert ledger.census().drift_calls == 0


def test_an_absent_redis_is_unavailable(own_ledger: Ledger, redis_server: RedisServer) -> None:
    """Every verb of a worker raises LedgerUnavailable, and ping says that nothing answers."""
    ledger = own_ledger
    ledger.client.config_set("appendfsync", "always")  # what is killed has forgotten nothing
    ledger.record(entry(A))
    lease = only(ledger.take(A))
    assert ledger.worker.ping()
    redis_server.kill()
    for verb in (
        lambda: ledger.take(A),
        lambda: ledger.settle(lease),
        lambda: ledger.release([lease], [0.0]),
        lambda: ledger.bury([lease], "expired"),
        ledger.sweep,
        ledger.census,
    ):
        with pytest.raises(LedgerUnavailable):
            verb()
    assert not ledger.worker.ping()
    redis_server.start()
    assert ledger.settle(lease) == []


def test_a_stalled_redis_is_given_up(redis_server: RedisServer) -> None:
    """A worker waits no longer than its timeout for a Redis that keeps the connection and answers nothing."""
    worker = WorkerLedger.connect(redis_server.reach, Settings(), timeout=1.5)
    assert worker.take([A]).leases == []
    redis_server.pause()
    try:
        began = time.monotonic()
        with pytest.raises(LedgerUnavailable):
            worker.take([A])
        assert not worker.ping()
        assert time.monotonic() - began < 10
    finally:
        redis_server.resume()
        worker.client.close()


@pytest.mark.parametrize("bad", [A, B])
def test_what_one_revision_spoils_is_its_own(ledger: Ledger, bad: Revision) -> None:
    """A verb fails at a Revision whose key holds what none of ours writes: those before it are in the set that their key says."""
    ledger.record(entry(A), entry(B))
    ledger.client.hset(key(bad), "keeps", "{")
    others = [one for one in (A, B) if one != bad]

    with pytest.raises(LedgerUnavailable):
        ledger.take(A, B, lease_for=0.001)

    ledger.client.hdel(key(bad), "keeps")
    wait_until(lambda: not ledger.client.zcard("{wakequeue}:leased") or ledger.sweep()[0], what="the sweep to give back")
    taken = ledger.take(*REVISIONS) + ledger.take(*REVISIONS, trial=True)
    assert {one.revision for one in taken} >= set(others)
    assert ledger.census().drift_calls == 0
