"""Two workers, one of which loses the Autoscaler."""

import itertools

from support.installation import Installation
from support.mixer import check
from support.stat_server import StatServer
from support.waiting import wait_until


def test_a_worker_that_is_cut_off_leaves_doorbells_to_others(installation: Installation, stat_server: StatServer) -> None:
    """While another one is connected; without that, it tries by itself."""
    hook, numbers = installation.hook(), itertools.count()
    with StatServer() as lost:
        cut_off, connected = installation.worker(WAKEQUEUE_AUTOSCALER_ENDPOINT=lost.url), installation.worker()
        lost.stop()
        wait_until(lambda: cut_off.get("/readyz")[0] == 503, what="the worker to be cut off")

        def left() -> bool:
            name = f"app-{next(numbers)}"
            check(hook.grpc_address, "default", name)
            stat_server.wait_for(f"default/{name}")
            return cut_off.metric("wakequeue_left_to_others_total") > 0

        wait_until(left, what="a doorbell to be left to the other worker")
        assert connected.metric("wakequeue_left_to_others_total") == 0
        connected.process.stop()
        released = cut_off.metric("wakequeue_released_total")
        check(hook.grpc_address, "default", "hello")
        wait_until(lambda: cut_off.metric("wakequeue_released_total") > released, what="the worker to try by itself")
        lost.start()
        lost.wait_for("default/hello")
