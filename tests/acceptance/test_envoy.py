"""Each configuration in `deploy/envoy`, in a real Envoy, before a real front: what sleeps is woken, and its clients are held."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from acceptance.conftest import ADDED, Show, Times
from support.bootstrap import patient
from support.entrance import CART, HELLO, WAKING_FOR, Entrance
from support.envoy import needs_envoy
from support.visitor import Answer, Visitor
from support.waiting import wait_until

pytestmark = needs_envoy

CONFIGURATIONS = "ext-authz.yaml", "access-log.yaml", "http-port.yaml", "lua.yaml"

#: Those by which the front hears of each try, and those by which it hears of warm requests too.
TRIES_REACH_THE_FRONT = "access-log.yaml", "http-port.yaml"
TOLD_OF_ALL = "ext-authz.yaml", "lua.yaml"

#: What probes are known by.
PROBES = [
    ("user-agent", "kube-probe/1.34"),
    ("user-agent", "Knative-Ingress-Probe"),
    ("user-agent", "Knative-Activator-Probe"),
    ("user-agent", "Knative-Queue-Proxy-Probe"),
    ("user-agent", "Knative-Autoscaling-Probe"),
    ("k-network-probe", "activator"),
    ("k-network-probe", "probe"),
    ("k-network-probe", "queue"),
    ("k-kubelet-probe", "queue"),
]

#: What a client may send to have another application woken than the one that it asks for: headers, method and path.
FORGED = {
    "Knative's headers": ([("knative-serving-namespace", "default"), ("knative-serving-revision", "victim-00001")], "GET", "/"),
    "ours": (
        [
            ("x-wakequeue-cluster", "default/victim-00001"),
            ("wakequeue.namespace", "default"),
            ("wakequeue.revision", "victim-00001"),
            ("x-wakequeue-path", "/wake/default/victim-00001"),
        ],
        "GET",
        "/",
    ),
    "the path that wakes": ([("authorization", "Bearer guess")], "POST", "/wake/default/victim-00001"),
}


@pytest.fixture(scope="module", params=CONFIGURATIONS)
def entrance(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entrance]:
    """One of the configurations, in use."""
    with ExitStack() as stack:
        yield Entrance(stack, tmp_path_factory.mktemp("envoy"), request.param, patient)


@pytest.fixture(autouse=True)
def _as_at_the_start(entrance: Entrance) -> None:
    """The first application is asleep, the second is up. What a test asks for is reported before it ends."""
    entrance.envoy.down(HELLO[1])
    entrance.envoy.up(CART[1])


def test_wakes_exactly_what_is_asked_for(entrance: Entrance) -> None:
    """One request to a sleeping application has its Revision reported, and no other, though both of the same gateway sleep."""
    entrance.envoy.down(CART[1])
    for visitor, (_, name, revision) in ((entrance.hello, HELLO), (entrance.cart, CART)):
        before = entrance.reported()
        with ThreadPoolExecutor() as others:
            answer = others.submit(visitor.ask)
            entrance.wait_reported(revision, 1, before)
            assert entrance.reported(before) == {revision: 1}
            entrance.envoy.up(name)
            assert answer.result().status == 200


@pytest.mark.parametrize("ready_after", [0.5, 2.0])
@pytest.mark.parametrize("clients", [1, 50])
def test_clients_are_held_until_it_is_up(entrance: Entrance, show: Show, clients: int, ready_after: float) -> None:
    """Whoever asks for a sleeping application gets its answer once it is up, and counts as one request whatever was tried."""
    before = entrance.reported()
    coming = entrance.envoy.up_after(ready_after, HELLO[1])
    answers = entrance.hello.crowd(clients)
    assert {answer.status for answer in answers} == {200}
    assert min(answer.at for answer in answers) >= coming.at()
    entrance.wait_reported(HELLO[2], clients, before)
    words = (entrance.file, str(clients), f"{ready_after:g} s")
    show(Times(ADDED, words, [1000 * (answer.at - coming.at()) for answer in answers]))


def test_other_protocols_are_held_too(entrance: Entrance) -> None:
    """A unary gRPC call, a WebSocket, and a request with a body go through a cold start as they are."""
    before = entrance.reported()
    coming = entrance.envoy.up_after(0.5, HELLO[1])
    body = bytes(3_000_000)

    async def all_three() -> tuple[bytes, str, Answer]:
        hello = entrance.hello
        return await asyncio.gather(hello.call(b"hello"), hello.talk("hello"), hello.send(method="POST", body=body))

    said, echo, posted = asyncio.run(all_three())
    assert (said, echo, posted.status, posted.body == body) == (b"hello", "hello", 200, True)
    assert posted.at >= coming.at()
    entrance.wait_reported(HELLO[2], 3, before)


@pytest.mark.parametrize("entrance", TRIES_REACH_THE_FRONT, indirect=True)
def test_reports_go_on_while_a_client_waits(entrance: Entrance) -> None:
    """Where Envoy's tries reach the front, the Autoscaler hears of one request, and of a waiting client until it is served."""
    entrance.wait_asleep(HELLO[2])
    before, began = entrance.reported(), time.time()
    with ThreadPoolExecutor() as others:
        answer = others.submit(entrance.hello.ask)

        def goes_on() -> bool:
            late = [one for one in entrance.stats.of(HELLO[2]) if one.at > began + 2 * WAKING_FOR]
            return any(one.stat.concurrency >= 1 for one in late)

        wait_until(goes_on, 10, "a report of a waiting client long after the first")
        entrance.envoy.up(HELLO[1])
        assert answer.result().status == 200
    entrance.wait_reported(HELLO[2], 1, before)


@pytest.mark.parametrize("forged", FORGED)
def test_a_forged_identity_wakes_nothing(entrance: Entrance, forged: str) -> None:
    """Whatever a client sends, to a sleeping application, to one that is up, or to none, it wakes what it asks for alone."""
    headers, method, path = FORGED[forged]
    before = entrance.reported()
    with ThreadPoolExecutor() as others:
        answer = others.submit(entrance.hello.ask, *headers, method=method, path=path)
        entrance.wait_reported(HELLO[2], 1, before)
        nowhere = Visitor(entrance.envoy.port, "nowhere.example.com")
        assert nowhere.ask(*headers, method=method, path=path).status == 404
        assert entrance.cart.ask(*headers, method=method, path=path).status == 200
        entrance.envoy.up(HELLO[1])
        assert answer.result().status == 200
    entrance.envoy.down(CART[1])
    with ThreadPoolExecutor() as others:
        answer = others.submit(entrance.cart.ask)
        entrance.wait_reported(CART[2], 2 if entrance.file in TOLD_OF_ALL else 1, before)
        entrance.envoy.up(CART[1])
        assert answer.result().status == 200
    assert entrance.reported().keys() <= {HELLO[2], CART[2]}
    entrance.wait_reported(HELLO[2], 1, before)


def test_probes_wake_nothing(entrance: Entrance) -> None:
    """No probe of a sleeping application is reported, while a request that comes after them is."""
    before = entrance.reported()
    entrance.envoy.down(CART[1])
    with ThreadPoolExecutor(len(PROBES) + 1) as others:
        probes = [others.submit(entrance.hello.ask, header) for header in PROBES]
        wait_until(lambda: entrance.envoy.stat("http.gateway.downstream_rq_active") or all(one.done() for one in probes))
        answer = others.submit(entrance.cart.ask)
        entrance.wait_reported(CART[2], 1, before)
        assert entrance.reported(before) == {CART[2]: 1}
        entrance.envoy.up(HELLO[1])
        entrance.envoy.up(CART[1])
        assert answer.result().status == 200
        assert all(one.result().status for one in probes)


def test_a_front_that_hangs_or_is_gone_fails_no_request(entrance: Entrance) -> None:
    """With a front that hangs, then is killed, requests of both applications get their answers; a new front is found."""
    hasty = entrance.gateway("hasty", entrance.file)
    hello, cart = (Visitor(hasty.port, host) for host, _, _ in (HELLO, CART))
    entrance.freeze_front()
    for what in ("hangs", "is killed", "is gone"):
        hasty.up_after(0.5, HELLO[1])
        with ThreadPoolExecutor() as others:
            waiting = others.submit(hello.crowd, 10)
            if what == "is killed":
                entrance.front.process.kill()
            warm = [cart.ask() for _ in range(10)]
            assert {answer.status for answer in [*warm, *waiting.result()]} == {200}, what
        hasty.down(HELLO[1])
    entrance.restart_front()
    before = entrance.reported()
    hasty.up_after(0.5, HELLO[1])

    def is_told() -> bool:
        assert hello.ask().status == 200
        return entrance.reported(before)[HELLO[2]] > 0

    wait_until(is_told, what="the report of a request")
