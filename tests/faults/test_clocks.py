"""Clocks that are an hour off, or set by an hour while all runs: nothing is lost, told late, or thought too old."""

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from faults.conftest import Trial, mutant
from support.clock import LIBRARY, Clock
from support.fault import Row
from support.frames import read_gob
from support.gateway import Gateway
from support.reckoning import census, told_after
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.waiting import wait_until

pytestmark = pytest.mark.skipif(LIBRARY is None, reason="libfaketime comes for Linux on x86-64 alone")

HOURS = (1, -1)

A_SECOND = 50

#: How long after a clock was set what is pending may take.
DELIVERED_WITHIN = 5.0

#: A pause between two reports that no busy machine makes.
HOLE_MS = 5_000


@mutant(
    "the age of a wake-up is told by the worker's clock",
    "workers/deliver.py",
    "now - lease.last_call <= self._settings.max_age",
    "__import__('time').time() - lease.last_call <= self._settings.max_age",
)
def test_clocks_of_fronts_and_workers(trial: Trial, redis_server: RedisServer, tmp_path: Path) -> None:
    """With a front and a worker an hour ahead, others an hour back, and all set under way, the rhythm is as ever, nothing lost.

    A frame of Knative 0.15 says when its report was decided.
    """
    stat_server = trial.stack.enter_context(StatServer(read_gob))
    clocks = [Clock(tmp_path, hours) for hours in HOURS]
    installation = trial.installation(redis_server.url, stat_server.url, WAKEQUEUE_KNATIVE_RELEASE="0.15")
    hooks = [installation.hook(**clock.env) for clock in clocks]
    workers = [installation.worker(**clock.env) for clock in clocks]
    times = trial.times(1, 20)
    with Gateway([hook.grpc_address for hook in hooks], A_SECOND, _name) as gateway:
        for _ in range(times):
            time.sleep(3)
            for clock, hours in zip(clocks, reversed(HOURS), strict=True):
                clock.set(hours)
            time.sleep(3)
            for clock, hours in zip(clocks, HOURS, strict=True):
                clock.set(hours)
        over = time.monotonic()
        recorded = gateway.stop()
    recovery = told_after(stat_server, recorded, over, within=2 * DELIVERED_WITHIN)
    row = trial.judge(
        Row.of("front, worker an hour off", times, recorded=recorded, reported=stat_server.requests(), worst_recovery=recovery)
    )
    assert gateway.failed == []
    assert (row.lost, row.twice) == (0, 0), row
    assert row.worst_recovery < DELIVERED_WITHIN, row
    _, *gaps_ms = stat_server.gaps_ms("default/busy")
    assert all(1_000 <= gap < HOLE_MS for gap in gaps_ms), f"one report a second, but for the correction: {gaps_ms}"
    assert census(redis_server).drift_calls == 0
    assert census(redis_server).buried == 0
    assert all(worker.metric("wakequeue_leases_ended_total") == 0 for worker in workers), "no lease ended before its time"


@mutant(
    "a wake-up that is too old is forgotten",
    "workers/deliver.py",
    "delivered.buried += sum(self._bury(dead, reason) for reason, dead in doomed.items())",
    "delivered.buried += 0",
)
def test_redis_an_hour_ahead(trial: Trial, redis_clock: Clock, redis_server: RedisServer, stat_server: StatServer) -> None:
    """Set an hour ahead, Redis makes what is pending too old: it is delivered, or buried as expired; nothing is lost."""
    recorded, recovery = _set_under_calls(trial, redis_clock, 1, redis_server, stat_server)
    counted, told, buried = census(redis_server), stat_server.requests(), _buried(redis_server)
    row = Row.of("Redis an hour ahead", 1, recorded=recorded, reported=told, worst_recovery=recovery)
    row = trial.judge(replace(row, lost=(recorded - told - buried).total()))
    assert row.lost == 0, f"what isn't delivered is buried: {row}, {counted}"
    assert row.twice <= A_SECOND, f"of the leases of one moment, which end with it: {row}"
    assert (counted.pending_calls, counted.leased_calls, counted.drift_calls) == (0, 0, 0), counted


@mutant(
    "the ledger's clock goes back with Redis's",
    "wakequeue/ledger/prelude.lua",
    "if redis_now < seen_now then",
    "if false then",
)
def test_redis_an_hour_back(trial: Trial, redis_clock: Clock, redis_server: RedisServer, stat_server: StatServer) -> None:
    """Set an hour back, Redis keeps nothing waiting: what was recorded before and after is delivered within 5 s."""
    recorded, recovery = _set_under_calls(trial, redis_clock, -1, redis_server, stat_server)
    row = trial.judge(Row.of("Redis an hour back", 1, recorded=recorded, reported=stat_server.requests(), worst_recovery=recovery))
    assert row.lost == 0, f"{row}, {census(redis_server)}"
    assert row.twice <= A_SECOND, f"of the leases of one moment, which end with it: {row}"
    assert row.worst_recovery < DELIVERED_WITHIN, row
    assert (census(redis_server).buried, census(redis_server).drift_calls) == (0, 0)


@pytest.fixture
def redis_clock(tmp_path: Path) -> Clock:
    """The clock of `redis_server`."""
    return Clock(tmp_path)


@pytest.fixture
def redis_server(redis_clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisServer]:
    """A real Redis with a clock that can be set."""
    with monkeypatch.context() as patch:
        for name, value in redis_clock.env.items():
            patch.setenv(name, value)
        server = RedisServer()
    with server:
        yield server


def _set_under_calls(
    trial: Trial, clock: Clock, hours: int, redis_server: RedisServer, stat_server: StatServer
) -> tuple[Counter[str], float]:
    """Set Redis's clock while calls go on. Set ahead, it finds wake-ups pending that become too old, for the Autoscaler is away.

    Returns the recorded calls, and the seconds after the last until none was pending any more.
    """
    installation = trial.installation(redis_server.url, stat_server.url)
    hook, _ = installation.hook(), installation.worker()
    with Gateway([hook.grpc_address], A_SECOND, _name) as gateway:
        time.sleep(3)
        if hours > 0:
            stat_server.stop()
            time.sleep(1)
        clock.set(hours)
        wait_until(lambda: abs(redis_server.client.time()[0] - time.time()) > 1_800, what="the clock of Redis to be set")
        if hours > 0:
            stat_server.start()
        time.sleep(3)
        over = time.monotonic()
        recorded = gateway.stop()
    assert gateway.failed == []
    while _held(redis_server, stat_server, recorded) and time.monotonic() < over + DELIVERED_WITHIN:
        time.sleep(0.01)
    assert census(redis_server).recorded_calls == recorded.total()
    return recorded, time.monotonic() - over


def _held(redis_server: RedisServer, stat_server: StatServer, recorded: Counter[str]) -> bool:
    """Whether some calls are neither buried nor settled, nor known to the stat server: it sends a pong before it reads."""
    counted = census(redis_server)
    untold = (recorded - stat_server.requests()).total()
    return counted.settled_calls + counted.buried_calls < recorded.total() or untold > counted.buried_calls


def _buried(redis_server: RedisServer) -> Counter[str]:
    """The calls of the dead letters that are expired, by Revision."""
    calls: Counter[str] = Counter()
    for letter in map(json.loads, redis_server.client.hvals("{wakequeue}:dead")):
        if letter["reason"] == "expired":
            calls[letter["revision"]] += letter["calls"]
    return calls


def _name(number: int) -> str:
    """Every other call is for a Revision that is called all the time; of the others, for ever new ones, each five times."""
    return f"app-{number // 10}" if number % 2 else "busy"
