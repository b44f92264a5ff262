"""The beat that leads dies: another one takes over within seconds, and each start of a schedule is made, once."""

import json
import math
import time
from collections import Counter
from itertools import chain

from faults.conftest import Trial, mutants
from support.mutant import Mutant
from support.site import Site
from support.waiting import wait_until

from wakequeue.broker import QUEUE
from wakequeue.ledger import History, Starts
from wakequeue.settings import Settings

#: More than it takes to replace a beat, so that one start at most is missed, and is the newest.
EVERY = 8
REPLACED_WITHIN = 6.0

#: How soon a start is made: when it is due, or as soon as there is a beat.
MADE_WITHIN = 3.0

KEY = "shop/cart-00001"
SCHEDULES = json.dumps({"office": {"every": f"{EVERY}s", "wakes": KEY}})


@mutants(
    Mutant("a dead beat leads for ever", "wakequeue/ledger/lead.lua", ", 'PX', lasts)", ")"),
    Mutant("what was missed is not made up", "workers/beat.py", "if start <= led.now:", "if led.now - 0.5 < start <= led.now:"),
)
def test_the_leading_beat_killed(trial: Trial) -> None:
    """Killed just before a start, it is replaced, the start is made up, and the next one is on time; none is made twice."""
    times, worst = trial.times(1, 20, until_a_mutant_fails=1), 0.0
    site = Site.on(trial.stack, trial.env | {"WAKEQUEUE_SCHEDULES": SCHEDULES})
    starts = Starts(site.redis.client, Settings(), QUEUE)
    site.workers(1)
    beats = [site.installation.beat()]
    first = first_start(starts)
    made(starts, first)
    for _ in range(times):
        beats.append(site.installation.beat())
        leader = next(beat for beat in beats if beat.metric("wakequeue_beat_leads"))
        other = next(beat for beat in beats if beat is not leader)
        assert not other.metric("wakequeue_beat_leads")
        wait_until(lambda: next_start() - time.time() < 0.2, what="the moment before a start")
        missed = next_start()
        leader.process.kill()
        killed_at = time.monotonic()
        wait_until(lambda other=other: other.metric("wakequeue_beat_leads"), REPLACED_WITHIN, "another beat that leads")
        worst = max(worst, time.monotonic() - killed_at)
        made(starts, missed)
        beats.remove(leader)
    made(starts, next_start())
    for beat in beats:
        beat.process.stop()
    last = last_start(starts)
    calls = {KEY: int(last - first) // EVERY + 1}
    census = site.settled(calls[KEY], within=5)
    row = trial.judge(site.row("leading beat killed", times, calls, worst))
    assert (row.lost, row.twice, census.drift_calls, census.buried) == (0, 0, 0, 0)
    trail = (one.callers for one in History(site.redis.client).newest(10_000))
    assert Counter(chain.from_iterable(Counter(callers).elements() for callers in trail)) == {"schedule office": calls[KEY]}


def first_start(starts: Starts) -> float:
    """When the first start of the schedule is, or was: from when the ledger has heard of it."""
    return math.ceil(last_start(starts) / EVERY) * EVERY


def next_start() -> float:
    """When the next start of the schedule is."""
    return (time.time() // EVERY + 1) * EVERY


def made(starts: Starts, at: float) -> None:
    """Wait until a start is made, if its time has come; then it must be soon."""
    time_to_wait = max(0.0, at - time.time()) + MADE_WITHIN
    wait_until(lambda: last_start(starts) >= at, time_to_wait, "the start of a schedule")


def last_start(starts: Starts) -> float:
    """When the last start of the schedule was that is in the ledger."""
    return max(starts.last_starts().values(), default=0.0)
