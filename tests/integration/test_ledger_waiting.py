"""The ledger on a real Redis, of requests that are known to wait: each counts once, and the waking goes on while they come."""

import pytest
from support.ledger import HOUR, MINUTE, A, B, Ledger, entry, only, waits

from wakequeue.ledger import Commit, Entry, Settled


def told(ledger: Ledger, *requests: str, last_age: float = 0.0) -> None:
    """Have the ledger told that requests wait for A."""
    ledger.record(waits(A, *requests, last_age=last_age))


def asked_for(ledger: Ledger) -> None:
    """Let the time come at which A may be reported again."""
    ledger.client.hset("{wakequeue}:r:shop/a", "due_at", 1)


def test_requests_that_wait_are_leased_as_such(ledger: Ledger) -> None:
    """A lease has their calls, and says how many are known to wait beside those that are thought to."""
    ledger.record(entry(A, 2), waits(A, "1", "2", "3"))
    lease = only(ledger.take(A))
    assert (lease.calls, lease.waiting, lease.known) == (5, 2, 3)
    assert lease.episode.last_wait == pytest.approx(lease.taken_at, abs=10)


def test_only_who_was_told_of_lately_waits(ledger: Ledger) -> None:
    """A request counts as waiting for 1.5 `report_every` after it last came, and is still the same call afterwards."""
    told(ledger, "1", "2", last_age=120.0)
    told(ledger, "2", "3")
    lease = only(ledger.take(A, report_every=MINUTE))
    assert (lease.calls, lease.known) == (3, 2)


def test_a_request_is_forgotten_after_patience(ledger: Ledger) -> None:
    """Should it come again then, it is a call of its own; and the key goes by itself."""
    told(ledger, "1")
    ledger.client.zincrby("{wakequeue}:w:shop/a", -HOUR * 1000, "1")
    told(ledger, "2")
    told(ledger, "1")
    assert ledger.census().recorded_calls == 3
    assert (HOUR - 60) * 1000 < ledger.client.pttl("{wakequeue}:w:shop/a") <= HOUR * 1000


def test_a_request_that_is_told_late_is_one_call(ledger: Ledger) -> None:
    """After an outage longer than `patience` both fronts that it came to tell of it, and then that it waits; none is doubled."""
    told(ledger, "1", last_age=4 * HOUR)
    told(ledger, "1", last_age=2 * HOUR)
    ledger.record(waits(A, "1", caller=""))
    lease = only(ledger.take(A))
    assert (lease.calls, lease.known) == (1, 1)


def test_who_has_gone_during_an_outage_does_not_wait(ledger: Ledger) -> None:
    """Each has the time at which it last came: all count, and only those wait that came lately."""
    requests = {str(age): ("http 1", MINUTE * age) for age in range(60)}
    ledger.record(Entry(A, 0, awake=False, first_age=59 * MINUTE, last_age=0.0, requests=requests))
    lease = only(ledger.take(A, report_every=MINUTE))
    assert (lease.calls, lease.known) == (60, 2)


def test_a_request_that_is_counted_already_is_no_call(ledger: Ledger) -> None:
    """The ledger believes the front that says so, even where it doesn't know the request any more."""
    ledger.record(entry(A), waits(A, "1", "2", caller=""))
    lease = only(ledger.take(A))
    assert (lease.calls, lease.known) == (1, 2)


def test_who_made_the_calls_is_remembered(ledger: Ledger) -> None:
    """Each new request is its caller's; one that was known is nobody's call any more."""
    ledger.record(
        Entry(A, 1, awake=False, first_age=0, last_age=0, callers={"mixer 1": 1}, requests={"a": ("http 1", 0), "b": ("http 2", 0)})
    )
    ledger.record(Entry(A, 0, awake=False, first_age=0, last_age=0, requests=dict.fromkeys("bcd", ("http 3", 0))))
    lease = only(ledger.take(A))
    ledger.settle(lease)
    (line,) = ledger.client.xrange("{wakequeue}:history")
    callers = line[1][b"callers"]
    assert set(callers.decode().strip("{}").split(",")) == {'"mixer 1":1', '"http 1":1', '"http 2":1', '"http 3":2'}


def test_a_request_that_goes_on_waiting_makes_its_revision_due(ledger: Ledger) -> None:
    """Not at once, which would be the correction that new calls may need, but when the next report is."""
    told(ledger, "1")
    lease = only(ledger.take(A))
    ledger.settle(lease, ready_in=50.0)
    told(ledger, "1")
    due_at = int(ledger.client.hget("{wakequeue}:r:shop/a", "due_at")) / 1000
    assert due_at == pytest.approx(lease.taken_at + MINUTE, abs=0.01)
    told(ledger, "2")
    due_at = int(ledger.client.hget("{wakequeue}:r:shop/a", "due_at")) / 1000
    assert due_at == pytest.approx(lease.taken_at + 50.0, abs=0.01)


def test_a_report_of_waiting_requests_needs_no_new_call(ledger: Ledger) -> None:
    """It is leased with no calls, and with who waits; nothing is counted twice or missing."""
    told(ledger, "1", "2")
    ledger.settle(only(ledger.take(A)), ready_in=0.2)
    asked_for_later = waits(A, "1", "2")
    ledger.record(asked_for_later)
    asked_for(ledger)
    ledger.record(asked_for_later)
    lease = only(ledger.take(A))
    assert (lease.calls, lease.known) == (0, 2)
    ledger.settle(lease)
    census = ledger.census()
    assert (census.recorded_calls, census.settled_calls, census.drift_calls) == (2, 2, 0)


def test_a_revision_that_is_waited_for_is_not_forgotten(ledger: Ledger) -> None:
    """Its last call is the last attempt, so that its episode goes on."""
    told(ledger, "1", last_age=5.0)
    ledger.settle(only(ledger.take(A)), ready_in=60.0, idle_after=10.0)
    before = ledger.client.hget("{wakequeue}:r:shop/a", "last_call")
    told(ledger, "1")
    assert int(ledger.client.hget("{wakequeue}:r:shop/a", "last_call")) > int(before) + 4_000
    assert ledger.expires_in(A) is None


def test_a_commit_of_waiting_requests_counts_once(ledger: Ledger) -> None:
    """Sent again it changes nothing, as any other."""
    ledger.record(waits(A, "1"), waits(B, "1"), commit=Commit("x", 1))
    before = ledger.dump()
    ledger.record(waits(A, "1"), waits(B, "1"), commit=Commit("x", 1))
    assert ledger.dump() == before


def test_once_awake_nobody_waits_any_more(ledger: Ledger) -> None:
    """Who once was thought to wait isn't added to those who wait later."""
    ledger.record(entry(A, 500))
    lease = only(ledger.take(A))
    ledger.worker.settle([Settled(lease, lease.episode._replace(first_report=1.0, last_report=lease.taken_at), 0.0, None, "awake")])
    told(ledger, "1")
    asked_for(ledger)
    lease = only(ledger.take(A))
    assert (lease.waiting, lease.known) == (0, 1)


def test_how_to_report_is_told_with_the_lease(ledger: Ledger) -> None:
    """The last call that says so decides, for as long as the episode lasts."""
    ledger.record(entry(A)._replace(style="original"), entry(B))
    ledger.record(entry(A))
    assert [lease.style for lease in ledger.take(A, B)] == ["original", ""]


def test_a_request_that_waits_for_a_forgotten_revision(ledger: Ledger) -> None:
    """A request that was counted, and is heard of again when its Revision is forgotten, has it reported, with no new call."""
    ledger.record(waits(A, "one"))
    ledger.settle(only(ledger.take(A)))
    ledger.forget(A)
    ledger.record(waits(A, "one"))
    again = only(ledger.take(A))
    assert (again.calls, again.known, again.episode.first_report) == (0, 1, None)
