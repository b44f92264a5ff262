"""Every front and every worker is replaced, one after the other, while calls go on: no call fails, and none is lost."""

import time

import pytest
from faults.conftest import Trial, mutant
from support.fault import Row
from support.gateway import Gateway
from support.processes import free_port
from support.reckoning import census, told_after
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.waiting import wait_until

A_SECOND = 500

REVISIONS = 50

#: After how long the Revisions are awake, so that the fronts hold calls of theirs in memory.
AWAKE_AFTER = 4.0


@pytest.mark.timeout(400)  # twenty rounds take two minutes
@mutant(
    "a front that ends forgets what it holds",
    "gateway_hook/server.py",
    "    await recorder.close(drained_at - time.monotonic())\n",
    "",
)
def test_a_rolling_restart(trial: Trial, redis_server: RedisServer, stat_server: StatServer) -> None:
    """Under 500 calls a second, with two fronts and two workers replaced, all calls are answered, and each is reported once."""
    installation = trial.installation(redis_server.url, stat_server.url)
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    hooks = [installation.hook(WAKEQUEUE_GRPC_ADDRESS=address) for address in addresses]
    workers = [installation.worker() for _ in range(2)]
    times = trial.times(1, 20)
    with Gateway(addresses, A_SECOND, lambda number: f"app-{number % REVISIONS}") as gateway:
        time.sleep(AWAKE_AFTER)
        for _ in range(times):
            for place, address in enumerate(addresses):
                assert hooks[place].process.stop() == 0
                hooks[place] = hook = installation.hook(WAKEQUEUE_GRPC_ADDRESS=address)
                wait_until(lambda hook=hook: hook.metric("wakequeue_calls_total") > 0, what="calls to reach the new front")
            for place in range(len(workers)):
                assert workers[place].process.stop() == 0
                workers[place] = installation.worker()
        over = time.monotonic()
        recorded = gateway.stop()
    recovery = told_after(stat_server, recorded, over, within=10)
    row = trial.judge(Row.of("rolling restart", times, recorded=recorded, reported=stat_server.requests(), worst_recovery=recovery))
    assert gateway.failed == [], f"{len(gateway.failed)} calls failed, the first with {gateway.failed[0]}"
    assert (row.lost, row.twice) == (0, 0), row
    assert row.worst_recovery < 5, row
    assert census(redis_server).drift_calls == 0
    assert census(redis_server).recorded_calls == recorded.total()
