"""Which Revision a call means: the namespace and service that the gateway named, in any of the forms that gateways use.

The service may be a bare Revision name, a Kubernetes host name (`name.namespace.svc.domain`, with or without a port), and may
carry the suffix of a Revision's private service, `-priv` or `-private`. Pure.
"""

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Final

from wakequeue.errors import Unresolved
from wakequeue.revision import Revision

HOST: Final = re.compile(r"(?P<name>[^.]+)\.(?P<namespace>[^.]+)\.svc(?:\..+)?")
PORT: Final = re.compile(r":[0-9]{1,5}$")
PRIVATE_SUFFIX: Final = re.compile(r"-priv(?:ate)?$")

#: A private service whose Revision's name was too long: 23 characters of it, a digest, and the suffix (knative.dev/pkg
#: kmeta/names.go, ChildName). The name can't be told from it.
DIGESTED: Final = re.compile(r"[-a-z0-9]{23}[0-9a-f]{32}-private")

#: User agents of Kubernetes' and Knative's own probes (knative.dev/networking pkg/http/header, serving pkg/activator).
PROBE_AGENTS: Final = (
    "kube-probe/",
    "knative-ingress-probe",
    "knative-activator-probe",
    "knative-queue-proxy-probe",
    "knative-autoscaling-probe",
)
PROBE_HEADERS: Final = ("k-network-probe", "k-kubelet-probe")


def resolve(
    namespace: bytes, service: bytes, patterns: Iterable[re.Pattern[str]] = (), namespaces: Iterable[str] = ("*",)
) -> Revision:
    """The Revision of a call, if it is of one of the operator's namespaces.

    Raises Unresolved with one of the reasons `no_service`, `invalid_utf8`, `unknown_host`, `digested_name`, `invalid_name`,
    `namespace_not_allowed`.
    """
    revision = _named(namespace, service, patterns)
    if not any(fnmatchcase(revision.namespace, one) for one in namespaces):
        raise Unresolved("namespace_not_allowed", str(revision))
    return revision


def _named(namespace: bytes, service: bytes, patterns: Iterable[re.Pattern[str]]) -> Revision:
    """The operator's patterns come first; a namespace in the service wins over the call's."""
    try:
        place, text = namespace.decode().strip().lower(), service.decode().strip().lower()
    except UnicodeDecodeError as error:
        raise Unresolved("invalid_utf8", repr(service[:70])) from error
    if not text:
        raise Unresolved("no_service")
    if not (place + service.decode()).isascii():
        raise Unresolved("invalid_name", repr(text[:70]))
    for pattern in patterns:
        if match := pattern.fullmatch(text):
            groups = match.groupdict()
            return _revision(groups.get("namespace") or place, groups["name"] or "")
    name = PORT.sub("", text).rstrip(".")
    if "." in name:
        match = HOST.fullmatch(name)
        if not match:
            raise Unresolved("unknown_host", name[:140])
        name, place = match["name"], match["namespace"]
    if DIGESTED.fullmatch(name):
        raise Unresolved("digested_name", name)
    return _revision(place, PRIVATE_SUFFIX.sub("", name))


def is_probe(headers: Mapping[str, str]) -> bool:
    """Whether these request headers (names in lower case) are those of a probe, which asks and doesn't use."""
    return headers.get("user-agent", "").lower().startswith(PROBE_AGENTS) or any(map(headers.get, PROBE_HEADERS))


def _revision(namespace: str, name: str) -> Revision:
    try:
        return Revision(namespace, name)
    except ValueError as error:
        raise Unresolved("invalid_name", str(error)) from error
