"""Redis goes away and comes back: users notice nothing, and no call is lost."""

import signal
import time

import pytest
from support.installation import Installation
from support.mixer import check_all, request
from support.redis_server import RedisServer
from support.relay import Relay
from support.stat_server import StatServer
from support.waiting import wait_until

#: How long a caller waits, in seconds, who is to be answered much sooner.
PATIENCE = 60.0


def test_calls_made_while_redis_is_dead_are_recorded_later(
    installation: Installation, redis_server: RedisServer, stat_server: StatServer
) -> None:
    """With Redis dead, calls are answered OK within the budget, and all are reported once it is back."""
    hook, _ = installation.hook(), installation.worker()
    redis_server.kill()
    began = time.monotonic()
    check_all(hook.grpc_address, [request(b"default", b"app-%d" % (number % 10)) for number in range(100)], PATIENCE)
    assert time.monotonic() - began < PATIENCE / 6
    assert hook.get("/readyz")[0] == 503
    assert hook.get("/livez")[0] == 200
    assert hook.metric("wakequeue_buffered_calls") > 0
    redis_server.start()
    expected = {f"default/app-{number}": 10 for number in range(10)}
    wait_until(lambda: dict(stat_server.requests()) == expected, what="100 calls of 10 Revisions reported")
    wait_until(lambda: hook.metric("wakequeue_recorded_total") == 100, what="the front to have heard of all")
    assert hook.metric("wakequeue_dropped_total") == 0


def test_a_paused_redis_keeps_no_caller_waiting(
    installation: Installation, redis_server: RedisServer, stat_server: StatServer
) -> None:
    """With Redis hanging, a call is answered within the budget, and reported, once, when Redis goes on."""
    hook, _ = installation.hook(), installation.worker()
    redis_server.pause()
    began = time.monotonic()
    check_all(hook.grpc_address, [request(b"default", b"hello")] * 5, PATIENCE)
    answered_after = time.monotonic() - began
    redis_server.resume()
    assert answered_after < PATIENCE / 6
    wait_until(lambda: stat_server.requests()["default/hello"] == 5, what="5 calls reported")


def test_a_connection_that_is_reset_ends_nothing(
    installation: Installation, redis_server: RedisServer, stat_server: StatServer
) -> None:
    """As something between a front and its Redis may do it while nothing is sent: the next call is recorded all the same."""
    installation.worker()
    with Relay(redis_server.socket) as relay:
        hook = installation.hook(WAKEQUEUE_REDIS_URL=f"redis://127.0.0.1:{relay.port}")
        for calls in range(1, 4):
            check_all(hook.grpc_address, [request(b"default", b"hello")])
            wait_until(lambda calls=calls: stat_server.requests()["default/hello"] == calls, what="the call reported")
            assert relay.reset() > 0
        assert hook.get("/livez")[0] == 200


def test_the_buffer_is_bounded(installation: Installation, redis_server: RedisServer, stat_server: StatServer) -> None:
    """Beyond `buffer_revisions`, calls of further Revisions are dropped and counted, and answered OK all the same."""
    hook, _ = installation.hook(WAKEQUEUE_BUFFER_REVISIONS="5"), installation.worker()
    redis_server.kill()
    check_all(hook.grpc_address, [request(b"default", b"first")])
    check_all(hook.grpc_address, [request(b"default", b"app-%d" % number) for number in range(12)])
    assert hook.metric("wakequeue_dropped_total") == 8
    redis_server.start()
    wait_until(lambda: len(stat_server.requests()) == 5, what="5 Revisions reported")


@pytest.mark.parametrize("role", ["hook", "worker"])
def test_a_process_stops_while_redis_hangs(installation: Installation, redis_server: RedisServer, role: str) -> None:
    """Told to stop while Redis keeps its connections and answers nothing, a process ends within `drain_within`, and a little."""
    running = installation.hook() if role == "hook" else installation.worker()
    redis_server.pause()
    try:
        running.process.send_signal(signal.SIGTERM)
        running.process.wait(within=8)
    finally:
        redis_server.resume()


@pytest.mark.parametrize("times", [4])
def test_the_worker_outlives_redis(
    installation: Installation, redis_server: RedisServer, stat_server: StatServer, times: int
) -> None:
    """Celery 5.7.0's worker could end with an AttributeError when Redis died: ours goes on, each time, and delivers."""
    hook, worker = installation.hook(), installation.worker()
    for number in range(times):
        check_all(hook.grpc_address, [request(b"default", b"before-%d" % number)])
        redis_server.kill()
        wait_until(lambda: worker.get("/readyz")[0] == 503, what="the worker to miss Redis")
        redis_server.start()
        check_all(hook.grpc_address, [request(b"default", b"after-%d" % number)])
        stat_server.wait_for(f"default/after-{number}", within=10)
        assert worker.process.returncode is None
        assert "AttributeError" not in worker.process.output
