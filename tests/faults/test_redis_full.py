"""Redis is full and refuses every write: callers are answered, the worker goes on, and once there is room nothing is lost."""

import signal

from faults.conftest import Trial, mutant
from support.calls import Calls
from support.site import Site

#: A doorbell that the worker could not note as taken is rung again after 3 s, with the default settings.
RECOVERED_WITHIN = 5.0

CALL_EVERY = 0.01

#: How soon a call is answered, on a busy machine too.
ANSWERED_WITHIN = 3.0


@mutant("an error of a channel ends the worker", "wakequeue/broker.py", "        broker_channel_error_retry=True,\n", "")
def test_full(trial: Trial) -> None:
    """Memory runs out while doorbells wait: kombu's own writes are refused, and the worker consumes again once there is room."""
    site = Site.on(trial.stack, trial.env)
    hook, (worker,) = site.installation.hook(), site.workers(1)
    times, worst = trial.times(3, 50), 0.0
    with Calls(hook.grpc_address, CALL_EVERY) as calls:
        for _ in range(times):
            calls.more(0.5)
            # Doorbells wait, so that the worker comes to one of them with Redis full, each time.
            worker.send_signal(signal.SIGSTOP)
            calls.more(0.3)
            site.redis.client.config_set("maxmemory", 1)
            worker.send_signal(signal.SIGCONT)
            calls.more(2.0)
            assert worker.returncode is None
            site.redis.client.config_set("maxmemory", 0)
            worst = max(worst, site.reported(calls.answered, RECOVERED_WITHIN))
    site.reported(calls.answered, RECOVERED_WITHIN)
    row = trial.judge(site.row("redis full, noeviction", times, calls.answered, worst))
    assert row.lost == 0
    # What was being reported when memory ran out was confirmed, and may not have been settled.
    assert row.twice <= times * 50
    assert row.worst_recovery < RECOVERED_WITHIN
    census = site.settled(row.recorded, within=RECOVERED_WITHIN)
    assert (census.recorded_calls, census.drift_calls) == (row.recorded, 0)
    assert not calls.failed
    assert calls.slowest < ANSWERED_WITHIN
    assert hook.process.returncode is None
