"""What each configuration costs a request of an application that is up: printed, for it depends on the machine."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from acceptance.conftest import OVERHEAD, Show, Times
from support.bootstrap import as_it_is, without_filter
from support.entrance import CART, Entrance
from support.envoy import needs_envoy
from support.visitor import KeptConnections, Visitor
from support.waiting import wait_until

pytestmark = [needs_envoy, pytest.mark.alone]

CONFIGURATIONS = {
    "none": ("lua.yaml", without_filter),
    "ext_authz": ("ext-authz.yaml", as_it_is),
    "access log": ("access-log.yaml", as_it_is),
    "HTTP port": ("http-port.yaml", as_it_is),
    "Lua": ("lua.yaml", as_it_is),
}

#: One after another, in turns, so that what else the machine does falls on all alike.
TURNS, A_TURN = 6, 50
#: And so many a second for so long, whether or not they are answered in time.
A_SECOND, SECONDS = 800, 1.5


@pytest.fixture(scope="module")
def entrance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entrance]:
    """The front that all of them tell."""
    with ExitStack() as stack:
        yield Entrance(stack, tmp_path_factory.mktemp("envoy"), "ext-authz.yaml")


@pytest.fixture(scope="module")
def gateways(entrance: Entrance) -> dict[str, Visitor]:
    """A visitor of the application through each configuration."""
    made = {name: entrance.gateway(name, *how) for name, how in CONFIGURATIONS.items()}
    return {name: Visitor(envoy.port, CART[0]) for name, envoy in made.items()}


@pytest.fixture(autouse=True)
def _awake(entrance: Entrance) -> None:
    """The front knows the application to be awake: what it does until then is no cost of a warm request."""

    def awake() -> float:
        return entrance.front.metric("wakequeue_calls_total", outcome="awake")

    before = awake()
    wait_until(lambda: entrance.cart.ask().status == 200 and awake() > before, what="a call answered from memory")


def test_one_after_another(gateways: dict[str, Visitor], show: Show) -> None:
    """Each request is answered 200."""
    took: dict[str, list[float]] = {name: [] for name in gateways}

    async def run() -> None:
        for _ in range(TURNS):
            for name, visitor in gateways.items():
                async with KeptConnections(visitor) as connections:
                    await connections.send()
                    took[name] += [await connections.send() for _ in range(A_TURN)]

    asyncio.run(run())
    for name, times in took.items():
        show(Times(OVERHEAD, (name, "sequential"), times))


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_at_a_rate(gateways: dict[str, Visitor], show: Show, name: str) -> None:
    """Each request is answered 200. What it took is counted from when it was due."""

    async def run() -> list[float]:
        async with KeptConnections(gateways[name]) as connections, asyncio.TaskGroup() as group:
            began, tasks = time.monotonic(), []
            for number in range(int(A_SECOND * SECONDS)):
                due = began + number / A_SECOND
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                tasks.append(group.create_task(connections.send(due)))
        return [task.result() for task in tasks]

    show(Times(OVERHEAD, (name, f"{A_SECOND}/s"), asyncio.run(run())))
