"""Workers are told to stop with work in hand: they end in time, and what they could not finish another delivers.

Celery's threads pool has no processes of its own, so the sender begins and ends with the worker's process.
"""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from faults.conftest import Trial, mutant
from support.mixer import check_all, request
from support.processes import Process
from support.site import Site
from support.stat_server import StatServer
from support.waiting import wait_until

#: A lease runs for 3.5 s, with the default settings.
RECOVERED_WITHIN = 5.0

#: How soon a worker ends that has a second left for what it has in hand: sooner than by default, where it may take 5 s.
DRAINED_WITHIN = 4.0

#: How many Revisions are called at once, so that some are in hand.
CALLS = 50


@mutant(
    "what was not confirmed is not released",
    "workers/deliver.py",
    "self._release([one.lease for one in batch], connection, error)",
    "pass",
)
def test_while_nothing_is_confirmed(trial: Trial) -> None:
    """The Autoscaler hangs: what is in hand is released before the worker ends, well within `drain_within`."""
    site = Site.on(trial.stack, trial.env | {"WAKEQUEUE_CONFIRM_WITHIN": "1s"})
    hook = site.installation.hook()
    (worker,) = site.workers(1)
    called: dict[str, int] = {}
    times, worst = trial.times(3, 30), 0.0
    for number in range(times):
        with hanging(site.stats):
            called |= call(hook.grpc_address, number)
            wait_until(lambda: site.census().leased, what="wake-ups in hand")
            assert stop(worker) < DRAINED_WITHIN
            assert worker.returncode == 0
            assert site.census().leased == 0
        worker, took = next_worker(site, called)
        worst = max(worst, took)
    row = trial.judge(site.row("worker told to stop, nothing confirmed", times, called, worst))
    assert row.lost == 0
    # What the hanging Autoscaler had been sent it reads when it goes on.
    assert row.twice <= times * CALLS
    assert row.worst_recovery < RECOVERED_WITHIN
    assert site.settled(row.recorded, within=RECOVERED_WITHIN).drift_calls == 0


@mutant("nothing bounds the stop", "wakequeue/stopping.py", "    bound.start()\n", "")
def test_while_redis_hangs(trial: Trial) -> None:
    """Redis hangs: the worker ends within `drain_within`, and a little; its leases run out and another delivers."""
    site = Site.on(trial.stack, trial.env | {"WAKEQUEUE_DRAIN_WITHIN": "1s"})
    hook = site.installation.hook()
    (worker,) = site.workers(1)
    called: dict[str, int] = {}
    times, worst = trial.times(3, 30), 0.0
    for number in range(times):
        with hanging(site.stats):
            called |= call(hook.grpc_address, number)
            wait_until(lambda: site.census().leased, what="wake-ups in hand")
            site.redis.pause()
        try:
            assert stop(worker) < DRAINED_WITHIN
        finally:
            site.redis.resume()
        worker, took = next_worker(site, called)
        worst = max(worst, took)
    row = trial.judge(site.row("worker told to stop, redis hangs", times, called, worst))
    assert row.lost == 0
    # What was sent when Redis went is confirmed, and can't be settled.
    assert row.twice <= times * CALLS
    assert row.worst_recovery < RECOVERED_WITHIN
    assert site.settled(row.recorded, within=RECOVERED_WITHIN).drift_calls == 0


@contextmanager
def hanging(stats: StatServer) -> Iterator[None]:
    """Have the stat server keep its connections and read nothing."""
    goes_on = threading.Event()
    stats._loop.call_soon_threadsafe(goes_on.wait)
    try:
        yield
    finally:
        goes_on.set()


def call(address: str, number: int) -> dict[str, int]:
    """Call fresh Revisions at once."""
    names = [f"app-{number}-{one}" for one in range(CALLS)]
    check_all(address, [request(b"default", name.encode()) for name in names])
    return {f"default/{name}": 1 for name in names}


def stop(worker: Process) -> float:
    """Tell a worker to stop, and return how long it took to end."""
    told_at = time.monotonic()
    worker.send_signal(signal.SIGTERM)
    wait_until(lambda: worker.returncode is not None, what="the worker to end")
    return time.monotonic() - told_at


def next_worker(site: Site, called: dict[str, int]) -> tuple[Process, float]:
    """Another worker, and how long it took to have everything reported, once it was ready."""
    (worker,) = site.workers(1)
    return worker, site.reported(called, RECOVERED_WITHIN)
