"""What is kept of the objects of a cluster."""

import msgspec
import pytest

from wakequeue.cluster.mirrored import LONGEST, Collection
from wakequeue.cluster.objects import Endpoints, EndpointSlice, PodAutoscaler, RevisionObject
from wakequeue.cluster.routes import DomainMapping, Mapped, Route
from wakequeue.revision import Revision

META = {"name": "cart", "namespace": "shop", "resourceVersion": "7", "uid": "1", "labels": {"a": "b"}, "managedFields": [{}]}

CLAIMED = {"type": "DomainClaimed", "status": "True"}


def kept(collection: Collection, **fields: object) -> object:
    """Return what is kept of an object with these fields."""
    return msgspec.convert({"metadata": META, "spec": None, "status": {}} | fields, collection).kept()


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
    assert hosts == (revisions("cart-00002"), tuple((name, revisions("cart-00002")) for name in names))


def test_a_split_leads_to_all_that_have_a_share() -> None:
    """The largest share comes first, shares of one Revision are added up, and one without a share is left out."""
    split = (("cart-1", 20), ("cart-2", 45), ("cart-3", 0), ("cart-1", 35), ("cart-4", None))
    hosts = kept(Route, **route(*({"revisionName": name, "percent": percent} for name, percent in split)))
    assert hosts.traffic == revisions("cart-1", "cart-2")
    assert {behind for _, behind in hosts.by_host} == {hosts.traffic}


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
    assert by_host["cart.shop.svc.home"] == hosts.traffic == revisions("cart-2")


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
    hosts = kept(Route, status=status)
    assert hosts is None or hosts == ((), ())


def test_a_route_without_an_address() -> None:
    """Its cluster-local names are known but for the cluster's domain."""
    status = {"url": "http://cart.shop.example.com", "traffic": [{"revisionName": "cart-1", "percent": 100}]}
    assert [host for host, _ in kept(Route, status=status).by_host] == ["cart.shop.example.com", "cart.shop", "cart.shop.svc"]


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


@pytest.mark.parametrize("collection", [RevisionObject, PodAutoscaler])
def test_what_is_said_against_a_revision(collection: Collection) -> None:
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
    assert kept(collection, status={"conditions": conditions}) == "Deploying; ImagePullBackOff: can't pull; TimedOut: not in time"
    assert kept(collection, status={"conditions": None}) == ""
    long = [{"type": "X", "status": "False", "reason": "X", "message": "m" * 10_000}]
    assert len(kept(collection, status={"conditions": long})) == LONGEST


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
