"""The life of Revisions in a cluster, with a real front and worker that watch it: what is woken, and how that ends."""

import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.cluster import Cluster
from support.envoy_caller import check
from support.envoy_messages import check_request, headers_added
from support.installation import Installation, Running
from support.mixer import check as mixer_check
from support.processes import BIN, free_port
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.waiting import wait_until

from wakequeue.ledger import DeadLetters, History, Outcome
from wakequeue.revision import Revision

CART = "shop/cart-00001"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster with one application, which sleeps."""
    with Cluster(tmp_path) as cluster:
        cluster.application("shop/cart", ("cart-00001", 100), domain="cart.example.org")
        yield cluster


@pytest.fixture
def addresses() -> dict[str, dict[str, str]]:
    """Where a front listens that is started by hand, beside a worker."""
    return {"hook": {f"WAKEQUEUE_{name}_ADDRESS": f"127.0.0.1:{free_port()}" for name in ("GRPC", "HTTP")}, "worker": {}}


@pytest.fixture
def worker(cluster: Cluster, installation: Installation) -> Running:
    """A worker that watches the cluster, once it believes what it sees."""
    installation.env |= cluster.env
    worker = installation.worker(WAKEQUEUE_UNWOKEN_AFTER="6s")
    cluster.watched(fronts=0)
    wait_until(lambda: believes(worker), what="a worker that believes")
    return worker


@pytest.fixture
def front(cluster: Cluster, installation: Installation, worker: Running) -> Running:
    """A front, beside the worker; it believes what it sees, too."""
    front = installation.hook()
    cluster.watched()
    wait_until(lambda: believes(front), what="a front that believes")
    assert worker.process.returncode is None
    return front


def call(front: Running, host: str) -> None:
    """Call as Envoy does whose route names no Revision: by the host alone."""
    assert headers_added(check(front.grpc_address, check_request(host=host.encode())))[0] == 0


def get(address: str, path: str) -> int:
    """Return the status of a path of an admin port; 0 where nothing answers."""
    try:
        with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as answer:
            return int(answer.status)
    except OSError:
        return 0


def endings(redis_server: RedisServer, outcome: str) -> list[Outcome]:
    """Return the entries of the audit trail that say how a waking ended so."""
    return [one for one in History(redis_server.client).newest(100) if one.outcome == outcome]


def believes(process: Running) -> bool:
    """Whether all of the cluster is watched by this process, and has been for a moment: a watch is believed once it has lasted."""
    status, text = process.get("/metrics")
    ages = re.findall(r"(?m)^wakequeue_cluster_age_seconds\{.*\} (.*)$", text)
    return status == 200 and set(map(float, ages)) == {0.0}


def becomes_ready(cluster: Cluster, key: str) -> None:
    """A Revision has a ready endpoint, and another one after it: who has heard of that one has heard of the first."""
    cluster.ready(key)
    cluster.ready("shop/heard-of")


def knows(front: Running, **objects: int) -> None:
    """Wait until the front knows of so many objects of these collections."""
    for collection, count in objects.items():
        wait_until(
            lambda collection=collection, count=count: front.metric("wakequeue_cluster_objects", collection=collection) == count,
            what=f"{count} {collection}",
        )


def test_a_host_wakes_its_revision(front: Running, stat_server: StatServer) -> None:
    """Public, cluster-local or mapped: the Revision behind each host is reported."""
    hosts = ["cart.shop.example.com", "CART.shop.example.com:443", "cart.shop.svc.cluster.local", "cart.shop", "cart.example.org"]
    for calls, host in enumerate(hosts, 1):
        call(front, host)
        wait_until(lambda calls=calls: stat_server.requests()[CART] == calls, what=f"a report of {host}")
    assert stat_server.requests().keys() == {CART}


def test_a_split_wakes_all_that_have_a_share(cluster: Cluster, front: Running, stat_server: StatServer) -> None:
    """A tag's host wakes its Revision alone, and a Revision without a share is woken by its tag only."""
    cluster.application("shop/split", ("split-1", 80), ("split-2", 20), ("split-3", 0, "next"))
    knows(front, routes=2, revisions=4)
    call(front, "next-split.shop.example.com")
    stat_server.wait_for("shop/split-3")
    assert stat_server.requests().keys() == {"shop/split-3"}
    call(front, "split.shop.example.com")
    stat_server.wait_for("shop/split-1")
    stat_server.wait_for("shop/split-2")
    assert stat_server.requests() == {"shop/split-1": 1, "shop/split-2": 1, "shop/split-3": 1}


def test_what_is_unknown_wakes_nothing(cluster: Cluster, front: Running, stat_server: StatServer) -> None:
    """Neither a host that leads nowhere, nor a Revision that isn't there, or no longer; each is answered OK, and counted."""
    call(front, "nobody.example.org")
    mixer_check(front.grpc_address, "shop", "cart-00009")
    cluster.gone(CART)
    knows(front, revisions=0)
    call(front, "cart.example.org")
    assert front.metric("wakequeue_unresolved_total", reason="unknown_host") == 1
    assert front.metric("wakequeue_unresolved_total", reason="unknown_revision") == 2
    cluster.application("shop/other", ("other-1", 100))
    knows(front, routes=2, revisions=1)
    call(front, "other.shop.example.com")
    stat_server.wait_for("shop/other-1")
    assert stat_server.requests().keys() == {"shop/other-1"}


def test_a_life(cluster: Cluster, front: Running, worker: Running, stat_server: StatServer, redis_server: RedisServer) -> None:
    """It is reported until it is ready, and no longer; its calls are answered from memory then; and it is woken again at zero."""
    began = time.time()
    call(front, "cart.example.org")
    called = time.time()
    # Longer than `waking_for`: the reports go on while it isn't ready.
    stat_server.wait_for(CART, reports=5)
    ready_at = time.time()
    becomes_ready(cluster, CART)
    (woken,) = wait_until(lambda: endings(redis_server, "woken"), what="the end of the waking")
    assert ready_at - called - 0.1 < woken.waking_seconds < time.time() - began + 0.1
    knows(front, endpointslices=2)
    wait_until(lambda: len(stat_server.frames) == worker.metric("wakequeue_frames_total"), what="what was sent")
    told = len(stat_server.of(CART))
    for _ in range(20):
        call(front, "cart.example.org")
    assert front.metric("wakequeue_calls_total", outcome="passed") == 20
    wait_until(lambda: front.metric("wakequeue_passed_total") == 20, what="the calls that nobody needs to hear of")
    assert len(stat_server.of(CART)) == told
    # The last call is as young as can be: what has no endpoints is asleep all the same.
    cluster.at_zero(CART)
    calls = 0
    while len(stat_server.of(CART)) == told:
        call(front, "cart.example.org")
        calls += 1
    first = stat_server.of(CART)[told].stat
    assert (first.concurrency, first.requests) >= (1, 1)
    wait_until(lambda: stat_server.requests()[CART] == 1 + calls, what="all calls since")
    assert len(endings(redis_server, "woken")) == 1


def test_it_does_not_wake(cluster: Cluster, front: Running, stat_server: StatServer, redis_server: RedisServer) -> None:
    """What isn't ready in time is reported meanwhile, then is a dead letter with what Knative says; a new call wakes again."""
    cluster.fails(CART, "ImagePullBackOff", "can't pull the image")
    call(front, "cart.example.org")
    (letter,) = wait_until(lambda: list(DeadLetters(redis_server.client).find(lambda _: True)), what="a dead letter")
    assert (letter.revision, letter.reason) == (Revision.parse(CART), "unwoken")
    assert "ImagePullBackOff: can't pull the image" in letter.tries[-1][1]
    (unwoken,) = endings(redis_server, "unwoken")
    assert unwoken.waking_seconds >= 6
    # Longer than `waking_for`.
    reports = stat_server.of(CART)
    assert reports[-1].at - reports[0].at > 3
    call(front, "cart.example.org")
    wait_until(lambda: stat_server.requests()[CART] == 2, what="another report")


def test_readiness_that_came_of_itself(cluster: Cluster, front: Running, stat_server: StatServer) -> None:
    """A Revision that is ready before anybody calls it is answered from memory, and nothing is reported."""
    cluster.ready(CART)
    wait_until(lambda: call(front, "cart.example.org") or front.metric("wakequeue_calls_total", outcome="passed"), what="awake")
    recorded = front.metric("wakequeue_calls_total", outcome="recorded")
    call(front, "cart.example.org")
    assert front.metric("wakequeue_calls_total", outcome="recorded") == recorded
    wait_until(lambda: stat_server.requests()[CART] == recorded, what="what came before")


def test_a_cluster_that_is_away(
    cluster: Cluster, front: Running, worker: Running, stat_server: StatServer, redis_server: RedisServer
) -> None:
    """Hosts go on to wake, by the times alone; on return what is known to be ready is awake again, and nothing was lost."""
    cluster.api.stop()
    for one in (front, worker):
        wait_until(lambda one=one: one.metric("wakequeue_cluster_age_seconds", collection="endpointslices") > 2.1, what="its age")
    began = time.time()
    call(front, "cart.example.org")
    assert stat_server.wait_for(CART)[0].stat.requests == 1
    call(front, "nobody.example.org")
    wait_until(lambda: time.time() - began > 4, what="the end of the waking, by the times")
    assert 1 < len(stat_server.of(CART)) <= 3
    assert endings(redis_server, "woken") == endings(redis_server, "unwoken") == []
    becomes_ready(cluster, CART)
    cluster.api.start()
    wait_until(lambda: believes(front), what="all of it known again")
    knows(front, endpointslices=2)
    awake = front.metric("wakequeue_calls_total", outcome="passed")
    call(front, "cart.example.org")
    assert front.metric("wakequeue_calls_total", outcome="passed") == awake + 1
    assert stat_server.requests() == {CART: 1}


def test_processes_that_start_while_the_cluster_is_away(
    cluster: Cluster, installation: Installation, addresses: dict[str, dict[str, str]], stat_server: StatServer
) -> None:
    """They say at once that they live, so that nobody ends them; work without it after a while, and know it once it is back."""
    cluster.api.stop()
    installation.env |= cluster.env
    admin = {role: f"127.0.0.1:{free_port()}" for role in ("hook", "worker")}
    started = {
        role: installation.start([str(BIN / "wakequeue"), role], WAKEQUEUE_ADMIN_ADDRESS=address, **addresses[role])
        for role, address in admin.items()
    }
    for role, address in admin.items():
        wait_until(lambda address=address: get(address, "/livez") == 200, 20, f"a {role} that lives")
        assert not any(" started role=" in line for line in started[role].lines)
    for role, process in started.items():
        process.wait_for_line(f" started role={role}")
        assert "never listed" in process.output
    mixer_check(addresses["hook"]["WAKEQUEUE_GRPC_ADDRESS"], "shop", "cart-00001")
    stat_server.wait_for(CART)
    cluster.api.start()
    cluster.watched()


def test_a_front_that_is_told_to_stop_while_it_lists(
    cluster: Cluster, installation: Installation, addresses: dict[str, dict[str, str]]
) -> None:
    """It ends at once, not once it has given up on the API."""
    cluster.api.mute()
    installation.env |= cluster.env
    address = f"127.0.0.1:{free_port()}"
    front = installation.start([str(BIN / "wakequeue"), "hook"], WAKEQUEUE_ADMIN_ADDRESS=address, **addresses["hook"])
    wait_until(lambda: get(address, "/livez") == 200, 20, "a front that lives")
    assert front.stop() == 0
    assert " cluster_unknown " not in front.output
