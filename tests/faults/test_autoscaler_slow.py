"""The Autoscaler reads slowly, or not at all for a while: all arrives in the end, and the worker holds no more than before."""

import time

import psutil
import pytest
from faults.conftest import Trial, mutant
from support.fault import Row
from support.gateway import Gateway
from support.reckoning import census, told_after
from support.redis_server import RedisServer
from support.slow_stat_server import SlowStatServer

#: How many calls a second are made: for a Revision that is called all the time, and for ever new ones.
A_SECOND = 50

#: How long after the last call a server may take that reads one frame a second.
DELIVERED_WITHIN = 15.0

#: After how long a worker has grown to its size.
WARM_AFTER = 5.0


@pytest.mark.timeout(400)  # --full takes five minutes
@mutant(
    "a frame counts as delivered once it is sent",
    "workers/autoscaler.py",
    "perf_counter()\n                await (await websocket.ping())",
    "perf_counter()\n                await websocket.ping()",
)
def test_an_autoscaler_that_reads_a_frame_a_second(trial: Trial, redis_server: RedisServer) -> None:
    """With one frame read a second, all is delivered soon after the last call, and the worker's memory stays within 10 %."""
    seconds = max(trial.times(20, 300), 2 * WARM_AFTER)
    with SlowStatServer(pace=1.0) as server:
        # A report may wait for a frame before its own, and both for a busy machine.
        patient = {"WAKEQUEUE_CONFIRM_WITHIN": "8s", "WAKEQUEUE_LEASE_FOR": "10s"}
        installation = trial.installation(redis_server.url, server.url, **patient)
        hook, worker = installation.hook(), installation.worker()
        process, sizes = psutil.Process(worker.process.pid), []
        with Gateway([hook.grpc_address], A_SECOND, lambda number: f"app-{number // 4}" if number % 2 else "busy") as gateway:
            began = time.monotonic()
            while (passed := time.monotonic() - began) < seconds:
                time.sleep(0.1)
                if passed > WARM_AFTER:
                    sizes.append(process.memory_info().rss)
            recorded = gateway.stop()
        over = time.monotonic()
        recovery = told_after(server, recorded, over, within=DELIVERED_WITHIN)
        row = trial.judge(
            Row.of(
                "one frame read a second",
                len(server.frames),
                recorded=recorded,
                reported=server.requests(),
                worst_recovery=recovery,
            )
        )
        assert gateway.failed == []
        assert row.lost == 0, row
        assert row.twice == 0, f"every pong came within confirm_within: {row}"
        assert row.worst_recovery < DELIVERED_WITHIN, row
        assert max(sizes) < 1.1 * sizes[0], f"{max(sizes):,} bytes after {sizes[0]:,}"
        assert census(redis_server).drift_calls == 0


@mutant(
    "frames that were not confirmed in time count as delivered",
    "workers/autoscaler.py",
    "raise AutoscalerUnavailable(why)",
    "return",
)
def test_an_autoscaler_that_stops_reading(trial: Trial, redis_server: RedisServer) -> None:
    """Frames that a server takes and doesn't read for 5 s, until it is restarted, are sent again: nothing is lost or told twice."""
    with SlowStatServer() as server:
        installation = trial.installation(redis_server.url, server.url)
        hook, _ = installation.hook(), installation.worker()
        times, worst = trial.times(1, 20), 0.0
        with Gateway([hook.grpc_address], A_SECOND, lambda number: f"app-{number // 4}") as gateway:
            for _ in range(times):
                server.stop_reading()
                time.sleep(5)
                server.stop()
                server.go_on_reading()
                server.start()
                worst = max(worst, told_after(server, dict(gateway.answered), time.monotonic(), within=5))
            recorded = gateway.stop()
        told_after(server, recorded, time.monotonic(), within=10)
        row = trial.judge(
            Row.of("hangs for 5 s, is restarted", times, recorded=recorded, reported=server.requests(), worst_recovery=worst)
        )
        assert gateway.failed == []
        assert (row.lost, row.twice) == (0, 0), row
        assert row.worst_recovery < 5, row
        assert census(redis_server).drift_calls == 0
