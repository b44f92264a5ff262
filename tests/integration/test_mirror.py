"""The mirror of a cluster, over a real API server: it lists in pages, watches, resumes, and knows how old its knowledge is."""

import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.api_server import ApiServer
from support.certificates import Authority
from support.knative import DOMAIN_MAPPINGS, ENDPOINT_SLICES, REVISIONS, ROUTES, endpoint_slice, revision, route
from support.knative import domain_mapping as mapping_object
from support.processes import clean_environment
from support.tls_relay import TlsRelay
from support.waiting import wait_until

from wakequeue.cluster import access, api, mirror, reflector
from wakequeue.cluster.mirror import Mirror
from wakequeue.cluster.objects import FRONT, RevisionObject
from wakequeue.errors import CannotStart
from wakequeue.revision import Revision
from wakequeue.settings import Settings
from workers.mirroring import Mirroring

CART = Revision("shop", "cart-00001")
COLLECTIONS = {ROUTES, REVISIONS, ENDPOINT_SLICES, DOMAIN_MAPPINGS}

Opening = Callable[[], Mirror]


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """An API server with one application: a Route, its Revision at zero, and a domain."""
    with ApiServer(bookmark_every=0.1) as server:
        server.put(ROUTES, route("shop", "cart", [("cart-00001", 100)]))
        server.put(REVISIONS, revision("shop", "cart-00001"))
        server.put(ENDPOINT_SLICES, endpoint_slice("shop", "cart-00001", ready=0))
        server.put(DOMAIN_MAPPINGS, mapping_object("shop", "cart.example.org", "cart"))
        yield server


@pytest.fixture
def mirroring(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opening]:
    """Open a mirror of what a front needs; it ends with the test."""
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "kubeconfig")))
    threads: list[Mirroring] = []

    def opened() -> Mirror:
        one = access.mirror(Settings(kubernetes="on"), FRONT)
        assert one is not None
        threads.append(Mirroring(one))
        threads[-1].wait()
        return one

    yield opened
    for thread in threads:
        thread.close()


def watched(server: ApiServer) -> None:
    """Wait until every collection is watched."""
    wait_until(lambda: set(server.open_watches) == COLLECTIONS, what="watches of all collections")


def lists(server: ApiServer, collection: str) -> list[dict[str, str]]:
    """Return the parameters of all requests that listed a collection."""
    return [query for path, query in list(server.requests) if path == collection and "watch" not in query]


def test_it_knows_what_is_there(server: ApiServer, mirroring: Opening) -> None:
    """Once open, it answers all that can be asked, from one list of each collection and a watch from there on."""
    cluster = mirroring()
    for host in ("cart.shop.example.com", "cart.shop.svc.cluster.local", "cart.example.org"):
        assert cluster.behind(host) == (CART,)
    assert cluster.behind("other.example.org") == ()
    watched(server)
    wait_until(lambda: cluster.exists(CART) is not None, what="Revisions that are believed")
    assert (cluster.exists(CART), cluster.exists(Revision("shop", "none"))) == (True, False)
    readiness = wait_until(lambda: cluster.readiness(CART), what="endpoints that are believed")
    assert not readiness.ready
    assert [len(lists(server, collection)) for collection in COLLECTIONS] == [1] * 4
    selectors = {query.get("labelSelector") for path, query in server.requests if path == ENDPOINT_SLICES}
    assert selectors == {"networking.internal.knative.dev/serviceType=Private"}


def test_changes_are_seen(server: ApiServer, mirroring: Opening) -> None:
    """What is added, changed or deleted counts at once."""
    cluster = mirroring()
    watched(server)
    server.put(ENDPOINT_SLICES, endpoint_slice("shop", "cart-00001", ready=1))
    wait_until(lambda: (known := cluster.readiness(CART)) and known.ready, what="the Revision ready")
    server.put(REVISIONS, revision("shop", "cart-00002"))
    server.put(ROUTES, route("shop", "cart", [("cart-00001", 30), ("cart-00002", 70)]))
    wait_until(lambda: cluster.behind("cart.example.org") == (Revision("shop", "cart-00002"), CART), what="the split")
    server.delete(ENDPOINT_SLICES, "shop", endpoint_slice("shop", "cart-00001", ready=1)["metadata"]["name"])
    server.delete(REVISIONS, "shop", "cart-00001")
    wait_until(lambda: cluster.exists(CART) is False, what="the Revision gone")
    wait_until(lambda: cluster.readiness(CART) is None, what="its endpoints gone")


def test_many_are_listed_in_pages(server: ApiServer, mirroring: Opening) -> None:
    """600 Revisions come in three pages of one version, though the collection changes meanwhile."""
    for number in range(599):
        server.put(REVISIONS, revision("many", f"app-{number}"))
    cluster = mirroring()
    assert [query["limit"] for query in lists(server, REVISIONS)] == ["250"] * 3
    assert ["continue" in query for query in lists(server, REVISIONS)] == [False, True, True]
    wait_until(lambda: all(cluster.exists(Revision("many", f"app-{number}")) for number in range(599)), what="all of them")


def test_a_dropped_watch_is_resumed(server: ApiServer, mirroring: Opening) -> None:
    """Nothing is listed again, and nothing that changed meanwhile is missed."""
    cluster = mirroring()
    watched(server)
    for number in range(5):
        server.drop_watches()
        server.put(REVISIONS, revision("shop", f"new-{number}"))
        wait_until(lambda name=f"new-{number}": cluster.exists(Revision("shop", name)), what="what came meanwhile")
    assert len(lists(server, REVISIONS)) == 1


@pytest.mark.parametrize("at_once", [True, False])
def test_a_version_that_is_gone(server: ApiServer, mirroring: Opening, *, at_once: bool) -> None:
    """Where the API has forgotten the version, by a status or in the stream, all is listed again: what was deleted is gone."""
    server.gone_at_once = at_once
    cluster = mirroring()
    watched(server)
    server.stop()
    server.delete(REVISIONS, "shop", "cart-00001")
    server.put(REVISIONS, revision("shop", "cart-00002"))
    server.compact()
    server.start()
    wait_until(lambda: cluster.exists(Revision("shop", "cart-00002")), what="the new Revision")
    wait_until(lambda: cluster.exists(CART) is False, what="the old Revision gone")
    assert len(lists(server, REVISIONS)) == 2


def test_bookmarks_keep_a_quiet_watch_young(server: ApiServer, mirroring: Opening) -> None:
    """Of a collection in which nothing changes the version grows all the same, so that it need not be listed again."""
    cluster = mirroring()
    watched(server)
    for number in range(20):
        version = server.put(ROUTES, route("shop", f"r-{number}", [("cart-00001", 100)]))

    def heard() -> int:
        return int(cluster._reflectors[RevisionObject]._version)

    wait_until(lambda: heard() >= version, what="a bookmark of the newest version")
    server.compact()
    server.drop_watches()
    watched(server)
    assert len(lists(server, REVISIONS)) == 1


def test_an_api_that_is_away(
    server: ApiServer, mirroring: Opening, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Hosts lead where they led; of a Revision nothing is believed after a moment; once it is back, all is as it is there."""
    monkeypatch.setattr(mirror, "BELIEVED_SECONDS", 0.8)
    caplog.set_level(logging.INFO, "wakequeue")
    server.put(ENDPOINT_SLICES, endpoint_slice("shop", "cart-00001", ready=1))
    began = time.monotonic()
    cluster = mirroring()
    watched(server)
    server.stop()
    wait_until(lambda: cluster.readiness(CART) is None and cluster.exists(CART) is None, what="nothing believed")
    assert time.monotonic() - began >= 0.8
    assert cluster.behind("cart.example.org") == (CART,)
    server.put(ENDPOINT_SLICES, endpoint_slice("shop", "cart-00001", ready=0))
    server.delete(DOMAIN_MAPPINGS, "shop", "cart.example.org")
    wait_until(lambda: "cluster_away" in caplog.text, what="a line")
    server.start()
    wait_until(lambda: (known := cluster.readiness(CART)) and not known.ready, what="the Revision at zero")
    wait_until(lambda: cluster.behind("cart.example.org") == (), what="the domain gone")
    wait_until(lambda: "cluster_back" in caplog.text, what="a line")
    assert len(lists(server, REVISIONS)) == 1


def test_an_api_that_hangs(server: ApiServer, mirroring: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    """A watch on which nothing comes, not even its end, is given up, and made again once the API answers."""
    monkeypatch.setattr(api, "WATCH_SECONDS", 1)
    monkeypatch.setattr(api, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(api, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(mirror, "BELIEVED_SECONDS", 0.8)
    cluster = mirroring()
    wait_until(lambda: cluster.readiness(CART), what="the Revision known")
    server.mute()
    wait_until(lambda: cluster.readiness(CART) is None, what="nothing believed")
    server.unmute()
    server.put(ENDPOINT_SLICES, endpoint_slice("shop", "cart-00001", ready=1))
    wait_until(lambda: (known := cluster.readiness(CART)) and known.ready, what="the Revision ready")


def test_an_api_with_errors(server: ApiServer, mirroring: Opening) -> None:
    """Errors are waited out, whatever they are."""
    server.fail_next(6, 500)
    server.fail_next(3, 429)
    cluster = mirroring()
    assert cluster.behind("cart.example.org") == (CART,)


@pytest.mark.parametrize("broken", ["an error in the stream", "a watch that ends at once"])
def test_a_watch_that_never_lasts(server: ApiServer, mirroring: Opening, monkeypatch: pytest.MonkeyPatch, *, broken: str) -> None:
    """Though each opens, it isn't taken for one: what was known gets old, and the API isn't asked without end."""
    monkeypatch.setattr(mirror, "BELIEVED_SECONDS", 0.8)
    monkeypatch.setattr(reflector, "SHORTEST_WATCH", 2.0)  # or a watch that ends late, on a busy machine, would last
    server.put(ENDPOINT_SLICES, endpoint_slice("shop", "cart-00001", ready=1))
    cluster = mirroring()
    wait_until(lambda: (known := cluster.readiness(CART)) and known.ready, what="the Revision ready")
    watched(server)
    server.spoil = {"an error in the stream": 500, "a watch that ends at once": 0}[broken]
    server.drop_watches()
    server.put(ENDPOINT_SLICES, endpoint_slice("shop", "cart-00001", ready=0))
    wait_until(lambda: (known := cluster.readiness(CART)) is None or not known.ready, what="what was known not believed")
    asked = len(server.requests)
    until = time.monotonic() + 2
    while time.monotonic() < until:
        known = cluster.readiness(CART)
        assert known is None or not known.ready
    assert len(server.requests) - asked < 10 * len(COLLECTIONS)
    server.spoil = None
    wait_until(lambda: (known := cluster.readiness(CART)) and not known.ready, 20, "the Revision at zero")


def test_what_is_old_is_not_believed_on_return(server: ApiServer, mirroring: Opening, monkeypatch: pytest.MonkeyPatch) -> None:
    """What became of a Revision while the API was away is known before anything of it is believed again."""
    monkeypatch.setattr(mirror, "BELIEVED_SECONDS", 0.8)
    monkeypatch.setattr(reflector, "SHORTEST_WATCH", 2.0)  # as above: or it would be believed before it tells
    server.put(ENDPOINT_SLICES, endpoint_slice("shop", "cart-00001", ready=1))
    cluster = mirroring()
    watched(server)
    for compacted in (False, True):
        server.stop()
        wait_until(lambda: cluster.readiness(CART) is None, what="nothing believed")
        server.put(ENDPOINT_SLICES, endpoint_slice("shop", "cart-00001", ready=0))
        if compacted:
            server.compact()
        server.delay = 0.1
        server.start()
        known = wait_until(lambda: cluster.readiness(CART), what="the Revision known")
        assert not known.ready, compacted
        server.delay = 0
        server.put(ENDPOINT_SLICES, endpoint_slice("shop", "cart-00001", ready=1))
        wait_until(lambda: (known := cluster.readiness(CART)) and known.ready, what="the Revision ready")


def test_an_object_that_is_not_as_it_should_be(server: ApiServer, mirroring: Opening, caplog: pytest.LogCaptureFixture) -> None:
    """It counts for nothing, and stops no other, whether it is listed or comes later."""
    broken = route("shop", "broken", [("cart-00001", 100)])
    server.put(ROUTES, broken | {"status": broken["status"] | {"url": "http://[bad", "traffic": [{"percent": "all"}]}})
    cluster = mirroring()
    assert cluster.behind("cart.shop.example.com") == (CART,)
    watched(server)
    server.put(ROUTES, broken | {"status": broken["status"] | {"url": "http://[bad"}})
    server.put(ROUTES, route("shop", "other", [("cart-00001", 100)]))
    wait_until(lambda: cluster.behind("other.shop.example.com") == (CART,), what="what came after it")
    assert "cluster_unreadable object=shop/broken" in caplog.text
    server.put(ROUTES, broken)
    wait_until(lambda: cluster.behind("broken.shop.example.com") == (CART,), what="the object in order")


def test_a_name_that_cannot_be_read(server: ApiServer, mirroring: Opening, caplog: pytest.LogCaptureFixture) -> None:
    """What an annotation says besides counts, and it is told once."""
    caplog.set_level(logging.WARNING)
    for name in ("one", "two"):
        server.put(ROUTES, route("shop", name, [("cart-00001", 100)], wakes="cart, No"))
    cluster = mirroring()
    assert [one.wakes for one in cluster.applications_of(CART)] == [(), ("shop/cart",), ("shop/cart",)]
    assert caplog.text.count("cluster_unreadable") == 1
    assert "cluster_unreadable object=shop/one error=shop/No" in caplog.text


def test_slow_changes(server: ApiServer, mirroring: Opening) -> None:
    """Changes that come slowly come in order, and all of them."""
    cluster = mirroring()
    watched(server)
    server.delay = 0.02
    for ready in [1, 0] * 10 + [1]:
        server.put(ENDPOINT_SLICES, endpoint_slice("shop", "cart-00001", ready=ready))
    server.put(ENDPOINT_SLICES, endpoint_slice("shop", "last", ready=1))
    wait_until(lambda: cluster.readiness(Revision("shop", "last")), what="the last change")
    assert cluster.readiness(CART).ready


def test_a_collection_that_is_forbidden(server: ApiServer, mirroring: Opening) -> None:
    """The process begins without it, knows the rest, and has it once it may."""
    server.deny = {ENDPOINT_SLICES}
    began = time.monotonic()
    cluster = mirroring()
    assert time.monotonic() - began < mirror.LIST_SECONDS / 2
    assert cluster.readiness(CART) is None
    wait_until(lambda: cluster.exists(CART), what="the Revision there")
    assert cluster.behind("cart.example.org") == (CART,)
    server.deny = set()
    wait_until(lambda: cluster.readiness(CART), what="the Revision known")


def test_a_pods_service_account(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pod the API is reached over TLS with the mounted token, which is read again once it is refused."""
    authority = Authority(tmp_path)
    server.token = "first"
    folder = tmp_path / "serviceaccount"
    folder.mkdir()
    (folder / "ca.crt").write_text(authority.certificate.read_text())
    (folder / "namespace").write_text("wakequeue")
    (folder / "token").write_text("first")
    with TlsRelay(server.port, authority.issue("api")) as relay:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(relay.port))
        cluster = Mirror(access.api(folder), FRONT)
        thread = Mirroring(cluster)
        thread.wait()
        assert cluster.behind("cart.example.org") == (CART,)
        (folder / "token").write_text("second")
        server.token = "second"
        server.drop_watches()
        server.put(REVISIONS, revision("shop", "cart-00002"))
        wait_until(lambda: cluster.exists(Revision("shop", "cart-00002")), what="the new Revision")
        watched(server)
        thread.close()


def test_whether_there_is_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` finds one in a pod alone, `off` none, and `on` refuses to start without a way to it."""
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert access.mirror(Settings(kubernetes="off"), FRONT) is None
    assert access.mirror(Settings(kubernetes="auto"), FRONT) is None
    with pytest.raises(CannotStart, match="neither a service account nor a kubeconfig"):
        access.mirror(Settings(kubernetes="on"), FRONT)
    (tmp_path / "none").write_text("{")
    with pytest.raises(CannotStart, match="neither a service account nor a kubeconfig"):
        access.mirror(Settings(kubernetes="on"), FRONT)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """`auto` goes on without it, and `on` says what to install."""
    monkeypatch.setattr(access, "find_spec", lambda _: None)
    assert access.mirror(Settings(kubernetes="auto"), FRONT) is None
    with pytest.raises(CannotStart, match=r"pip install 'wakequeue\[kubernetes\]'"):
        access.mirror(Settings(kubernetes="on"), FRONT)


def test_without_access_nothing_of_it_is_loaded() -> None:
    """A front and a worker that ask nothing of Kubernetes don't import what would ask."""
    code = (
        "import sys, gateway_hook.server, workers.deliver, workers.app; print(sorted({'httpx2', 'lightkube'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], env=clean_environment(), capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n", done.stdout
