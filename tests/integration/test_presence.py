"""Who says that it is there, on a real Redis."""

import signal
import socket
import threading
import time

import pytest
from support.installation import Installation
from support.redis_server import RedisServer
from support.waiting import wait_until

from wakequeue import __version__, present
from wakequeue.ledger import Presence, Presences
from wakequeue.ledger.presence import LASTS
from wakequeue.present import Present
from wakequeue.settings import Settings

FRONT = Presence("front-7c9:1", "hook", "1.2.3", 1_000.0, {"idle_after": "a19a1584"})
WORKER = Presence("worker-4f2:1", "worker", "1.2.3", 2_000.0)
KEYS = ("{wakequeue}:heard", "{wakequeue}:processes")


@pytest.fixture
def presences(shared_redis: RedisServer) -> Presences:
    """Nobody is there."""
    return Presences(shared_redis.client)


def test_who_says_so_is_there(presences: Presences) -> None:
    """All of it is told, by roles and names; by another word of the same process the newer counts."""
    presences.say("w", WORKER, time.time())
    presences.say("f", Presence("old:1", "hook", "1", 0.0), time.time())
    presences.say("f", FRONT, time.time())
    front, worker = presences.all()
    assert front.as_dict() == FRONT.as_dict()
    assert worker.role == "worker"


@pytest.mark.parametrize("ahead", [-70.0, 0.0, 70.0])
def test_a_clock_is_held_against_that_of_redis(presences: Presences, ahead: float) -> None:
    """By how much it is ahead, however the clock of whoever asks goes."""
    presences.say("f", FRONT, time.time() + ahead)
    (front,) = presences.all()
    assert front.ahead == pytest.approx(ahead, abs=10)


def test_who_leaves_is_gone(presences: Presences) -> None:
    """It alone."""
    presences.say("f", FRONT, time.time())
    presences.say("w", WORKER, time.time())
    presences.leave("f")
    presences.leave("somebody else")
    assert [one.role for one in presences.all()] == ["worker"]


def test_who_falls_silent_is_forgotten(presences: Presences, shared_redis: RedisServer) -> None:
    """By the next word of another; without one, all go together."""
    presences.say("f", FRONT, time.time())
    shared_redis.client.zadd(KEYS[0], {"f": (time.time() - LASTS) * 1000 - 1})
    presences.say("w", WORKER, time.time())
    assert [one.role for one in presences.all()] == ["worker"]
    assert all(0 < shared_redis.client.pttl(key) <= LASTS * 1000 for key in KEYS)


def test_what_a_newer_version_says_besides(presences: Presences, shared_redis: RedisServer) -> None:
    """It is left out."""
    says = b'12 {"name":"a:1","role":"hook","version":"9","since":1,"digests":{},"more":[]}'
    shared_redis.client.hset(KEYS[1], "a", says)
    assert presences.all() == [Presence("a:1", "hook", "9", 1, {}, 0.012)]


@pytest.mark.parametrize(
    "says",
    [
        b"",
        b"0 [1]",
        b"0 {}",
        b"0 " + b"[" * 100_000,
        b'x {"name":"a:1","role":"hook","version":"9","since":1}',
        b'0 {"name":"a:1","role":"hook","version":{},"since":1}',
        b'0 {"name":"a:1","role":"hook","version":"\\u001b[2J","since":1}',
        b'0 {"name":"a:1","role":"[/red]","version":"9","since":1}',
        b'0 {"name":"\xff","role":"hook","version":"9","since":1}',
        b'0 {"name":"a:1","role":"hook","version":"9","since":1,"digests":{"zone":1}}',
    ],
)
def test_what_is_no_presence_hides_nobody(presences: Presences, shared_redis: RedisServer, says: bytes) -> None:
    """It is left out, whatever its author meant by it; so nothing that moves a terminal's cursor is shown."""
    presences.say("f", FRONT, time.time())
    shared_redis.client.hset(KEYS[1], "odd", says)
    assert [one.as_dict() for one in presences.all()] == [FRONT.as_dict()]


def test_what_an_older_version_leaves_out(presences: Presences, shared_redis: RedisServer) -> None:
    """It is there all the same."""
    shared_redis.client.hset(KEYS[1], "a", b'0 {"name":"a:1","role":"hook","version":"0","since":1}')
    assert presences.all() == [Presence("a:1", "hook", "0", 1.0)]


def test_redis_is_away_when_it_begins(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said as soon as Redis is back, and taken back at the end."""
    monkeypatch.setattr(present, "SAY_EVERY", 0.02)
    monkeypatch.setattr(present, "WITHIN", 10.0)
    redis_server.kill()
    ours = Present("beat", redis_server.reach, Settings())
    redis_server.start()
    presences = Presences(redis_server.client)
    (one,) = wait_until(presences.all, what="its word")
    assert (one.role, one.version) == ("beat", __version__)
    ours.close(20.0)
    assert not presences.all()


def test_whatever_fails_it_is_said_again(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect ends neither the thread nor the process that stops."""
    failed = threading.Event()

    def fails(*_word: object) -> None:
        failed.set()
        raise ZeroDivisionError

    monkeypatch.setattr(present, "SAY_EVERY", 0.02)
    monkeypatch.setattr(present, "WITHIN", 10.0)
    with monkeypatch.context() as broken:
        broken.setattr(Presences, "say", fails)
        ours = Present("beat", redis_server.reach, Settings())
        assert failed.wait(5)
    presences = Presences(redis_server.client)
    wait_until(presences.all, what="its word")
    ours.close(20.0)
    assert not presences.all()


def test_a_redis_that_hangs_keeps_nobody_from_stopping(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The end is waited for as long as is said."""
    monkeypatch.setattr(present, "WITHIN", 20.0)
    ours = Present("hook", redis_server.reach, Settings())
    wait_until(Presences(redis_server.client).all, what="its word")
    redis_server.pause()
    try:
        began = time.monotonic()
        ours.close(0.05)
        assert time.monotonic() - began < present.WITHIN / 2
    finally:
        redis_server.resume()


def test_an_installation(installation: Installation, redis_server: RedisServer) -> None:
    """Each front, worker and beat is there while it runs, with digests of what it reads."""
    presences = Presences(redis_server.client)
    started = [installation.hook(), installation.worker(), installation.beat(WAKEQUEUE_ZONE="Europe/Berlin")]
    beat, hook, worker = wait_until(lambda: len(presences.all()) == 3 and presences.all(), what="all three")
    assert [one.role for one in (beat, hook, worker)] == ["beat", "hook", "worker"]
    names = [f"{socket.gethostname()}:{one.process.pid}" for one in started]
    assert [hook.name, worker.name, beat.name] == names
    assert beat.digests["zone"] != worker.digests["zone"]
    assert hook.digests.items() <= worker.digests.items()
    for one in started:
        one.process.send_signal(signal.SIGTERM)
    for one in started:
        one.process.wait()
    assert not presences.all()
