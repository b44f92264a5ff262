"""Redis is killed, crashes with its machine, hangs: calls go on and are answered, and none is lost beyond what is stated."""

import time
from pathlib import Path

from faults.conftest import Trial, mutant
from support.calls import Calls
from support.fault import Row
from support.installation import Running
from support.mixer import check
from support.processes import Process
from support.reckoning import told_after
from support.site import Site
from support.waiting import wait_until

#: With the default settings a lease runs for 3.5 s, and a doorbell that went with a connection is rung again after 1 s.
RECOVERED_WITHIN = 5.0

#: A call is made, of a fresh Revision, each so many seconds.
CALL_EVERY = 0.01

#: For how many seconds Redis puts off writing its append-only file while its disk is busy (src/aof.c, flushAppendOnlyFile).
HELD_BACK = 2.0

#: How many calls, at most, are being reported when Redis goes: confirmed and not settled, they are reported again.
IN_HAND = 50

#: How soon a call is answered, on a busy machine too: long before a Redis that hangs is back.
ANSWERED_WITHIN = 3.0


@mutant(
    "what Redis did not take is thought recorded",
    "wakequeue/ledger/front.py",
    "raise LedgerUnavailable(str(error) or type(error).__name__) from error",
    "return [Recorded(ring=False, episode=Episode(), at=0.0) for _ in entries]",
)
def test_killed(trial: Trial) -> None:
    """Killed with `appendfsync always`, it has all that it answered; what was called while it was away follows."""
    site = Site.on(trial.stack, trial.env, "--appendfsync", "always")
    hook, (worker,) = site.installation.hook(), site.workers(1)
    times, worst = trial.times(5, 100), 0.0
    with Calls(hook.grpc_address, CALL_EVERY) as calls:
        for _ in range(times):
            calls.more(0.5)
            site.redis.kill()
            calls.more(0.5)
            site.redis.start()
            worst = max(worst, site.reported(calls.answered, RECOVERED_WITHIN))
    site.reported(calls.answered, RECOVERED_WITHIN)
    row = trial.judge(site.row("redis killed, fsync always", times, calls.answered, worst))
    assert row.lost == 0
    assert site.census().recorded_calls == row.recorded
    assert_promises(site, row)
    assert_unhurt(hook, worker, calls)


@mutant(
    "what Redis did not take is thought recorded",
    "wakequeue/ledger/front.py",
    "raise LedgerUnavailable(str(error) or type(error).__name__) from error",
    "return [Recorded(ring=False, episode=Episode(), at=0.0) for _ in entries]",
)
def test_killed_everysec(trial: Trial) -> None:
    """Killed with `appendfsync everysec`, it may lose what it held back while its disk was busy: 2 s of calls, and no others."""
    site = Site.on(trial.stack, trial.env)
    hook, (worker,) = site.installation.hook(), site.workers(1)
    times, worst, at_stake = trial.times(5, 100), 0.0, set[str]()
    with Calls(hook.grpc_address, CALL_EVERY) as calls:
        for _ in range(times):
            calls.more(0.5)
            held_since = time.monotonic() - HELD_BACK
            site.redis.kill()
            killed_at = time.monotonic()
            at_stake |= {key for key, at in list(calls.called_at.items()) if held_since < at < killed_at}
            calls.more(0.5)
            site.redis.start()
            worst = max(worst, site.reported(calls.answered.keys() - at_stake, RECOVERED_WITHIN))
    told_after(site.stats, calls.answered, time.monotonic(), within=RECOVERED_WITHIN)
    row = trial.judge(site.row("redis killed, fsync everysec", times, calls.answered, worst))
    assert calls.answered.keys() - site.stats.requests().keys() <= at_stake
    assert_promises(site, row)
    assert_unhurt(hook, worker, calls)


@mutant(
    "hangs on the number of the last commit",
    "wakequeue/ledger/record.lua",
    "or 0) < commit",
    "or 0) == commit - 1",
)
def test_crashed(trial: Trial) -> None:
    """With `appendfsync everysec` a crash of the machine loses the calls of the last second, and no other."""
    site = Site.on(trial.stack, trial.env)
    hook, (worker,) = site.installation.hook(), site.workers(1)
    times, worst, at_stake = trial.times(3, 30), 0.0, set[str]()
    file = next(site.redis.data_dir.glob("appendonlydir/*.incr.aof"))
    with Calls(hook.grpc_address, CALL_EVERY) as calls:
        for _ in range(times):
            calls.more(0.5)
            # A call that was reported can't be lost: this is the worst case, in which none is.
            site.stats.stop()
            calls.more(0.5)
            before = set(calls.answered)
            synced = written(file, calls)
            calls.more(1.0)
            site.redis.kill()
            crashed_at = time.monotonic()
            with file.open("r+b") as appended:
                appended.truncate(synced)
            site.redis.start()
            site.stats.start()
            at_stake |= {key for key, at in list(calls.called_at.items()) if at < crashed_at} - before
            calls.more(0.5)
            worst = max(worst, site.reported(calls.answered.keys() - at_stake, RECOVERED_WITHIN))
    site.reported(calls.answered.keys() - at_stake, RECOVERED_WITHIN)
    row = trial.judge(site.row("machine of redis crashed, fsync everysec", times, calls.answered, worst))
    assert calls.answered.keys() - site.stats.requests().keys() <= at_stake
    assert 0 < row.lost <= len(at_stake)
    assert_promises(site, row)
    assert_unhurt(hook, worker, calls)


@mutant(
    "a commit counts as often as it comes",
    "wakequeue/ledger/record.lua",
    "local fresh = (tonumber(redis.call('GET', stream) or '') or 0) < commit",
    "local fresh = true",
)
def test_paused(trial: Trial) -> None:
    """Redis hangs for 5 s: callers are answered in time meanwhile, and each call is recorded once when it goes on."""
    site = Site.on(trial.stack, trial.env)
    hook, (worker,) = site.installation.hook(), site.workers(1)
    times, worst = trial.times(1, 20), 0.0
    with Calls(hook.grpc_address, CALL_EVERY) as calls:
        for _ in range(times):
            calls.more(0.5)
            site.redis.pause()
            calls.more(5.0)
            site.redis.resume()
            worst = max(worst, site.reported(calls.answered, RECOVERED_WITHIN))
    site.reported(calls.answered, RECOVERED_WITHIN)
    row = trial.judge(site.row("redis paused for 5 s", times, calls.answered, worst))
    assert row.lost == 0
    assert site.census().recorded_calls == row.recorded
    assert_promises(site, row)
    assert_unhurt(hook, worker, calls)


@mutant("kombu's channel is not guarded", "wakequeue/broker.py", "    _guard_channel()\n", "")
def test_workers_outlive_redis(trial: Trial) -> None:
    """Celery 5.7.0's worker could end with an AttributeError when Redis died: of four, none does, and all consume again."""
    site = Site.on(trial.stack, trial.env, "--appendfsync", "always")
    hook, workers = site.installation.hook(), site.workers(4)
    # An unguarded channel ends one of them in about every fifth round.
    times, worst, called = trial.times(5, 50, until_a_mutant_fails=50), 0.0, dict[str, int]()
    for number in range(times):
        site.redis.kill()
        # A call takes 0.1 s without Redis, so that each worker notices.
        names = [f"app-{number}-{one}" for one in range(5)]
        for name in names:
            check(hook.grpc_address, "default", name)
        called |= {f"default/{name}": 1 for name in names}
        site.redis.start()
        worst = max(worst, site.reported(called, RECOVERED_WITHIN))
        wait_until(lambda: site.consuming() == len(workers), what="four workers that consume")
        assert [worker.returncode for worker in workers] == [None] * len(workers)
        # What is reported and not settled when Redis dies is reported again.
        site.settled(len(called), within=RECOVERED_WITHIN)
    row = trial.judge(site.row("redis killed under four workers", times, called, worst))
    assert (row.lost, row.twice) == (0, 0)


def written(file: Path, calls: Calls) -> int:
    """How long the append-only file is, once it has every call that was answered by now: calls are recorded in their order."""
    now = time.monotonic()
    later = wait_until(lambda: [key for key, at in list(calls.called_at.items()) if at > now], what="a later call")[0]
    wait_until(lambda: later.encode() in file.read_bytes(), what=f"{later} in the append-only file")
    return file.stat().st_size


def assert_promises(site: Site, row: Row) -> None:
    """What holds of a fault of Redis, whatever it was."""
    assert row.twice <= row.times * IN_HAND
    assert row.worst_recovery < RECOVERED_WITHIN
    assert site.census().drift_calls == 0


def assert_unhurt(hook: Running, worker: Process, calls: Calls) -> None:
    """Nobody noticed: every call was answered in time, and both processes run."""
    assert not calls.failed
    assert calls.slowest < ANSWERED_WITHIN
    assert hook.metric("wakequeue_dropped_total") == 0
    assert (hook.process.returncode, worker.returncode) == (None, None)
