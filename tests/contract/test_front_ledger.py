"""What the recorder relies on of a ledger, held by the fake and by the real one on Redis."""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

import pytest
from support.fakes import FakeLedger
from support.redis_server import RedisServer

from wakequeue.broker import QUEUE
from wakequeue.episode import Episode
from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger import Entry, FrontLedger, Recorded, Settled, WorkerLedger
from wakequeue.revision import Revision

A, B, C = (Revision("shop", name) for name in "abc")


def entry(revision: Revision, calls: int = 1, *, awake: bool = False) -> Entry:
    """Calls that were made just now."""
    return Entry(revision, calls, awake, 0.0, 0.0)


class Subject(Protocol):
    """A ledger under test, and what a test does to it."""

    def record(self, commit: str, entries: Sequence[Entry]) -> list[Recorded]:
        """The verb."""
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

    def record(self, commit: str, entries: Sequence[Entry]) -> list[Recorded]:
        """The verb."""
        return asyncio.run(self._ledger.record(commit, entries))

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

    def __init__(self, server: RedisServer, timeout: float = 2.0) -> None:
        self._runner = asyncio.Runner()
        self._front = FrontLedger.connect(server.url, ring_again=3.0, timeout=timeout)
        self._worker = WorkerLedger(server.client)
        server.client.config_set("appendfsync", "always")  # what is killed has forgotten nothing
        self.go_away, self.come_back = server.kill, server.start

    def record(self, commit: str, entries: Sequence[Entry]) -> list[Recorded]:
        """The verb."""
        return self._runner.run(self._front.record(commit, entries))

    def report(self, revision: Revision, ago: float = 0.0) -> None:
        """Have a Revision's calls reported, its first report `ago` seconds in the past."""
        (lease,) = self._worker.take([revision], 10)
        episode = Episode(lease.taken_at - ago, lease.taken_at, 1.0)
        assert self._worker.settle([Settled(lease, episode, lease.taken_at, None)], 60) == []

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
    subject.record("1", [entry(B)])
    subject.report(B, ago=4.0)
    subject.record("2", [entry(C)])
    a, b, c = subject.record("3", [entry(A), entry(B), entry(C)])
    assert (a.ring, b.ring, c.ring) == (True, True, False)
    assert a.first_report_age is None
    assert b.first_report_age == pytest.approx(4.0, abs=1.0)
    assert c.first_report_age is None


def test_a_commit_that_is_sent_again_changes_nothing(subject: Subject) -> None:
    """The same commit counts once and rings once, however often it is sent."""
    (first,) = subject.record("1", [entry(A, 3)])
    again = [subject.record("1", [entry(A, 3)]) for _ in range(3)]
    assert first == Recorded(ring=True, first_report_age=None)
    assert again == [[Recorded(ring=False, first_report_age=None)]] * 3
    assert subject.calls() == 3


def test_a_doorbell_is_one_commits_to_ring(subject: Subject) -> None:
    """Of several commits before a report, the first alone is to ring; after the report the next one is."""
    rings = [subject.record(str(number), [entry(A)])[0].ring for number in range(3)]
    subject.report(A)
    rings += [subject.record(str(number), [entry(A)])[0].ring for number in range(3, 5)]
    assert rings == [True, False, False, True, False]


def test_an_awake_revision_that_was_forgotten_goes_on_being_awake(subject: Subject) -> None:
    """Calls that found a Revision awake don't make one that fell asleep by the ledger look as if it had never been reported."""
    (reply,) = subject.record("1", [entry(A, awake=True)])
    assert reply.ring
    assert reply.first_report_age is not None
    assert reply.first_report_age > 1e6


def test_an_absent_ledger_is_unavailable(subject: Subject) -> None:
    """While it is away every commit raises LedgerUnavailable, and none is counted; once it is back the same commit counts once."""
    subject.record("1", [entry(A)])
    subject.go_away()
    for _ in range(2):
        with pytest.raises(LedgerUnavailable):
            subject.record("2", [entry(A, 2)])
    subject.come_back()
    subject.record("2", [entry(A, 2)])
    assert subject.calls() == 3


def test_a_commit_that_redis_recorded_before_it_died_counts_once(real: Real) -> None:
    """A commit whose answer was lost with Redis is still known when Redis is back."""
    real.record("1", [entry(A, 2)])
    real.go_away()
    with pytest.raises(LedgerUnavailable):
        real.record("1", [entry(A, 2)])
    real.come_back()
    assert real.record("1", [entry(A, 2)]) == [Recorded(ring=False, first_report_age=None)]
    assert real.calls() == 2


def test_a_stalled_redis_is_given_up_in_time(redis_server: RedisServer) -> None:
    """A Redis that keeps the connection and answers nothing is unavailable after the timeout; what it then does counts once."""
    real = Real(redis_server, timeout=0.2)
    try:
        real.record("1", [entry(A)])
        redis_server.pause()
        began = time.monotonic()
        for _ in range(2):
            with pytest.raises(LedgerUnavailable):
                real.record("2", [entry(A, 2)])
        assert time.monotonic() - began < 2
        redis_server.resume()
        real.record("2", [entry(A, 2)])
        assert real.calls() == 3
    finally:
        redis_server.resume()
        real.close()
