"""The objects of Knative Serving as its controllers write them, of Knative 1.x, and the paths of their collections.

Each is as it is once its controllers have seen it; the Service of a Revision is what its name has before the last hyphen.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Object = dict[str, Any]

ROUTES = "/apis/serving.knative.dev/v1/routes"
REVISIONS = "/apis/serving.knative.dev/v1/revisions"
DOMAIN_MAPPINGS = "/apis/serving.knative.dev/v1beta1/domainmappings"
POD_AUTOSCALERS = "/apis/autoscaling.internal.knative.dev/v1alpha1/podautoscalers"
ENDPOINT_SLICES = "/apis/discovery.k8s.io/v1/endpointslices"

_THEN = "2026-01-01T00:00:00Z"
_NO_TLS = {"status": "True", "reason": "TLSNotEnabled", "message": "external-domain-tls is not enabled"}
_ASLEEP = {"status": "False", "reason": "NoTraffic", "message": "The target is not receiving traffic.", "severity": "Info"}
_PORTS = {"http": 8012, "http-autometric": 9090, "http-usermetric": 9091, "http-queueadm": 8022, "http-istio": 8012}


def route(
    namespace: str, name: str, traffic: Sequence[tuple[Any, ...]], domain: str = "example.com", wakes: str | None = None
) -> Object:
    """A Route that is ready, over targets `(revision, percent)` or `(revision, percent, tag)`; a percent of None is left out.

    A lone target without a tag is the latest Revision, as in a Service of which nothing was pinned. `wakes` is our annotation.
    """
    annotations = {"serving.knative.dev/creator": "someone"} | ({} if wakes is None else {"wakequeue.dev/wakes": wakes})
    latest = len(traffic) == 1 and len(traffic[0]) == 2
    spec, status = [], []
    for revision_name, percent, *tag in traffic:
        target = {"latestRevision": latest} | ({} if percent is None else {"percent": percent}) | ({"tag": tag[0]} if tag else {})
        url = {"url": f"http://{tag[0]}-{name}.{namespace}.{domain}"} if tag else {}
        spec.append(target | ({"configurationName": name} if latest else {"revisionName": revision_name}))
        status.append(target | {"revisionName": revision_name} | url)
    made = {
        "url": f"http://{name}.{namespace}.{domain}",
        "address": {"url": f"http://{name}.{namespace}.svc.cluster.local"},
        "traffic": status,
        "conditions": _conditions(AllTrafficAssigned="True", CertificateProvisioned=_NO_TLS, IngressReady="True", Ready="True"),
    }
    return _object(
        "serving.knative.dev/v1",
        "Route",
        _metadata(namespace, name, {"serving.knative.dev/service": name}, annotations),
        {"traffic": spec},
        made,
    )


def revision(namespace: str, name: str, *, ready: bool | None = True, reason: str = "", message: str = "") -> Object:
    """A Revision that is ready and asleep, or is not ready for a reason; None is not known yet."""
    verdict = {"status": {True: "True", False: "False", None: "Unknown"}[ready], "reason": reason, "message": message}
    of_container = reason == "ContainerMissing" or reason.startswith("ExitCode")
    conditions = _conditions(
        Active=_ASLEEP if ready else {"status": "Unknown", "reason": "Deploying", "severity": "Info"},
        ContainerHealthy=verdict if of_container else "True" if ready else "Unknown",
        Ready=verdict,
        ResourcesAvailable="True" if of_container else verdict,
    )
    service = name.rpartition("-")[0] or name
    labels = {f"serving.knative.dev/{key}": service for key in ("configuration", "service")}
    labels |= {"serving.knative.dev/configurationGeneration": "1", "serving.knative.dev/routingState": "active"}
    container = {"image": "example.com/hello", "name": "user-container", "resources": {}}
    spec = {"containerConcurrency": 0, "containers": [container], "enableServiceLinks": False, "timeoutSeconds": 300}
    status = {"conditions": conditions, "actualReplicas": 0, "desiredReplicas": 0}
    return _object("serving.knative.dev/v1", "Revision", _metadata(namespace, name, labels), spec, status)


def pod_autoscaler(
    namespace: str,
    name: str,
    desired: int | None,
    actual: int | None,
    conditions: Mapping[str, str | Mapping[str, str]],
    scaling: Mapping[str, str] | None = None,
) -> Object:
    """A Revision's PodAutoscaler, with its conditions by type: a status, or a status with reason and message.

    A scale that is None is left out. Knative writes a desired scale of -1 while it has no metrics. `scaling` are annotations such
    as `target`, without their domain.
    """
    says = {"class": "kpa.autoscaling.knative.dev", "metric": "concurrency"} | dict(scaling or {})
    scales = {key: scale for key, scale in (("desiredScale", desired), ("actualScale", actual)) if scale is not None}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": f"{name}-deployment"}
    spec = {"protocolType": "http1", "reachability": "Reachable", "scaleTargetRef": target}
    status = {"serviceName": name, "metricsServiceName": f"{name}-private", "conditions": _conditions(**conditions), **scales}
    metadata = _metadata(namespace, name, _labels(name), {f"autoscaling.knative.dev/{key}": text for key, text in says.items()})
    return _object("autoscaling.internal.knative.dev/v1alpha1", "PodAutoscaler", metadata, spec, status)


def endpoint_slice(namespace: str, revision: str, ready: int, not_ready: int = 0, name: str = "") -> Object:
    """A slice of a Revision's private Service; one without endpoints has null for them, and for its ports."""
    labels = _labels(revision) | {
        "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io",
        "kubernetes.io/service-name": f"{revision}-private",
        "networking.internal.knative.dev/serverlessservice": revision,
        "networking.internal.knative.dev/serviceType": "Private",
    }
    endpoints = [
        {
            "addresses": [f"10.0.{number // 250}.{number % 250 + 1}"],
            "conditions": {"ready": number < ready, "serving": number < ready, "terminating": False},
            "nodeName": "node",
            "targetRef": {"kind": "Pod", "namespace": namespace, "name": f"{revision}-deployment-{number:05}"},
        }
        for number in range(ready + not_ready)
    ]
    ports = [{"name": port, "port": number, "protocol": "TCP"} for port, number in _PORTS.items()]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": _metadata(namespace, name or f"{revision}-private-abcde", labels),
        "addressType": "IPv4",
        "endpoints": endpoints or None,
        "ports": ports if endpoints else None,
    }


def domain_mapping(namespace: str, host: str, route: str, kind: str = "Service") -> Object:
    """A DomainMapping that is ready, from a host to a Service or a Route."""
    url = f"http://{host}"
    ref = {"apiVersion": "serving.knative.dev/v1", "kind": kind, "name": route, "namespace": namespace}
    conditions = _conditions(
        CertificateProvisioned=_NO_TLS, DomainClaimed="True", IngressReady="True", Ready="True", ReferenceResolved="True"
    )
    status = {"url": url, "address": {"url": url}, "conditions": conditions}
    return _object("serving.knative.dev/v1beta1", "DomainMapping", _metadata(namespace, host, {}), {"ref": ref}, status)


def _object(version: str, kind: str, metadata: Object, spec: Object, status: Object) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec, "status": {"observedGeneration": 1, **status}}


def _metadata(namespace: str, name: str, labels: Mapping[str, str], annotations: Mapping[str, str] | None = None) -> Object:
    made = {"name": name, "namespace": namespace, "generation": 1, "labels": dict(labels)}
    return made | ({"annotations": dict(annotations)} if annotations else {})


def _conditions(**conditions: str | Mapping[str, str]) -> list[Object]:
    said = {kind: {"status": one} if isinstance(one, str) else one for kind, one in conditions.items()}
    given = {kind: {key: value for key, value in one.items() if value} for kind, one in sorted(said.items())}
    return [{"lastTransitionTime": _THEN, "type": kind, **one} for kind, one in given.items()]


def _labels(revision: str) -> dict[str, str]:
    """What the Revision's controller writes on what it makes."""
    service = revision.rpartition("-")[0] or revision
    names = {"configuration": service, "service": service, "revision": revision, "configurationGeneration": "1"}
    return {"app": revision} | {f"serving.knative.dev/{key}": value for key, value in names.items()}
