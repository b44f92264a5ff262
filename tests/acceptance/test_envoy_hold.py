"""Hold mode, with a real Envoy: clients are held by the front's answer until their application is ready."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from acceptance.conftest import ADDED, Show, Times
from support.bootstrap import for_holding
from support.cluster import Cluster
from support.entrance import HELLO, Entrance
from support.envoy import needs_envoy
from support.waiting import wait_until, wait_until_async

pytestmark = needs_envoy


class Held:
    """An entrance whose front holds, before a cluster that says what is ready."""

    def __init__(self, stack: ExitStack, folder: Path, file: str) -> None:
        self.cluster = stack.enter_context(Cluster(folder))
        self.cluster.application("default/hello", ("hello-00001", 100))
        self.entrance = Entrance(stack, folder, file, for_holding, WAKEQUEUE_MODE="hold", **self.cluster.env)
        self.cluster.watched()

    def sleep(self) -> None:
        """Put the application to sleep, everywhere."""
        self.entrance.envoy.down(HELLO[1])
        self.cluster.at_zero(HELLO[2])
        # What comes after it in the same collection is known once it is.
        known = self._slices()
        self.cluster.at_zero(f"default/other-{known:.0f}")
        wait_until(lambda: self._slices() > known, what="all of it known to the front")

    def _slices(self) -> float:
        return self.entrance.front.metric("wakequeue_cluster_objects", collection="endpointslices")

    def ready_after(self, clients: int, seconds: float, late: float) -> "Ready":
        """Have it get ready a while after so many clients are held, and Envoy hear of that `late`."""
        return Ready(self, clients, seconds, late)


class Ready(threading.Thread):
    """An application that gets ready while others wait for it; `at` waits for that, and says when Envoy knew."""

    def __init__(self, held: Held, clients: int, seconds: float, late: float) -> None:
        super().__init__()
        self._held, self._clients, self._seconds, self._late = held, clients, seconds, late
        self._at = 0.0
        self.start()

    def run(self) -> None:
        """Wait, and be ready."""
        front = self._held.entrance.front
        wait_until(lambda: front.metric("wakequeue_held_calls") == self._clients, what=f"{self._clients} held clients")
        time.sleep(self._seconds)
        self._held.cluster.ready(HELLO[2])
        time.sleep(self._late)
        self._at = self._held.entrance.envoy.up(HELLO[1])

    def at(self) -> float:
        """When Envoy had its endpoints (on `time.monotonic`)."""
        self.join()
        return self._at


@pytest.fixture(scope="module", params=["ext-authz.yaml", "http-port.yaml"])
def held(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    """One of the ways in which a front can hold, in use."""
    with ExitStack() as stack:
        yield Held(stack, tmp_path_factory.mktemp("envoy"), request.param)


@pytest.mark.parametrize("late", [0.0, 0.1])
@pytest.mark.parametrize("ready_after", [0.5, 2.0])
@pytest.mark.parametrize("clients", [1, 500])
def test_clients_are_held_until_it_is_ready(held: Held, show: Show, clients: int, ready_after: float, late: float) -> None:
    """Every client gets its answer, also where Envoy hears later than the front that there are endpoints; each counts once."""
    held.sleep()
    entrance = held.entrance
    before = entrance.reported()
    ready = held.ready_after(clients, ready_after, late)
    answers = entrance.hello.crowd(clients)
    assert {answer.status for answer in answers} == {200}
    assert min(answer.at for answer in answers) >= ready.at()
    entrance.wait_reported(HELLO[2], clients, before)
    words = (f"{entrance.file}, hold", str(clients), f"{ready_after:g} s" + (f", {late:g} s late" if late else ""))
    show(Times(ADDED, words, [1000 * (answer.at - ready.at()) for answer in answers]))


def test_clients_that_leave_are_held_no_more(held: Held) -> None:
    """A client that goes away is not held on, and what it asked for was recorded."""
    held.sleep()
    entrance = held.entrance
    before = entrance.reported()

    async def leave_once_held() -> None:
        clients = [asyncio.create_task(entrance.hello.send()) for _ in range(20)]
        await wait_until_async(lambda: entrance.front.metric("wakequeue_held_calls") == len(clients), what="20 held clients")
        for client in clients:
            client.cancel()
        assert {type(ended) for ended in await asyncio.gather(*clients, return_exceptions=True)} == {asyncio.CancelledError}

    asyncio.run(leave_once_held())
    wait_until(lambda: not entrance.front.metric("wakequeue_held_calls"), what="nobody held")
    entrance.wait_reported(HELLO[2], 20, before)
