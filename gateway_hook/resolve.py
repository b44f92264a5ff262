"""Which Revision a call means: by the first of its sources that says so, in any of the forms that gateways use. Pure.

A service may be a bare Revision name, a Kubernetes host name (`name.namespace.svc.domain`, with or without a port), and may carry
the suffix of a Revision's private service, `-priv` or `-private`; or a host that the operator's table names. A cluster may be
Istio's, Kourier's or Contour's; any other says nothing, for every route has one.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from gateway_hook.call import Cluster, Exact, Host, Named, Source
from gateway_hook.rules import host_of
from wakequeue.errors import Unresolved
from wakequeue.revision import Revision

#: RFC 1035, section 2.3.4.
LONGEST_HOST: Final = 255

HOST: Final = re.compile(r"(?P<name>[^.]+)\.(?P<namespace>[^.]+)\.svc(?:\..+)?")
PORT: Final = re.compile(r":[0-9]{1,5}$")
PRIVATE_SUFFIX: Final = re.compile(r"-priv(?:ate)?$")

#: A private service whose Revision's name was too long: 23 characters of it, a digest, and the suffix (knative.dev/pkg
#: kmeta/names.go, ChildName). The name can't be told from it.
DIGESTED: Final = re.compile(r"[-a-z0-9]{23}[0-9a-f]{32}-private")

#: Istio's clusters, `outbound|PORT|SUBSET|HOST` and, by SNI, `outbound_.PORT_.SUBSET_.HOST` (pilot/pkg/model, BuildSubsetKey and
#: BuildDNSSrvSubsetKey); Kourier's, NAMESPACE/REVISION; Contour's, NAMESPACE/REVISION/PORT/DIGEST.
CLUSTERS: Final = (
    re.compile(r"outbound\|[0-9]+\|[^|]*\|(?P<name>[^|]+)"),
    re.compile(r"outbound_\.[0-9]+_\.[^_]*_\.(?P<name>.+)"),
    re.compile(r"(?P<namespace>[^/|]+)/(?P<name>[^/|]+)(?:/[0-9]+/[0-9a-f]+)?"),
)


class Resolver:
    """Resolves sources by the operator's patterns for services and clusters, and their table of hosts."""

    def __init__(self, patterns: Iterable[re.Pattern[str]] = (), hosts: Mapping[str, Revision] | None = None) -> None:
        self._patterns, self._hosts = tuple(patterns), hosts or {}

    def resolve(self, sources: Sequence[Source]) -> Revision:
        """The Revision that the first source names which names any.

        Raises Unresolved with one of the reasons `no_service`, `invalid_utf8`, `unknown_host`, `digested_name`, `invalid_name`.
        """
        for source in sources:
            match source:
                case Exact(namespace, name):
                    revision = _named(_text(namespace), _text(name)) if name else None
                case Named(namespace, service):
                    revision = self._service(namespace, service)
                case Cluster(name):
                    revision = self._cluster(_text(name))
                case Host(name):
                    revision = self._host(_text(name))
            if revision is not None:
                return revision
        host = next((source.name for source in sources if isinstance(source, Host)), b"")
        raise Unresolved("unknown_host", _text(host)[:140]) if host else Unresolved("no_service")

    def knows(self, host: bytes) -> bool:
        """Whether the operator's table has a host."""
        try:
            return self._host(_text(host)) is not None
        except Unresolved:
            return False

    def _service(self, namespace: bytes, service: bytes) -> Revision | None:
        """The operator's patterns come first; a namespace in the service wins over the call's."""
        text = _text(service)
        if not text:
            return None
        place = _text(namespace)
        if revision := self._by_pattern(place, text):
            return revision
        name = PORT.sub("", text).rstrip(".")
        if "." not in name:
            return _revision(place, name)
        if match := HOST.fullmatch(name):
            return _revision(match["namespace"], match["name"])
        if revision := self._host(name):
            return revision
        raise Unresolved("unknown_host", name[:140])

    def _cluster(self, text: str) -> Revision | None:
        if revision := self._by_pattern("", text):
            return revision
        match = next(filter(None, (form.fullmatch(text) for form in CLUSTERS)), None)
        if match is None:
            return None
        groups = match.groupdict()
        if "namespace" in groups:
            return _revision(groups["namespace"], groups["name"])
        # A host outside the cluster's own is another's service, such as one on the internet.
        host = HOST.fullmatch(groups["name"])
        return _revision(host["namespace"], host["name"]) if host else None

    def _host(self, text: str) -> Revision | None:
        """The table's own entry, else that of the longest wildcard that covers the host."""
        name = host_of(text)
        if not self._hosts or len(name) > LONGEST_HOST:
            return None
        if name in self._hosts:
            return self._hosts[name]
        while name:
            name = name.partition(".")[2]
            if revision := self._hosts.get(f"*.{name}" if name else "*"):
                return revision
        return None

    def _by_pattern(self, place: str, text: str) -> Revision | None:
        for pattern in self._patterns:
            if match := pattern.fullmatch(text):
                groups = match.groupdict()
                return _named(groups.get("namespace") or place, groups["name"] or "")
        return None


def _text(data: bytes) -> str:
    try:
        text = data.decode().strip()
    except UnicodeDecodeError as error:
        raise Unresolved("invalid_utf8", repr(data[:70])) from error
    if not text.isascii():
        raise Unresolved("invalid_name", repr(text[:70]))
    return text.lower()


def _revision(namespace: str, name: str) -> Revision:
    if DIGESTED.fullmatch(name):
        raise Unresolved("digested_name", name)
    return _named(namespace, PRIVATE_SUFFIX.sub("", name))


def _named(namespace: str, name: str) -> Revision:
    try:
        return Revision(namespace, name)
    except ValueError as error:
        raise Unresolved("invalid_name", str(error)) from error
