"""What NetworkPolicies let through, by Kubernetes' rules: who is selected by none is open; the policies that select one add up."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from support.chart import Object, selects


class Peer(NamedTuple):
    """A pod, by its namespace and labels."""

    namespace: str
    labels: dict[str, str]

    @property
    def namespace_labels(self) -> dict[str, str]:
        """What each namespace is labelled with by Kubernetes."""
        return {"kubernetes.io/metadata.name": self.namespace}


def lets(policies: Iterable[Object], source: Peer, target: Peer, port: int, protocol: str = "TCP") -> bool:
    """Whether a connection may be made: the source's policies let it out, and the target's let it in."""
    policies = list(policies)
    return _lets(policies, "Egress", source, target, (port, protocol)) and _lets(
        policies, "Ingress", target, source, (port, protocol)
    )


def _lets(policies: list[Object], direction: str, own: Peer, other: Peer, port: tuple[int, str]) -> bool:
    mine = [one for one in policies if direction in one["spec"]["policyTypes"] and _selects(one, own)]
    return not mine or any(_allows(rule, other, one, port, direction) for one in mine for rule in _rules(one, direction))


def _selects(policy: Object, pod: Peer) -> bool:
    return policy["metadata"]["namespace"] == pod.namespace and selects(policy["spec"]["podSelector"], pod.labels)


def _rules(policy: Object, direction: str) -> Iterator[Object]:
    yield from policy["spec"].get(direction.lower()) or ()


def _allows(rule: Object, other: Peer, policy: Object, port: tuple[int, str], direction: str) -> bool:
    peers: list[Any] = rule.get("from" if direction == "Ingress" else "to") or []
    return (not peers or any(_is(peer, other, policy) for peer in peers)) and any(_covers(each, port) for each in rule["ports"])


def _is(peer: Object, other: Peer, policy: Object) -> bool:
    if "namespaceSelector" in peer:
        there = selects(peer["namespaceSelector"], other.namespace_labels)
    else:
        there = other.namespace == policy["metadata"]["namespace"]
    return there and selects(peer.get("podSelector", {}), other.labels)


def _covers(each: Object, port: tuple[int, str]) -> bool:
    number, protocol = port
    return each.get("protocol", "TCP") == protocol and each["port"] <= number <= each.get("endPort", each["port"])
