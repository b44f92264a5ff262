"""A failed delivery, as an operator sees it: RETRY in Flower with its cause, and in the audit trail once it is made good."""

import json

from support.flower import page, shown_by_flower
from support.installation import Installation
from support.mixer import check
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.waiting import wait_until

from wakequeue.ledger import History


def test_a_failed_delivery_is_a_retry(installation: Installation, redis_server: RedisServer, stat_server: StatServer) -> None:
    """No message waits meanwhile; on the Autoscaler's return the call is reported, and the trail names each failed attempt."""
    hook, worker = installation.hook(), installation.worker()
    _, url = shown_by_flower(installation, worker)
    stat_server.stop()
    wait_until(lambda: worker.get("/readyz")[0] == 503, what="the worker to miss the Autoscaler")
    check(hook.grpc_address, "default", "hello")

    def retried() -> list[dict[str, object]]:
        tasks = json.loads(page(f"{url}/api/tasks?state=RETRY") or "{}")
        return [task for task in tasks.values() if "default/hello" in str(task["args"])]

    tasks = wait_until(retried, 20, "Flower to show a RETRY")
    assert "not connected" in str(tasks[0]["exception"])
    wait_until(lambda: redis_server.client.llen("wakequeue") == 0, what="an empty queue")
    stat_server.start()
    stat_server.wait_for("default/hello")
    trail = wait_until(lambda: History(redis_server.client).newest(1), what="an entry of the audit trail")
    assert trail[0].attempts == len(trail[0].tries) + 1 or len(trail[0].tries) == 10
    # The last may have been taken just before the Autoscaler's return.
    assert {cause for _, cause in trail[0].tries} - {"reconnected"} == {"not connected"}
    assert list(trail[0].callers) == ["mixer_authorization 127.0.0.1"]
