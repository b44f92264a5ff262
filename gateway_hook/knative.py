"""Knative's and Kubernetes' own words in requests: the headers that a router sets from its route, and what probes are known by.

Source: knative.dev/serving pkg/activator, knative.dev/networking pkg/http/header.
"""

from typing import Final

#: By which a router says the Revision that its route leads to. Before the router ran, they are what the client sent.
NAMESPACE: Final = "knative-serving-namespace"
REVISION: Final = "knative-serving-revision"

#: Probes carry one of these headers, and one of Knative's a hash that it wants back.
NETWORK_PROBE: Final = "k-network-probe"
NETWORK_HASH: Final = "k-network-hash"
KUBELET_PROBE: Final = "k-kubelet-probe"
PROBE_HEADERS: Final = (NETWORK_PROBE, KUBELET_PROBE)

#: Or a user agent that begins with one of these, in lower case.
KUBELET_AGENT: Final = "kube-probe/"
PROBE_AGENTS: Final = (
    KUBELET_AGENT,
    "knative-ingress-probe",
    "knative-activator-probe",
    "knative-queue-proxy-probe",
    "knative-autoscaling-probe",
)
