"""A Redis that Sentinels name: used, and lost to another by all that run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.flower import shown_by_flower
from support.installation import Installation
from support.mixer import check_all, request
from support.sentinels import Sentinels
from support.stat_server import StatServer
from support.waiting import wait_until


@pytest.fixture
def sentinels(tmp_path: Path) -> Iterator[Sentinels]:
    """Servers and Sentinels that want a password, another one each."""
    with Sentinels(tmp_path, password="of-redis", own_password="of-sentinels") as made:
        yield made


def test_a_fail_over_loses_nothing_that_reached_the_replica(sentinels: Sentinels, stat_server: StatServer, tmp_path: Path) -> None:
    """The same front, worker and Flower go on with the new primary; calls made before, meanwhile and after are reported."""
    (tmp_path / "redis").write_text("of-redis\n")
    (tmp_path / "sentinels").write_text("of-sentinels\n")
    files = {
        "WAKEQUEUE_REDIS_PASSWORD_FILE": str(tmp_path / "redis"),
        "WAKEQUEUE_REDIS_SENTINEL_PASSWORD_FILE": str(tmp_path / "sentinels"),
    }
    with Installation(f"{sentinels.url()}/2", stat_server.url, files) as started:
        hook, worker = started.hook(), started.worker()
        flower, _ = shown_by_flower(started, worker)
        check_all(hook.grpc_address, [request(b"default", b"before")] * 3)
        wait_until(lambda: worker.metric("wakequeue_reported_requests_total") == 3, what="what was called before to be settled")
        stat_server.stop()
        check_all(hook.grpc_address, [request(b"default", b"waiting")] * 3)
        wait_until(lambda: hook.metric("wakequeue_recorded_total") == 6, what="what waits to be recorded")
        # It waits for what its own client wrote, and so for all that was written before.
        sentinels.primary.client.set("last", 1)
        sentinels.primary.client.delete("last")
        assert sentinels.primary.client.wait(1, 10_000) == 1
        sentinels.primary.kill()
        check_all(hook.grpc_address, [request(b"default", b"meanwhile")] * 3)
        stat_server.start()
        expected = {f"default/{name}": 3 for name in ("before", "waiting", "meanwhile")}
        wait_until(lambda: dict(stat_server.requests()) == expected, 30, "what was called before and meanwhile")
        check_all(hook.grpc_address, [request(b"default", b"after")] * 3)
        stat_server.wait_for("default/after")
        wait_until(lambda: hook.get("/readyz")[0] == worker.get("/readyz")[0] == 200, 20, "both to be well")
        assert worker.metric("wakequeue_ledger_drift_calls") == 0
        assert sentinels.replica.client.info("replication")["role"] == "master"
        assert set(sentinels.replica.client.info("keyspace")) == {"db2"}
        for running in (hook.process, worker.process, flower):
            assert "of-redis" not in running.output
            assert "of-sentinels" not in running.output
            assert "AttributeError" not in running.output
