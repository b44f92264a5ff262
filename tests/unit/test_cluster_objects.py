"""What is kept of the objects of a cluster."""

from collections.abc import Callable

import msgspec
import pytest

from wakequeue.cluster.knowledge import Application, Scaling
from wakequeue.cluster.mirrored import LONGEST, Collection
from wakequeue.cluster.objects import Endpoints, EndpointSlice, RevisionObject
from wakequeue.cluster.routes import DomainMapping, Mapped, Route
from wakequeue.cluster.scaled import PodAutoscaler, Scaled
from wakequeue.revision import Revision

META = {"name": "cart", "namespace": "shop", "resourceVersion": "7", "uid": "1", "labels": {"a": "b"}, "managedFields": [{}]}

CLAIMED = {"type": "DomainClaimed", "status": "True"}


def kept(collection: Collection, **fields: object) -> object:
    """Return what is kept of an object with these fields."""
    return msgspec.convert({"metadata": META, "spec": None, "status": {}} | fields, collection).kept()


def scaled(**fields: object) -> Scaled:
    """Return what is kept of a PodAutoscaler with these fields."""
    return kept(PodAutoscaler, **{"spec": {}} | fields)


def revisions(*names: str) -> tuple[Revision, ...]:
    """Return Revisions of the namespace."""
    return tuple(Revision("shop", name) for name in names)


def route(*traffic: dict[str, object], local: str = "http://cart.shop.svc.cluster.local") -> dict[str, object]:
    """Return a Route's status."""
    return {"status": {"url": "https://cart.shop.example.com", "address": {"url": local}, "traffic": list(traffic)}}


def test_a_routes_hosts_lead_to_its_revisions() -> None:
    """The public host and the three cluster-local ones lead to the Revision that has the traffic."""
    hosts = kept(Route, **route({"revisionName": "cart-00002", "percent": 100, "latestRevision": True}))
    names = "cart.shop.example.com", "cart.shop", "cart.shop.svc", "cart.shop.svc.cluster.local"
    assert hosts == (Application("shop/cart", led := revisions("cart-00002")), tuple((name, led) for name in names))


def test_a_split_leads_to_all_that_have_a_share() -> None:
    """The largest share comes first, shares of one Revision are added up, and one without a share is left out."""
    split = (("cart-1", 20), ("cart-2", 45), ("cart-3", 0), ("cart-1", 35), ("cart-4", None))
    hosts = kept(Route, **route(*({"revisionName": name, "percent": percent} for name, percent in split)))
    assert hosts.application.revisions == revisions("cart-1", "cart-2")
    assert {behind for _, behind in hosts.by_host} == {hosts.application.revisions}


def test_a_tags_hosts_lead_to_its_revision_alone() -> None:
    """Also where it has no share of the Route's own traffic; Knative's other domains are as the tag's URL says."""
    hosts = kept(
        Route,
        **route(
            {"revisionName": "cart-2", "percent": 100},
            {"revisionName": "cart-1", "tag": "old", "url": "https://old-cart.shop.example.com"},
            local="http://cart.shop.svc.home",
        ),
    )
    by_host = dict(hosts.by_host)
    for host in ("old-cart.shop.example.com", "old-cart.shop", "old-cart.shop.svc", "old-cart.shop.svc.home"):
        assert by_host[host] == revisions("cart-1")
    assert by_host["cart.shop.svc.home"] == hosts.application.revisions == revisions("cart-2")


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"url": "http://cart.shop.example.com", "traffic": None},
        {"url": "http://cart.shop.example.com", "traffic": [{"percent": 100}]},
        {"url": "http://cart.shop.example.com", "traffic": [{"revisionName": "Not a name", "percent": 100}]},
    ],
)
def test_a_route_that_leads_nowhere(status: dict[str, object]) -> None:
    """A Route that Knative has not yet made, or that names nothing, has no hosts."""
    assert kept(Route, status=status) == (Application("shop/cart", ()), ())


def test_a_route_without_an_address() -> None:
    """Its cluster-local names are known but for the cluster's domain."""
    status = {"url": "http://cart.shop.example.com", "traffic": [{"revisionName": "cart-1", "percent": 100}]}
    assert [host for host, _ in kept(Route, status=status).by_host] == ["cart.shop.example.com", "cart.shop", "cart.shop.svc"]


@pytest.mark.parametrize(
    ("text", "wakes", "unreadable"),
    [
        ("till", ("shop/till",), ""),
        ("till, bank/web\n  stock,till", ("shop/till", "bank/web", "shop/stock"), ""),
        (" , ", (), ""),
        ("Till,stock,a/b/c,bank/,*", ("shop/stock",), "shop/Till, a/b/c, bank/, shop/*"),
    ],
)
def test_what_wakes_with_an_application(text: str, wakes: tuple[str, ...], unreadable: str) -> None:
    """Names between commas or spaces, of its namespace or with another; those that are none are left out, and can be told."""
    one = msgspec.convert({"metadata": META | {"annotations": {"wakequeue.dev/wakes": text, "other": "a"}}}, Route)
    assert one.kept().application == Application("shop/cart", (), wakes)
    assert one.unreadable() == unreadable


@pytest.mark.parametrize(
    ("ref", "route"),
    [
        ({"kind": "Service", "name": "cart", "namespace": "shop"}, "shop/cart"),
        ({"kind": "Route", "name": "cart"}, "shop/cart"),
        ({"kind": "Service", "name": "cart", "namespace": "other"}, "other/cart"),
        ({"kind": "Bucket", "name": "cart"}, None),
        ({}, None),
    ],
)
def test_a_domain_mapping_leads_to_a_route(ref: dict[str, str], route: str | None) -> None:
    """A Knative Service's Route has its name; what leads elsewhere is nothing to us."""
    wanted = None if route is None else Mapped("cart", route)
    assert kept(DomainMapping, spec={"ref": ref}, status={"conditions": [CLAIMED]}) == wanted


@pytest.mark.parametrize("conditions", [None, [], [CLAIMED | {"status": "False"}], [CLAIMED | {"type": "Ready"}]])
def test_a_domain_mapping_that_has_not_claimed_its_host(conditions: object) -> None:
    """Only who has claimed a domain has its host: a name that anybody may write is none."""
    spec = {"ref": {"kind": "Service", "name": "cart"}}
    assert kept(DomainMapping, spec=spec, status={"conditions": conditions}) is None


@pytest.mark.parametrize("against", [lambda **fields: kept(RevisionObject, **fields), lambda **fields: scaled(**fields).against])
def test_what_is_said_against_a_revision(against: Callable[..., str]) -> None:
    """The causes are kept, each once, and not what only sums them up or says nothing; the longest message is cut."""
    conditions = [
        {"type": "Ready", "status": "False", "reason": "ImagePullBackOff", "message": "sums up"},
        {"type": "Active", "status": "False", "reason": "NoTraffic", "message": "follows"},
        {"type": "Active", "status": "Unknown", "reason": "Queued", "message": "follows"},
        {"type": "Active", "status": "False", "reason": "TimedOut", "message": "not in time"},
        {"type": "SKSReady", "status": "Unknown", "reason": "NoHealthyBackends", "message": "follows"},
        {"type": "ContainerHealthy", "status": "False", "reason": "ImagePullBackOff", "message": "can't pull"},
        {"type": "ResourcesAvailable", "status": "Unknown", "reason": "Deploying"},
        {"type": "ScaleTargetInitialized", "status": "True"},
        {"type": "Odd", "status": "Unknown"},
    ]
    assert against(status={"conditions": conditions}) == "Deploying; ImagePullBackOff: can't pull; TimedOut: not in time"
    assert against(status={"conditions": None}) == ""
    long = [{"type": "X", "status": "False", "reason": "X", "message": "m" * 10_000}]
    assert len(against(status={"conditions": long})) == LONGEST


@pytest.mark.parametrize(
    ("says", "limit", "scaling"),
    [
        ({"target": "10"}, 0, Scaling("concurrency", 7.0)),
        ({"metric": "concurrency", "target": "10", "target-utilization-percentage": "50"}, 0, Scaling("concurrency", 5.0)),
        ({"target": "10", "targetUtilizationPercentage": "50"}, 0, Scaling("concurrency", 5.0)),
        ({"target": "10"}, 4, Scaling("concurrency", 2.8)),
        ({"target": "10"}, 1000, Scaling("concurrency", 7.0)),
        ({}, 20, Scaling("concurrency", 14.0)),
        ({}, 1, Scaling("concurrency", 1.0)),
        ({"target-utilization-percentage": "80"}, 0, Scaling("concurrency", 80.0)),
        ({"metric": "concurrency"}, 0, None),
        ({"target": "many"}, 0, None),
        ({"target": "nan"}, 0, None),
        ({"target": "-1"}, 0, None),
        ({"metric": "rps"}, 0, Scaling("rps", 140.0)),
        ({"metric": "rps", "target": "30"}, 2, Scaling("rps", 21.0)),
        ({"metric": "cpu", "target": "75"}, 0, None),
        ({"class": "kpa.autoscaling.knative.dev", "target": "10"}, 0, Scaling("concurrency", 7.0)),
        ({"class": "hpa.autoscaling.knative.dev", "metric": "concurrency", "target": "10"}, 0, None),
        ({"class": "another.example.com", "target": "10"}, 0, None),
    ],
)
def test_what_a_revision_is_scaled_by(says: dict[str, str], limit: int, scaling: Scaling | None) -> None:
    """The smaller of target and hard limit, times the utilization, 1 at least: as Knative's Autoscaler takes it."""
    annotations = {f"autoscaling.knative.dev/{key}": text for key, text in says.items()}
    spec = {"containerConcurrency": limit} if limit else {}
    assert scaled(metadata=META | {"annotations": annotations}, spec=spec).scaling == scaling


@pytest.mark.parametrize(
    ("endpoints", "ready"),
    [
        (None, False),
        ([], False),
        ([{"addresses": ["10.0.0.1"], "conditions": {"ready": False, "serving": True}}], False),
        ([{"conditions": {"ready": False}}, {"conditions": {"ready": True}}], True),
        ([{"conditions": {}}], True),
        ([{}], True),
    ],
)
def test_a_slice_has_a_ready_endpoint(endpoints: object, ready: bool) -> None:  # noqa: FBT001  pytest's
    """One that is ready, or of which that isn't known, which Kubernetes has read as ready."""
    labels = {"networking.internal.knative.dev/serverlessservice": "cart-1", "kubernetes.io/service-name": "cart-1-private"}
    assert kept(EndpointSlice, metadata=META | {"labels": labels}, endpoints=endpoints) == Endpoints(
        Revision("shop", "cart-1"), ready
    )


def test_a_slice_of_no_revision() -> None:
    """A slice that names no Revision is nothing to us."""
    assert kept(EndpointSlice, endpoints=[{}]) is None


def test_a_collections_name() -> None:
    """Collections are named as in their paths."""
    assert [one.collection() for one in (Route, RevisionObject, EndpointSlice)] == ["routes", "revisions", "endpointslices"]
