"""The connection to the Autoscaler ends in each way that it can: what was under way is sent again, and nothing is lost."""

import itertools
import time
from collections.abc import Callable

from faults.conftest import Trial, mutant
from support.fault import Row
from support.gateway import Gateway
from support.mixer import check
from support.reckoning import census, told_after
from support.redis_server import RedisServer
from support.relay import Relay
from support.slow_stat_server import Fate, SlowStatServer
from support.waiting import wait_until

#: A dead connection is noticed within 10 s, as Knative's own client does.
NOTICED_WITHIN = 10.0


def _under_calls(
    trial: Trial, redis_server: RedisServer, server: SlowStatServer, fault: Callable[[int], None], times: int, what: str
) -> Row:
    """Do a fault again and again while 100 calls a second go on, for ever new Revisions."""
    # Connections that end so often would wait for the next for up to a second, and the test with them.
    installation = trial.installation(redis_server.url, server.url, WAKEQUEUE_RECONNECT_AT_MOST="100ms")
    hook, _ = installation.hook(), installation.worker()
    with Gateway([hook.grpc_address], 100, lambda number: f"app-{number // 5}") as gateway:
        for number in range(times):
            fault(number)
        over = time.monotonic()
        recorded = gateway.stop()
    recovery = told_after(server, recorded, over, within=5)
    assert gateway.failed == []
    assert census(redis_server).drift_calls == 0
    assert census(redis_server).recorded_calls == recorded.total()
    return trial.judge(Row.of(what, times, recorded=recorded, reported=server.requests(), worst_recovery=recovery))


@mutant(
    "a closed connection ends the sender",
    "workers/autoscaler.py",
    "except (OSError, TimeoutError, WebSocketException) as error:\n                cause",
    "except (OSError, TimeoutError) as error:\n                cause",
)
def test_the_autoscaler_restarts_under_calls(trial: Trial, redis_server: RedisServer) -> None:
    """Closed with 1012 two hundred times, with a frame read or unread, the worker connects again, and nothing is lost."""
    fates = itertools.cycle([Fate.RESTART_UNREAD, Fate.READ_THEN_RESTART])
    with SlowStatServer() as server:
        times = trial.times(200, 1_000)
        row = _under_calls(trial, redis_server, server, lambda _: server.hurt_next(next(fates)), times, "close 1012 under calls")
        assert row.lost == 0, row
        assert row.twice <= server.hurt.total(), f"only what was read and never confirmed is told again: {row}, {server.hurt}"
        assert row.worst_recovery < 3, row


@mutant(
    "frames whose connection broke count as delivered",
    "workers/autoscaler.py",
    "parcel.confirmed.set_exception(AutoscalerUnavailable(_cause(error)))",
    "parcel.confirmed.set_result(None)",
)
def test_a_reset_after_the_frame(trial: Trial, redis_server: RedisServer) -> None:
    """A TCP reset right after a frame, read or unread, loses nothing; what had been read is perhaps told twice."""
    fates = itertools.cycle([Fate.RESET_UNREAD, Fate.READ_THEN_RESET])
    with SlowStatServer() as server:
        times = trial.times(50, 1_000)
        row = _under_calls(trial, redis_server, server, lambda _: server.hurt_next(next(fates)), times, "reset after a frame")
        assert row.lost == 0, row
        assert 0 < row.twice <= server.hurt.total() or trial.mutant, f"what was read is told again: {row}, {server.hurt}"
        assert row.worst_recovery < 3, row


def _lose(relay: Relay, redis_server: RedisServer) -> None:
    """Lose the network, once there is nothing that was told and whose pong is yet to come."""
    wait_until(lambda: census(redis_server).leased_calls == 0, what="every pong")
    assert relay.lose() == 1


@mutant(
    "a frame counts as delivered once it is sent",
    "workers/autoscaler.py",
    "perf_counter()\n                await (await websocket.ping())",
    "perf_counter()\n                await websocket.ping()",
)
def test_a_lost_network_under_calls(trial: Trial, redis_server: RedisServer) -> None:
    """A connection that the network loses with frames under way is noticed within 10 s, and they are sent again on another."""
    with SlowStatServer() as server, Relay(server.port) as relay:
        installation = trial.installation(redis_server.url, f"ws://127.0.0.1:{relay.port}")
        hook, _ = installation.hook(), installation.worker()
        times, worst = trial.times(3, 20), 0.0
        with Gateway([hook.grpc_address], 50, lambda number: f"app-{number // 5}") as gateway:
            for _ in range(times):
                lost_at, before = time.monotonic(), server.connections
                _lose(relay, redis_server)
                wait_until(lambda before=before: server.connections > before, NOTICED_WITHIN, "another connection")
                worst = max(worst, told_after(server, dict(gateway.answered), lost_at, within=NOTICED_WITHIN))
                if worst == NOTICED_WITHIN:
                    break
            recorded = gateway.stop()
        told_after(server, recorded, time.monotonic(), within=10)
        row = trial.judge(
            Row.of("network lost under calls", times, recorded=recorded, reported=server.requests(), worst_recovery=worst)
        )
        assert gateway.failed == []
        assert row.lost == 0, row
        # Of a frame that had just arrived the pong may be lost, once each time: a report of five calls, at most.
        assert row.twice <= 5 * times, f"what was under way never arrived: {row}"
        assert row.worst_recovery < NOTICED_WITHIN, row
        assert census(redis_server).drift_calls == 0


@mutant("an idle connection isn't pinged", "workers/autoscaler.py", "ping_interval=PING_EVERY", "ping_interval=None")
def test_a_lost_network_while_idle(trial: Trial, redis_server: RedisServer) -> None:
    """An idle connection that the network loses is noticed within 10 s, so that the next call is reported at once."""
    with SlowStatServer() as server, Relay(server.port) as relay:
        installation = trial.installation(redis_server.url, f"ws://127.0.0.1:{relay.port}")
        hook, _ = installation.hook(), installation.worker()
        times, worst = trial.times(1, 10), 0.0
        for number in range(times):
            lost_at, before = time.monotonic(), server.connections
            _lose(relay, redis_server)
            wait_until(lambda before=before: server.connections > before, NOTICED_WITHIN, "another connection")
            check(hook.grpc_address, "default", f"app-{number}")
            server.wait_for(f"default/app-{number}", within=5)
            worst = max(worst, time.monotonic() - lost_at)
        recorded = {f"default/app-{number}": 1 for number in range(times)}
        row = trial.judge(
            Row.of("network lost while idle", times, recorded=recorded, reported=server.requests(), worst_recovery=worst)
        )
        assert (row.lost, row.twice) == (0, 0), row
        assert row.worst_recovery < NOTICED_WITHIN, row
        assert census(redis_server).drift_calls == 0
