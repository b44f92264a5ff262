"""What leads from a host to Revisions: Routes and DomainMappings. Pure.

A Route's annotation `wakequeue.dev/wakes` says what wakes with its application: `name`s of its namespace, or `namespace/name`s,
between commas or spaces. Knative copies a Service's annotations to its Route, and undoes any other change of them there.

Sources: knative.dev/serving pkg/apis/serving/v1 and v1beta1; pkg/reconciler/service/service.go, reconcileRoute.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from msgspec import Struct, field

from wakequeue.cluster.knowledge import Application
from wakequeue.cluster.mirrored import LONGEST, Conditions, Meta, Mirrored, revisions
from wakequeue.revision import KEY, Revision

SEPARATOR: Final = re.compile(r"[,\s]+")

#: How many names of an annotation count: an object may be as large as Kubernetes lets it.
MOST_WAKES: Final = 100


class Hosts(NamedTuple):
    """Where a Route leads: as an application, and the Revisions behind each of its hosts."""

    application: Application
    by_host: tuple[tuple[str, tuple[Revision, ...]], ...]


class Mapped(NamedTuple):
    """A host, and the key of the Route that a DomainMapping leads it to."""

    host: str
    route: str


class Address(Struct):
    """A URL in a status."""

    url: str = ""


class Traffic(Struct, rename="camel"):
    """One target of a Route."""

    revision_name: str = ""
    percent: int | None = None
    tag: str = ""
    url: str = ""


class RouteStatus(Struct):
    """Where a Route leads, once Knative has made it so."""

    url: str = ""
    address: Address | None = None
    traffic: list[Traffic] | None = None


class RouteAnnotations(Struct):
    """What is read of a Route's annotations."""

    wakes: str = field(default="", name="wakequeue.dev/wakes")


class RouteMeta(Meta):
    """A Route's metadata."""

    annotations: RouteAnnotations = field(default_factory=RouteAnnotations)


class Route(Mirrored):
    """A Route: its hosts, the Revisions behind them, and what wakes with these."""

    path = "/apis/serving.knative.dev/v1/routes"

    metadata: RouteMeta = field(default_factory=RouteMeta)
    status: RouteStatus = field(default_factory=RouteStatus)

    def kept(self) -> Hosts:
        """Its hosts: the public one, the cluster-local ones, and those of its tags, which lead to one Revision each."""
        traffic = revisions(self.metadata.namespace, *self._largest_first())
        by_host = dict.fromkeys(self._own(), traffic)
        for one in self.status.traffic or ():
            if one.tag:
                by_host |= dict.fromkeys(self._of_tag(one), revisions(self.metadata.namespace, one.revision_name))
        by_host.pop("", None)
        application = Application(self.metadata.key, traffic, tuple(filter(KEY.fullmatch, self._wakes())))
        return Hosts(application, tuple((host, behind) for host, behind in by_host.items() if behind))

    def unreadable(self) -> str:
        """What of its annotation is no key."""
        return ", ".join(key for key in self._wakes() if not KEY.fullmatch(key))[:LONGEST]

    def _wakes(self) -> Iterable[str]:
        """What its annotation names, each once, with a namespace."""
        names = islice(filter(None, SEPARATOR.split(self.metadata.annotations.wakes)), MOST_WAKES)
        return dict.fromkeys(name if "/" in name else f"{self.metadata.namespace}/{name}" for name in names)

    def _largest_first(self) -> list[str]:
        """The names of the Revisions that have a share of its traffic."""
        shares: dict[str, int] = {}
        for one in self.status.traffic or ():
            shares[one.revision_name] = shares.get(one.revision_name, 0) + (one.percent or 0)
        return sorted((name for name, share in shares.items() if share > 0), key=lambda name: (-shares[name], name))

    def _own(self) -> Iterator[str]:
        yield _host(self.status.url)
        yield from self._local(self.metadata.name)

    def _of_tag(self, target: Traffic) -> Iterator[str]:
        """Knative's own tag-template has cluster-local hosts begin with the tag, and says another one nowhere."""
        yield _host(target.url)
        yield from self._local(f"{target.tag}-{self.metadata.name}")

    def _local(self, name: str) -> Iterator[str]:
        """The names by which pods reach it."""
        short = f"{name}.{self.metadata.namespace}"
        yield short
        yield f"{short}.svc"
        address = _host(self.status.address.url) if self.status.address else ""
        if domain := address.partition(".svc.")[2]:
            yield f"{short}.svc.{domain}"


class Reference(Struct):
    """What a DomainMapping leads to."""

    kind: str = ""
    name: str = ""
    namespace: str = ""


class MappingSpec(Struct):
    """What a DomainMapping is to do."""

    ref: Reference = field(default_factory=Reference)


class DomainMapping(Mirrored):
    """A DomainMapping: its name is a host."""

    path = "/apis/serving.knative.dev/v1beta1/domainmappings"

    spec: MappingSpec = field(default_factory=MappingSpec)
    status: Conditions = field(default_factory=Conditions)

    def kept(self) -> Mapped | None:
        """Its host and Route, whose name is its Service's; nothing where it leads elsewhere, or hasn't claimed the host."""
        ref = self.spec.ref
        claimed = any(one.type == "DomainClaimed" and one.status == "True" for one in self.status.conditions or ())
        if not claimed or ref.kind not in {"Service", "Route"}:
            return None
        return Mapped(self.metadata.name, f"{ref.namespace or self.metadata.namespace}/{ref.name}")


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "") if url else ""
