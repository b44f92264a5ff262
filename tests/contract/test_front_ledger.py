"""What the recorder relies on of a ledger, held by the fake and by the real one on Redis."""

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Protocol

import pytest
from support.fakes import FakeLedger
from support.ledger import waits
from support.redis_server import RedisServer

from wakequeue.broker import QUEUE
from wakequeue.episode import Episode
from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger import Begun, Commit, Entry, FrontLedger, Recorded, Settled, Start, WorkerLedger
from wakequeue.revision import Revision
from wakequeue.settings import Settings

A, B, C = (Revision("shop", name) for name in "abc")


def entry(revision: Revision, calls: int = 1, *, awake: bool = False) -> Entry:
    """Calls that were made just now."""
    return Entry(revision, calls, awake, 0.0, 0.0)


def age(reply: Recorded) -> float | None:
    """How long ago the first report was, in seconds."""
    return None if reply.episode.first_report is None else reply.at - reply.episode.first_report


class Subject(Protocol):
    """A ledger under test, and what a test does to it."""

    def record(self, commit: Commit, entries: Sequence[Entry]) -> list[Recorded]:
        """The verb."""
        ...

    def begin(self, *starts: Start) -> Begun:
        """The other verb."""
        ...

    def report(self, revision: Revision, ago: float = 0.0) -> None:
        """Have a Revision's calls reported, its first report `ago` seconds in the past."""
        ...

    def calls(self) -> int:
        """How many calls were recorded."""
        ...

    def go_away(self) -> None:
        """Answer no more."""
        ...

    def come_back(self) -> None:
        """Answer again."""
        ...


class Fake:
    """The fake that the recorder's tests use."""

    def __init__(self) -> None:
        self._ledger = FakeLedger()
        self.report = self._ledger.report

    def record(self, commit: Commit, entries: Sequence[Entry]) -> list[Recorded]:
        """The verb."""
        return asyncio.run(self._ledger.record(commit, entries))

    def begin(self, *starts: Start) -> Begun:
        """The other verb."""
        return asyncio.run(self._ledger.begin("http_wake 10.0.0.7", starts))

    def calls(self) -> int:
        """How many calls were recorded."""
        return self._ledger.calls().total()

    def go_away(self) -> None:
        """Answer no more."""
        self._ledger.away = True

    def come_back(self) -> None:
        """Answer again."""
        self._ledger.away = False


class Real:
    """The FrontLedger, on a Redis that can be killed."""

    def __init__(self, server: RedisServer, timeout: float = 10.0) -> None:
        self._runner = asyncio.Runner()
        self._front = FrontLedger.connect(server.reach, Settings(), QUEUE, timeout=timeout)
        self._worker = WorkerLedger(server.client, Settings())
        server.client.config_set("appendfsync", "always")  # what is killed has forgotten nothing
        self.go_away, self.come_back = server.kill, server.start

    def record(self, commit: Commit, entries: Sequence[Entry]) -> list[Recorded]:
        """The verb."""
        return self._runner.run(self._front.record(commit, entries))

    def begin(self, *starts: Start) -> Begun:
        """The other verb."""
        return self._runner.run(self._front.begin("http_wake 10.0.0.7", starts))

    def report(self, revision: Revision, ago: float = 0.0) -> None:
        """Have a Revision's calls reported, its first report `ago` seconds in the past."""
        (lease,) = self._worker.take([revision]).leases
        episode = Episode(lease.taken_at - ago, lease.taken_at, 1.0)
        assert self._worker.settle([Settled(lease, episode, lease.taken_at, None, "asleep")]) == []

    def calls(self) -> int:
        """How many calls were recorded."""
        return self._worker.census(QUEUE).recorded_calls

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._front.close())
        self._runner.close()


@pytest.fixture
def real(redis_server: RedisServer) -> Iterator[Real]:
    """The real ledger alone."""
    real = Real(redis_server)
    yield real
    real.close()


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Subject:
    """Each ledger in turn."""
    return Fake() if request.param == "fake" else request.getfixturevalue("real")


def test_the_replies_are_in_the_order_of_the_entries(subject: Subject) -> None:
    """Each entry has one reply, at its place."""
    subject.record(Commit("front", 1), [entry(B)])
    subject.report(B, ago=60.0)
    subject.record(Commit("front", 2), [entry(C)])
    a, b, c = subject.record(Commit("front", 3), [entry(A), entry(B), entry(C)])
    assert (a.ring, b.ring, c.ring) == (True, True, False)
    assert age(a) is None
    assert age(b) == pytest.approx(60.0, abs=5.0)
    assert age(c) is None


def test_a_commit_that_is_sent_again_changes_nothing(subject: Subject) -> None:
    """The same commit counts once, however often it is sent, and has its doorbell rung again while nobody answered it."""
    (first,) = subject.record(Commit("front", 1), [entry(A, 3)])
    again = [subject.record(Commit("front", 1), [entry(A, 3)]) for _ in range(3)]
    assert (first.ring, first.episode) == (True, Episode())
    assert [reply.ring for (reply,) in again] == [True] * 3
    assert subject.calls() == 3


def test_a_wake_up_has_one_id(subject: Subject) -> None:
    """All commits are told it, before a report and after; the first alone begins it, though it is sent again."""
    first, _ = subject.record(Commit("front", 1), [entry(A), entry(B)])
    (again, other) = subject.record(Commit("front", 1), [entry(A), entry(B)])
    (next_,) = subject.record(Commit("other", 1), [entry(A)])
    subject.report(A)
    (late,) = subject.record(Commit("other", 2), [entry(A)])
    assert re.fullmatch("[0-9a-f]{32}", first.wakeup)
    assert {one.wakeup for one in (again, next_, late)} == {first.wakeup} != {other.wakeup}
    assert [one.begins for one in (first, again, next_, late)] == [True, True, False, False]


def test_a_doorbell_is_one_commits_to_ring(subject: Subject) -> None:
    """Of several commits before a report, the first alone is to ring; after the report the next one is."""
    rings = [subject.record(Commit("front", number + 1), [entry(A)])[0].ring for number in range(3)]
    subject.report(A)
    rings += [subject.record(Commit("front", number + 1), [entry(A)])[0].ring for number in range(3, 5)]
    assert rings == [True, False, False, True, False]


def test_an_awake_revision_that_was_forgotten_goes_on_being_awake(subject: Subject) -> None:
    """Calls that found a Revision awake don't make one that fell asleep by the ledger look as if it had never been reported."""
    (reply,) = subject.record(Commit("front", 1), [entry(A, awake=True)])
    assert reply.ring
    assert (age(reply) or 0) > 1e6


def test_a_request_that_goes_on_waiting_counts_once(subject: Subject) -> None:
    """By whatever stream it comes; another request, and the same id at another Revision, is a call of its own."""
    subject.record(Commit("front:groups", 1), [waits(A, "1", "2"), entry(A, 3)])
    subject.record(Commit("front:waiting", 1), [waits(A, "1", "2")])
    subject.record(Commit("other:groups", 1), [waits(A, "2", "3"), waits(B, "1")])
    assert subject.calls() == 3 + 3 + 1


def test_a_revision_that_requests_wait_for_says_so(subject: Subject) -> None:
    """It is not awake, however long ago it was first reported: every later reply says when a request was last known to wait."""
    subject.record(Commit("front", 1), [entry(A)])
    subject.report(A, ago=60.0)
    (before,) = subject.record(Commit("front", 2), [entry(A)])
    (told,) = subject.record(Commit("front", 3), [waits(A, "1", last_age=0.5)])
    (after,) = subject.record(Commit("front", 4), [entry(A)])
    rhythm = replace(Settings().rhythm, report_every=10.0)
    assert [one.episode.phase(one.at, rhythm) for one in (before, told, after)] == ["awake", "waking", "waking"]
    assert told.episode.last_wait == pytest.approx(told.at - 0.5, abs=0.002)


def test_what_begins_is_due_or_planned(subject: Subject) -> None:
    """Those of now, or of a time that has just come, are the caller's to ring; the others are counted."""
    later, just_now = time.time() + 60, time.time() - 0.1
    assert subject.begin(Start(A), Start(B, at=later, keep_for=60), Start(C, at=just_now)) == Begun(planned=1, made=2, due=[A, C])
    assert subject.begin(Start(B, at=later, keep_for=60)) == Begun(planned=1)


def test_nothing_begins_in_an_absent_ledger(subject: Subject) -> None:
    """It raises LedgerUnavailable."""
    subject.go_away()
    with pytest.raises(LedgerUnavailable):
        subject.begin(Start(A))


def test_an_absent_ledger_is_unavailable(subject: Subject) -> None:
    """While it is away every commit raises LedgerUnavailable, and none is counted; once it is back the same commit counts once."""
    subject.record(Commit("front", 1), [entry(A)])
    subject.go_away()
    for _ in range(2):
        with pytest.raises(LedgerUnavailable):
            subject.record(Commit("front", 2), [entry(A, 2)])
    subject.come_back()
    subject.record(Commit("front", 2), [entry(A, 2)])
    assert subject.calls() == 3


def test_a_commit_that_redis_recorded_before_it_died_counts_once(real: Real) -> None:
    """A commit whose answer was lost with Redis is still known when Redis is back."""
    real.record(Commit("front", 1), [entry(A, 2)])
    real.go_away()
    with pytest.raises(LedgerUnavailable):
        real.record(Commit("front", 1), [entry(A, 2)])
    real.come_back()
    assert [reply.ring for reply in real.record(Commit("front", 1), [entry(A, 2)])] == [True]
    assert real.calls() == 2


def test_a_stalled_redis_is_given_up_in_time(redis_server: RedisServer) -> None:
    """A Redis that keeps the connection and answers nothing is unavailable after the timeout; what it then does counts once."""
    real = Real(redis_server, timeout=2.0)
    try:
        real.record(Commit("front", 1), [entry(A)])
        redis_server.pause()
        began = time.monotonic()
        for _ in range(2):
            with pytest.raises(LedgerUnavailable):
                real.record(Commit("front", 2), [entry(A, 2)])
        assert time.monotonic() - began < 8
        redis_server.resume()
        real.record(Commit("front", 2), [entry(A, 2)])
        assert real.calls() == 3
    finally:
        redis_server.resume()
        real.close()
