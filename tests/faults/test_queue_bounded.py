"""Workers that consume nothing while a mass of Revisions is due: the queue stays short, and all is delivered when they go on."""

import time

from faults.conftest import Trial, mutant
from support.mixer import check_all, request
from support.site import Site

from wakequeue.broker import QUEUE, REVISIONS_PER_DOORBELL, make_app

REVISIONS = 3_000
RING_BELOW = 20
RING_AGAIN = 0.2

#: How often each doorbell could have been rung again meanwhile.
RINGS = 10

RECOVERED_WITHIN = 5.0


@mutant(
    "the sweep rings however long the queue is",
    "wakequeue/ledger/sweep.lua",
    "redis.call('LLEN', queue) < ring_below",
    "true",
)
def test_the_queue_is_bounded(trial: Trial) -> None:
    """A doorbell that is rung again before the queue comes to it would multiply: beyond `ring_below` none is."""
    site = Site.on(trial.stack, trial.env | {"WAKEQUEUE_RING_BELOW": f"{RING_BELOW}", "WAKEQUEUE_RING_AGAIN": f"{RING_AGAIN}s"})
    hook = site.installation.hook()
    site.workers(1)
    app = make_app(site.redis.reach)
    called: dict[str, int] = {}
    times, worst, longest = trial.times(1, 10), 0.0, 0
    for number in range(times):
        app.control.cancel_consumer(QUEUE, reply=True, limit=1)
        names = [f"app-{number}-{one}" for one in range(REVISIONS)]
        check_all(hook.grpc_address, [request(b"default", name.encode()) for name in names], timeout=60)
        called |= {f"default/{name}": 1 for name in names}
        watched_until = time.monotonic() + RINGS * RING_AGAIN
        while time.monotonic() < watched_until:
            longest = max(longest, site.census().queued_tasks)
        app.control.add_consumer(QUEUE, reply=True, limit=1)
        worst = max(worst, site.reported(called, RECOVERED_WITHIN))
    app.close()
    row = trial.judge(site.row("workers consume nothing", times, called, worst))
    assert longest <= RING_BELOW + REVISIONS / REVISIONS_PER_DOORBELL + 1
    assert (row.lost, row.twice) == (0, 0)
    assert row.worst_recovery < RECOVERED_WITHIN
    assert site.settled(row.recorded, within=RECOVERED_WITHIN).drift_calls == 0
