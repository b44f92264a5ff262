"""The files of `deploy/istio/envoy`, as istiod applies them, in a real Envoy: what sleeps is woken, and its clients are held."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import pytest
from acceptance.conftest import ADDED, Show, Times
from support.bootstrap import FRONT_HTTP, NOTHING, all_of, patient
from support.entrance import CART, HELLO, Entrance
from support.envoy import Envoy, needs_envoy
from support.istio import GATEWAY, applied
from support.visitor import Visitor
from support.waiting import wait_until

pytestmark = needs_envoy

#: What a client may send to have another application woken than the one that it asks for.
FORGED = [
    ("knative-serving-namespace", "default"),
    ("knative-serving-revision", "victim-00001"),
    ("x-wakequeue-cluster", "outbound|80||victim-00001.default.svc.cluster.local"),
]

#: What the operator's table has for the applications' hosts. Others than their Revisions, so that it shows which source named one.
BY_HOST = {HELLO[2]: "default/hello-by-host", CART[2]: "shop/cart-by-host"}
TABLE = json.dumps({host: BY_HOST[revision] for host, _, revision in (HELLO, CART)})


@dataclass(frozen=True)
class Way:
    """Files, and how the front learns of requests by them."""

    files: tuple[str, ...]
    front_is_the_endpoint: bool = False
    knows_the_host_alone: bool = False


WAYS = {
    "in the activator's place": Way(("retry.yaml",), front_is_the_endpoint=True),
    "by an EnvoyFilter": Way(("envoyfilter.yaml", "retry.yaml")),
    "by an extension provider": Way(("ext-authz.yaml", "retry.yaml"), knows_the_host_alone=True),
}


@dataclass(frozen=True)
class Mesh:
    """An ingress gateway before a front, by one of the ways."""

    entrance: Entrance
    envoy: Envoy
    way: Way

    def sleep(self, *applications: tuple[str, str, str]) -> None:
        """Give applications the endpoints that Knative gives them when they sleep, and wait until Envoy knows."""
        front = int(self.entrance.addresses[FRONT_HTTP].rpartition(":")[2])
        port = front if self.way.front_is_the_endpoint else NOTHING
        for _, name, _ in applications:
            self.envoy.lead(name, port)
            wait_until(partial(self.envoy.leads, name, port), what=f"{name} asleep")

    def visitor(self, application: tuple[str, str, str]) -> Visitor:
        """A client of an application."""
        return Visitor(self.envoy.port, application[0])

    def revision(self, application: tuple[str, str, str]) -> str:
        """What an application's requests wake."""
        return BY_HOST[application[2]] if self.way.knows_the_host_alone else application[2]


@pytest.fixture(scope="module")
def entrance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Entrance]:
    """Front, worker, Redis and a stat server; and the access log's gateway."""
    with ExitStack() as stack:
        folder, change = tmp_path_factory.mktemp("istio"), all_of(applied("access-log.yaml"), patient)
        yield Entrance(stack, folder, GATEWAY, change, WAKEQUEUE_REVISIONS_BY_HOST=TABLE)


@pytest.fixture(scope="module", params=WAYS)
def mesh(request: pytest.FixtureRequest, entrance: Entrance) -> Mesh:
    """One of the ways, in use."""
    way = WAYS[request.param]
    return Mesh(entrance, entrance.gateway(request.param, GATEWAY, all_of(applied(*way.files), patient)), way)


def test_wakes_exactly_what_is_asked_for(mesh: Mesh) -> None:
    """One request to each of two sleeping applications has its Revision reported and no other, whatever it says; it is answered."""
    mesh.sleep(HELLO, CART)
    for application in (HELLO, CART):
        before, revision = mesh.entrance.reported(), mesh.revision(application)
        with ThreadPoolExecutor() as others:
            answer = others.submit(mesh.visitor(application).ask, *FORGED, method="POST", body=bytes(200_000))
            mesh.entrance.wait_reported(revision, 1, before)
            assert mesh.entrance.reported(before) == {revision: 1}
            assert not answer.done()
            mesh.envoy.up(application[1])
            assert (answer.result().status, answer.result().body) == (200, bytes(200_000))


def test_clients_are_held_until_it_is_up(mesh: Mesh, show: Show) -> None:
    """A crowd that asks for a sleeping application is answered once it is up, and counts as what it is."""
    mesh.sleep(HELLO)
    before = mesh.entrance.reported()
    coming = mesh.envoy.up_after(0.5, HELLO[1])
    answers = mesh.visitor(HELLO).crowd(50)
    assert {answer.status for answer in answers} == {200}
    assert min(answer.at for answer in answers) >= coming.at()
    mesh.entrance.wait_reported(mesh.revision(HELLO), 50, before)
    words = (" and ".join(mesh.way.files), "50", "0.5 s")
    show(Times(ADDED, words, [1000 * (answer.at - coming.at()) for answer in answers]))


@pytest.mark.parametrize("mesh", ["in the activator's place"], indirect=True)
def test_knatives_probes_are_answered(mesh: Mesh) -> None:
    """Through the gateway the Autoscaler and the ingress prober get the activator's answers, at once, and nothing wakes."""
    mesh.sleep(HELLO)
    before, hello = mesh.entrance.reported(), mesh.visitor(HELLO)
    answer = hello.ask(("k-network-probe", "activator"), ("user-agent", "Knative-Activator-Probe"))
    assert (answer.status, answer.body) == (200, b"activator")
    assert hello.ask(("k-network-probe", "probe"), ("k-network-hash", "a1b2c3")).status == 200
    mesh.sleep(CART)
    with ThreadPoolExecutor() as others:
        waiting = others.submit(mesh.visitor(CART).ask)
        mesh.entrance.wait_reported(CART[2], 1, before)
        assert mesh.entrance.reported(before) == {CART[2]: 1}
        mesh.envoy.up(CART[1])
        assert waiting.result().status == 200


def test_a_front_that_is_gone_fails_no_request(mesh: Mesh) -> None:
    """Without a front requests of both applications get their answers; a new front is found."""
    mesh.sleep(HELLO)
    mesh.envoy.up(CART[1])
    mesh.entrance.front.process.kill()
    mesh.entrance.front.process.wait()
    mesh.envoy.up_after(0.5, HELLO[1])
    with ThreadPoolExecutor() as others:
        waiting = others.submit(mesh.visitor(HELLO).crowd, 10)
        warm = [mesh.visitor(CART).ask() for _ in range(5)]
        assert {answer.status for answer in [*warm, *waiting.result()]} == {200}
    mesh.entrance.restart_front()
    mesh.sleep(HELLO)
    before = mesh.entrance.reported()
    mesh.envoy.up_after(0.5, HELLO[1])
    assert mesh.visitor(HELLO).ask().status == 200
    wait_until(lambda: mesh.entrance.reported(before)[mesh.revision(HELLO)], what="the report")


def test_the_access_log_wakes_what_had_no_endpoint(entrance: Entrance) -> None:
    """A request that found no endpoint, or one that refused, wakes what its route names; one that was answered wakes nothing."""
    entrance.envoy.lead(CART[1], NOTHING)
    wait_until(partial(entrance.envoy.leads, CART[1], NOTHING), what="an endpoint that refuses")
    before = entrance.reported()
    assert [entrance.hello.ask(*FORGED).status, entrance.cart.ask(*FORGED).status] == [503, 503]
    wait_until(lambda: len(entrance.reported(before)) > 1, what="both reports")
    entrance.envoy.up(HELLO[1])
    wait_until(partial(entrance.envoy.leads, HELLO[1]), what="an endpoint that answers")
    assert entrance.hello.ask().status == 200
    assert entrance.reported(before) == {HELLO[2]: 1, CART[2]: 1}
