"""Which Revisions a call means: by the first of its sources that says so, in any of the forms that gateways use. Pure.

A service may be a bare Revision name, a Kubernetes host name (`name.namespace.svc.domain`, with or without a port), and may carry
the suffix of a Revision's private service, `-priv` or `-private`; or a host that somebody knows. A cluster may be Istio's,
Kourier's or Contour's; any other says nothing, for every route has one.

What the operator says comes first, then what the call says, then what Kubernetes says:

1. a pattern for services and clusters names a Revision;
2. a service or cluster in a built-in form names the Revision that it reads as; unless that is known to exist, the name may be a
   Route's: then it means the Revisions behind the Route's cluster-local host, as it is written and as `name.namespace`;
3. a host means what the operator's table has for it, else the Revisions behind it, of all of which, or of the one with the
   largest share, the call is.

Last, whoever named it, a Revision that is known not to exist is left out.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from gateway_hook.call import Cluster, Exact, Host, Named, Source
from gateway_hook.rules import host_of
from wakequeue.cluster import knowledge
from wakequeue.errors import Unresolved
from wakequeue.revision import Revision

#: How many Revisions are remembered by what they were read from: most calls are of one that was called before.
REMEMBERED: Final = 4096

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
    """Resolves sources by the operator's patterns for services and clusters, their table of hosts, and what a cluster knows."""

    def __init__(
        self,
        cluster: knowledge.Cluster,
        patterns: Iterable[re.Pattern[str]] = (),
        hosts: Mapping[str, Revision] | None = None,
        *,
        largest: bool = False,
    ) -> None:
        self._known, self._patterns, self._hosts, self._largest = cluster, tuple(patterns), hosts or {}, largest

    def resolve(self, sources: Sequence[Source]) -> Sequence[Revision]:
        """The Revisions that the first source means which means any; more than one where a Route splits its traffic.

        Raises Unresolved with one of the reasons `no_service`, `invalid_utf8`, `unknown_host`, `unknown_revision`, `digested_name`,
        `invalid_name`.
        """
        for source in sources:
            if revisions := self._meant(source):
                return self._existing(revisions)
        host = next((source.name for source in sources if isinstance(source, Host)), b"")
        raise Unresolved("unknown_host", _text(host)[:140]) if host else Unresolved("no_service")

    def knows(self, host: bytes) -> bool:
        """Whether the operator's table has a host, or the cluster."""
        try:
            return bool(self._host(_text(host)))
        except Unresolved:
            return False

    def _meant(self, source: Source) -> Sequence[Revision]:
        match source:
            case Exact(namespace, name):
                return (_named(_text(namespace), _text(name)),) if name else ()
            case Named(namespace, service):
                return self._service(namespace, service)
            case Cluster(name):
                return self._cluster(_text(name))
            case Host(name):
                return self._host(_text(name))

    def _service(self, namespace: bytes, service: bytes) -> Sequence[Revision]:
        """The operator's patterns come first; a namespace in the service wins over the call's."""
        text = _text(service)
        if not text:
            return ()
        place = _text(namespace)
        if revision := self._by_pattern(place, text):
            return (revision,)
        name = PORT.sub("", text).rstrip(".")
        if "." not in name:
            return self._itself_or_routed(_revision(place, name))
        if match := HOST.fullmatch(name):
            return self._itself_or_routed(_revision(match["namespace"], match["name"]), name)
        if revisions := self._host(name):
            return revisions
        raise Unresolved("unknown_host", name[:140])

    def _cluster(self, text: str) -> Sequence[Revision]:
        if revision := self._by_pattern("", text):
            return (revision,)
        match = next(filter(None, (form.fullmatch(text) for form in CLUSTERS)), None)
        if match is None:
            return ()
        groups = match.groupdict()
        if "namespace" in groups:
            return self._itself_or_routed(_revision(groups["namespace"], groups["name"]))
        # A host outside the cluster's own is another's service, such as one on the internet.
        host = HOST.fullmatch(groups["name"])
        return self._itself_or_routed(_revision(host["namespace"], host["name"]), groups["name"]) if host else ()

    def _host(self, text: str) -> Sequence[Revision]:
        """The table's Revision, else those behind the host."""
        name = host_of(text)
        if not name or len(name) > LONGEST_HOST:
            return ()
        revision = self._by_table(name)
        return (revision,) if revision else self._known.behind(name)

    def _by_table(self, name: str) -> Revision | None:
        """The table's own entry, else that of the longest wildcard that covers the host."""
        if name in self._hosts:
            return self._hosts[name]
        while name:
            name = name.partition(".")[2]
            if revision := self._hosts.get(f"*.{name}" if name else "*"):
                return revision
        return None

    def _itself_or_routed(self, read: Revision, host: str = "") -> Sequence[Revision]:
        """The Revision that a name reads as; unless it is known to exist, those of the Route that has this host, or is so named."""
        if self._known.exists(read):
            return (read,)
        routed = (host and self._known.behind(host)) or self._known.behind(f"{read.name}.{read.namespace}")
        return routed or (read,)

    def _existing(self, revisions: Sequence[Revision]) -> Sequence[Revision]:
        """Those of them that exist, as far as is known: all, or the first. Raises Unresolved where none does."""
        existing = [revision for revision in revisions if self._known.exists(revision) is not False]
        if not existing:
            raise Unresolved("unknown_revision", ", ".join(map(str, revisions))[:140])
        return existing[:1] if self._largest else existing

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


@lru_cache(maxsize=REMEMBERED)
def _revision(namespace: str, name: str) -> Revision:
    if DIGESTED.fullmatch(name):
        raise Unresolved("digested_name", name)
    return _named(namespace, PRIVATE_SUFFIX.sub("", name))


def _named(namespace: str, name: str) -> Revision:
    try:
        return Revision(namespace, name)
    except ValueError as error:
        raise Unresolved("invalid_name", str(error)) from error
