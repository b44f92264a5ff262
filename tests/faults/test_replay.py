"""Ten thousand dead letters are replayed at 500 a second; the replay is interrupted half-way, and run again."""

import asyncio
import signal
import time

import pytest
from faults.conftest import Trial, mutant
from support.processes import BIN, Process
from support.site import Site
from support.waiting import wait_until

from wakequeue.broker import QUEUE
from wakequeue.ledger import Commit, Entry, FrontLedger
from wakequeue.revision import Revision
from wakequeue.settings import Settings

WAKEQUEUE = str(BIN / "wakequeue")

#: Older than `max_age`: a worker buries such a call as expired.
LONG_AGO = 400.0


@pytest.mark.timeout(300)
@mutant("a replayed letter is kept", "wakequeue/ledger/replay.lua", "take_out({letter})", "")
def test_an_interrupted_replay(trial: Trial) -> None:
    """Each is reported once, at that pace; nothing is reported twice, though the replay was run twice."""
    count = 10_000 if trial.mutant is None else 500
    site = Site.on(trial.stack, trial.env | {"WAKEQUEUE_WAKING_FOR": "500ms"})
    site.workers(1)
    called = {f"default/app-{number}": 1 for number in range(count)}
    record_long_ago(site, called)
    wait_until(lambda: site.census().buried == count, 90, f"{count} dead letters")
    began = time.monotonic()
    first = replay(site, count)
    wait_until(lambda: len(site.stats.requests()) >= count / 2, 30, "half of them to be reported")
    first.send_signal(signal.SIGINT)
    assert first.wait() == 130
    assert replay(site, count).wait(60) == 0
    took = time.monotonic() - began
    worst = site.reported(called, within=10)
    row = trial.judge(site.row("dead letters replayed, interrupted half-way", 1, called, worst))
    assert (row.lost, row.twice) == (0, 0)
    assert took > 0.9 * count / rate(count)
    assert site.settled(count, within=5).drift_calls == 0
    assert site.census().buried == 0


def rate(count: int) -> int:
    """So many a second that the replay takes 20 s, or the 2 s of a mutant."""
    return 500 if count == 10_000 else 250


def replay(site: Site, count: int) -> Process:
    """The operator's command."""
    return site.installation.start([WAKEQUEUE, "dead", "replay", "--all", "--rate", f"{rate(count)}"])


def record_long_ago(site: Site, called: dict[str, int]) -> None:
    """A front's commits, held back while Redis was away for long."""

    async def record() -> None:
        front = FrontLedger.connect(site.redis.reach, Settings(), QUEUE)
        keys = list(called)
        for number, start in enumerate(range(0, len(keys), 1_000)):
            entries = [Entry(Revision.parse(key), 1, False, LONG_AGO, LONG_AGO) for key in keys[start : start + 1_000]]  # noqa: FBT003  none is awake
            await front.record(Commit("front", number + 1), entries)
        await front.close()

    asyncio.run(record())
