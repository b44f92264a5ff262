"""What a waking relies on dies while a Revision gets ready: its worker, the front that holds its calls, Redis."""

import time
from collections import Counter
from itertools import chain
from pathlib import Path

import grpc
from faults.conftest import Trial, mutant, mutants
from support.cluster import Cluster
from support.envoy_caller import check
from support.installation import Running
from support.mutant import Mutant
from support.processes import Process
from support.reckoning import told_after
from support.rounds import Asked, by_host
from support.site import Site
from support.waiting import wait_until

from wakequeue.ledger import History, Outcome

#: With the default settings: a lease runs for 3.5 s, and a doorbell that nobody answered is rung again after 1 s.
RECOVERED_WITHIN = 5.0

#: How soon a held call is answered once its Revision is ready, and fails once its front is dead.
AT_ONCE = 5.0

#: How many Revisions wake together.
TOGETHER = 10


def waking(trial: Trial, folder: Path, times: int, *redis_options: str, **env: str) -> tuple[Site, Cluster, list[list[str]]]:
    """A site that knows a cluster, and sleeping Revisions for each time; the host of each is its Route's."""
    cluster = trial.stack.enter_context(Cluster(folder))
    waves = [[f"shop/app-{wave}-{number}-1" for number in range(TOGETHER)] for wave in range(times)]
    for key in chain(*waves):
        cluster.application(key.removesuffix("-1"), (key.removeprefix("shop/"), 100))
    return Site.on(trial.stack, trial.env | cluster.env | env, *redis_options), cluster, waves


def checks(keys: list[str]) -> dict[str, bytes]:
    """A check of each by its host."""
    return {key: by_host(f"{key.removeprefix('shop/').removesuffix('-1')}.shop.example.com") for key in keys}


def ready(cluster: Cluster, keys: list[str]) -> float:
    """Have all of them ready; returns when that began."""
    began = time.monotonic()
    for key in keys:
        cluster.ready(key)
    return began


def holds(front: Running, calls: int) -> None:
    """Wait until a front holds so many."""
    wait_until(lambda: front.metric("wakequeue_held_calls") == calls, what=f"{calls} held calls")


def trail(site: Site, outcome: str, keys: list[str]) -> list[Outcome]:
    """What the audit trail has of them with this outcome."""
    return [one for one in History(site.redis.client).newest(10_000) if one.outcome == outcome and str(one.revision) in keys]


@mutants(
    Mutant("how a waking ended is not settled", "workers/wakings.py", "step.gone, step.ending, cause)", 'step.gone, None, "")'),
    Mutant("a waking ends as it began", "wakequeue/episode.py", "max(now - readiness.seconds, since)", "since"),
)
def test_a_worker_killed_before_readiness(trial: Trial, tmp_path: Path) -> None:
    """Killed after the first report: the other one repeats it, and tells the end, once, with the time from the first call."""
    times, worst = trial.times(2, 30, until_a_mutant_fails=1), 0.0
    site, cluster, waves = waking(trial, tmp_path, times)
    hook, living = site.installation.hook(), site.workers(1)
    for keys in waves:
        living += site.workers(1)
        cluster.watched(workers=2)
        called_at = time.time()
        for one in checks(keys).values():
            check(hook.grpc_address, one)
        answered_at = time.time()
        kill_who_reported(site, living, keys)
        at_least = time.time() - answered_at
        worst = max(worst, woken_after(site, keys, ready(cluster, keys)))
        at_most = time.time() - called_at
        lasted = [woken.waking_seconds for woken in trail(site, "woken", keys)]
        assert at_least - 0.1 <= min(lasted) <= max(lasted) <= at_most + 0.1, (
            f"woken after {lasted} s, not {at_least} to {at_most} s"
        )
    calls = dict.fromkeys(chain(*waves), 1)
    row = trial.judge(site.row("worker killed in a waking", times, calls, worst))
    assert (row.lost, row.twice) == (0, 0)
    assert Counter(str(one.revision) for one in trail(site, "woken", list(calls))) == calls
    census = site.settled(row.recorded, within=RECOVERED_WITHIN)
    assert (census.drift_calls, census.pending, census.buried) == (0, 0, 0)


def kill_who_reported(site: Site, living: list[Process], keys: list[str]) -> None:
    """Kill the worker that reported the first of these, once all are reported; returns once each was repeated."""
    wait_until(lambda: {str(one.revision) for one in trail(site, "reported", keys)} == set(keys), what="the first reports")
    pid = int(trail(site, "reported", keys)[0].worker.split(":")[1])
    victim = next(one for one in living if one.pid == pid)
    victim.kill()
    living.remove(victim)
    killed_at = time.time()
    wait_until(lambda: all(site.stats.of(key)[-1].at > killed_at for key in keys), RECOVERED_WITHIN, "repeats by the other worker")


def woken_after(site: Site, keys: list[str], ready_at: float) -> float:
    """In how many seconds the ends of all these wakings were told."""
    wait_until(lambda: len(trail(site, "woken", keys)) >= len(keys), RECOVERED_WITHIN, f"the end of {len(keys)} wakings")
    return time.monotonic() - ready_at


@mutants(
    Mutant(
        "a call is held before it is recorded",
        "gateway_hook/recorder.py",
        'await self._commit("groups", group.tallies)',
        'asyncio.get_running_loop().call_later(2, asyncio.ensure_future, self._commit("groups", group.tallies))',
    ),
    Mutant("who waits until it is ready is not woken", "wakequeue/cluster/mirror.py", "waiting.set()", "pass"),
)
def test_a_front_killed_while_it_holds(trial: Trial, tmp_path: Path) -> None:
    """The calls that it held fail, and are reported all the same; another front goes on to hold, and answers."""
    times, worst = trial.times(2, 20, until_a_mutant_fails=1), 0.0
    # What is held is recorded, however long that takes.
    site, cluster, waves = waking(trial, tmp_path, times, WAKEQUEUE_MODE="hold", WAKEQUEUE_ANSWER_WITHIN="10s")
    site.workers(1)
    other = site.installation.hook()
    for keys in waves:
        front = site.installation.hook()
        with Asked(front.grpc_address, checks(keys)) as lost, Asked(other.grpc_address, checks(keys)) as kept:
            for one in (front, other):
                holds(one, TOGETHER)
            front.process.kill()
            wait_until(lost.done, AT_ONCE, "the end of the dead front's calls")
            assert lost.codes() == {grpc.StatusCode.UNAVAILABLE}
            told_after(site.stats, dict.fromkeys(keys, 2), time.monotonic(), RECOVERED_WITHIN)
            assert kept.ended == {}
            holds(other, TOGETHER)
            ready_at = ready(cluster, keys)
            wait_until(kept.done, AT_ONCE, "the answers of the other front")
            assert kept.codes() == {grpc.StatusCode.OK}
            worst = max(worst, *(at - ready_at for at, _ in kept.ended.values()))
    calls = dict.fromkeys(chain(*waves), 2)
    row = trial.judge(site.row("front killed while it holds calls", times, calls, worst))
    assert (row.lost, row.twice) == (0, 0)
    assert site.settled(row.recorded, within=RECOVERED_WITHIN).drift_calls == 0


@mutant(
    "what Redis did not take is thought recorded",
    "wakequeue/ledger/front.py",
    "raise LedgerUnavailable(str(error) or type(error).__name__) from error",
    "return [Recorded(ring=False, episode=Episode(), at=0.0) for _ in entries]",
)
def test_redis_away_while_calls_are_held(trial: Trial, tmp_path: Path) -> None:
    """Calls that were held before, and those that come meanwhile, are answered once ready; and recorded once Redis is back."""
    times, worst = trial.times(2, 20, until_a_mutant_fails=1), 0.0
    site, cluster, waves = waking(trial, tmp_path, times, "--appendfsync", "always", WAKEQUEUE_MODE="hold")
    site.workers(1)
    front = site.installation.hook()
    for number, keys in enumerate(waves):
        before, meanwhile = keys[: TOGETHER // 2], keys[TOGETHER // 2 :]
        with Asked(front.grpc_address, checks(before)) as early:
            holds(front, len(before))
            site.settled(number * TOGETHER + len(before), within=5)
            site.redis.kill()
            with Asked(front.grpc_address, checks(meanwhile)) as late:
                holds(front, TOGETHER)
                ready(cluster, keys)
                wait_until(lambda early=early, late=late: early.done() and late.done(), AT_ONCE, "answers without Redis")
                assert early.codes() | late.codes() == {grpc.StatusCode.OK}
        site.redis.start()
        worst = max(worst, site.reported(keys, RECOVERED_WITHIN))
    calls = dict.fromkeys(chain(*waves), 1)
    row = trial.judge(site.row("redis away while calls are held", times, calls, worst))
    assert (row.lost, row.twice) == (0, 0)
    assert site.settled(row.recorded, within=RECOVERED_WITHIN).drift_calls == 0
