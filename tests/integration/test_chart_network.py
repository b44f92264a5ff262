"""The chart's NetworkPolicies: who may reach whom, as Kubernetes decides it."""

import pytest
from support.chart import CHOICES, Object, needs_helm, objects, pod
from support.network_policy import Peer, lets

pytestmark = needs_helm

SHUT = (
    "--set",
    "networkPolicy.enabled=true,networkPolicy.guardAutoscaler=true,settings.schedules.a.every=1h,settings.schedules.a.wakes=a/b",
)

GATEWAY = Peer("istio-system", {"istio": "ingressgateway"})
PROMETHEUS = Peer("monitoring", {"app": "prometheus"})
KEDA = Peer("keda", {"app": "keda-operator"})
STRANGER = Peer("shop", {"app": "cart"})
NEIGHBOUR = Peer("wakequeue", {"app": "other"})
AUTOSCALER = Peer("knative-serving", {"app": "autoscaler"})
ACTIVATOR = Peer("knative-serving", {"app": "activator"})
CONTROLLER = Peer("knative-serving", {"app": "controller"})
API_SERVER = Peer("", {})
EVERYBODY = (GATEWAY, PROMETHEUS, KEDA, STRANGER, NEIGHBOUR, ACTIVATOR)


def policies(*values: str) -> list[Object]:
    """The policies that are rendered."""
    return [one for one in objects(*values) if one["kind"] == "NetworkPolicy"]


def ours(component: str) -> Peer:
    """A pod of ours."""
    return Peer("wakequeue", pod(component, *SHUT).labels)


@pytest.mark.parametrize(
    ("component", "port", "welcome"),
    [
        ("hook", 6100, {GATEWAY.namespace}),
        ("hook", 8012, {GATEWAY.namespace}),
        ("hook", 6101, {PROMETHEUS.namespace}),
        ("worker", 6101, {PROMETHEUS.namespace}),
        ("beat", 6101, {PROMETHEUS.namespace}),
        ("flower", 5555, set()),
        ("redis", 6379, set()),
    ],
)
def test_who_may_come_in(component: str, port: int, welcome: set[str]) -> None:
    """Each port is open to those whom it is for: gateways, Prometheus, and for Flower and Redis none of them."""
    assert {one.namespace for one in EVERYBODY if lets(policies(*SHUT), one, ours(component), port)} == welcome


@pytest.mark.parametrize("component", ["hook", "worker", "beat", "flower", "doctor"])
def test_our_pods_reach_what_they_need(component: str) -> None:
    """All reach Redis and name servers, worker and doctor the Autoscaler, those that read Kubernetes its API; and nobody else."""
    source = ours(component)
    assert lets(policies(*SHUT), source, ours("redis"), 6379)
    assert lets(policies(*SHUT), source, Peer("kube-system", {}), 53, "UDP")
    assert lets(policies(*SHUT), source, AUTOSCALER, 8080) is (component in {"worker", "doctor"})
    assert lets(policies(*SHUT), source, API_SERVER, 6443) is (component in {"hook", "worker", "doctor"})
    assert not lets(policies(*SHUT), source, STRANGER, 80)


def test_redis_reaches_nobody() -> None:
    """Redis has no business elsewhere."""
    assert not any(lets(policies(*SHUT), ours("redis"), one, port) for one in EVERYBODY for port in (53, 80, 443))


def test_keda_reads_the_queue_where_it_scales() -> None:
    """KEDA reaches Redis if it scales the workers."""
    assert lets(policies(*SHUT, "--set", "worker.autoscaling.by=keda"), KEDA, ours("redis"), 6379)


def test_redis_elsewhere_may_be_anywhere_or_somewhere() -> None:
    """A Redis that isn't the chart's is reached at its ports: anywhere, or at the peers that the operator names."""
    away = (*SHUT, "--set", "redis.enabled=false,settings.redis_url=redis://redis/0")
    named = (*away, "--set", r"networkPolicy.redis.to[0].namespaceSelector.matchLabels.kubernetes\.io/metadata\.name=data")
    redis = Peer("data", {})
    assert lets(policies(*away), ours("hook"), redis, 26379)
    assert lets(policies(*away), ours("hook"), STRANGER, 6379)
    assert lets(policies(*named), ours("hook"), redis, 6379)
    assert not lets(policies(*named), ours("hook"), STRANGER, 6379)


def test_an_empty_list_lets_nobody_in() -> None:
    """A list of peers that is empty doesn't become a rule without peers, which would let all in."""
    empty = ("--set-json", "networkPolicy.gateways=[]", "--set-json", "networkPolicy.monitoring=[]")
    for port in (6100, 8012, 6101):
        assert not any(lets(policies(*SHUT, *empty), one, ours("hook"), port) for one in EVERYBODY)


def test_flower_opens_for_those_who_are_named() -> None:
    """An operator may let somebody reach Flower."""
    named = ("--set", r"networkPolicy.flower[0].namespaceSelector.matchLabels.kubernetes\.io/metadata\.name=shop")
    assert [one for one in EVERYBODY if lets(policies(*SHUT, *named), one, ours("flower"), 5555)] == [STRANGER]


def test_the_stat_port_is_for_those_that_report() -> None:
    """The Autoscaler hears of our workers, the activator and its own replicas, and of nobody else."""
    reporters = (ours("worker"), ours("doctor"), ACTIVATOR, AUTOSCALER)
    assert all(lets(policies(*SHUT), one, AUTOSCALER, 8080) for one in reporters)
    others = (
        GATEWAY,
        PROMETHEUS,
        STRANGER,
        NEIGHBOUR,
        CONTROLLER,
        Peer("shop", ACTIVATOR.labels),
        Peer("shop", ours("worker").labels),
    )
    assert not any(lets(policies(*SHUT), one, AUTOSCALER, 8080) for one in others)


@pytest.mark.parametrize("port", [1, 8008, 8079, 8081, 8443, 9090, 65535])
def test_the_autoscaler_s_other_ports_stay_open(port: int) -> None:
    """Metrics, profiles and webhooks of the Autoscaler are as open as without the guard; so is all else of Knative."""
    assert lets(policies(*SHUT), PROMETHEUS, AUTOSCALER, port)
    assert lets(policies(*SHUT), STRANGER, ACTIVATOR, port)


def test_the_guard_needs_no_other_policy() -> None:
    """The guard can be had alone, and the other policies without it, for which it takes no rights in Knative's namespace."""
    (guard,) = policies("--set", "networkPolicy.guardAutoscaler=true")
    assert guard["metadata"]["namespace"] == "knative-serving"
    others = policies("--set", "networkPolicy.enabled=true")
    assert {one["metadata"]["namespace"] for one in others} == {"wakequeue"}


def test_a_collector_may_be_reached() -> None:
    """What the operator adds counts for all of our pods."""
    added = policies(*CHOICES["network-policies"])
    assert lets(added, ours("worker"), Peer("observability", {}), 4318)
    assert not lets(added, ours("worker"), STRANGER, 4318)
