"""A version and the one before it run side by side, in either order: no call fails, and each is reported once."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from faults.conftest import Trial, mutant
from support.fault import Row
from support.gateway import Gateway
from support.installation import Running
from support.processes import free_port
from support.reckoning import census, told_after
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.versions import ROOT, WITHOUT_IDS, Version, previous
from support.waiting import wait_until

A_SECOND = 200

REVISIONS = 20

#: How many reports the Autoscaler gets of each pairing, of all Revisions several.
REPORTS = 2 * REVISIONS


@pytest.mark.skipif(not (ROOT / ".git").exists() or not shutil.which("git"), reason="no repository to take a version from")
@pytest.mark.parametrize("version", [previous, lambda: Version(WITHOUT_IDS)], ids=["previous", "without ids"])
@mutant(
    "Revisions are kept where the last version doesn't look",
    "wakequeue/ledger/prelude.lua",
    "  return PREFIX .. 'r:' .. name\n",
    "  return PREFIX .. 'rev:' .. name\n",
)
def test_a_rolling_upgrade(
    trial: Trial, version: Callable[[], Version], redis_server: RedisServer, stat_server: StatServer, tmp_path: Path
) -> None:
    """Under 200 calls a second: the version before, this front or worker beside it, this version alone, and all the way back."""
    before = version().write(tmp_path / "before")
    installation = trial.installation(redis_server.url, stat_server.url)
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    front = installation.hook(WAKEQUEUE_GRPC_ADDRESS=addresses[0], **before)
    worker = installation.worker(**before)
    with Gateway(addresses, A_SECOND, lambda number: f"app-{number % REVISIONS}") as gateway:
        stat_server.wait_for_more(REPORTS)
        worker = _replace(worker, installation.worker())
        stat_server.wait_for_more(REPORTS)
        front = _replace_front(front, installation.hook(WAKEQUEUE_GRPC_ADDRESS=addresses[1]))
        stat_server.wait_for_more(REPORTS)
        worker = _replace(worker, installation.worker(**before))
        stat_server.wait_for_more(REPORTS)
        _replace_front(front, installation.hook(WAKEQUEUE_GRPC_ADDRESS=addresses[0], **before))
        stat_server.wait_for_more(REPORTS)
        over = time.monotonic()
        recorded = gateway.stop()
    recovery = told_after(stat_server, recorded, over, within=10)
    row = trial.judge(Row.of("rolling upgrade", 4, recorded=recorded, reported=stat_server.requests(), worst_recovery=recovery))
    assert gateway.failed == [], f"{len(gateway.failed)} calls failed, the first with {gateway.failed[0]}"
    assert (row.lost, row.twice) == (0, 0), row
    assert row.worst_recovery < 5, row
    assert census(redis_server).drift_calls == 0
    assert census(redis_server).recorded_calls == recorded.total()


def _replace_front(old: Running, new: Running) -> Running:
    """The same, once the gateway has found it."""
    wait_until(lambda: new.metric("wakequeue_calls_total") > 0, what="calls to reach the new front")
    return _replace(old, new)


def _replace(old: Running, new: Running) -> Running:
    """Stop what the new process takes over from."""
    assert old.process.stop() == 0
    return new
