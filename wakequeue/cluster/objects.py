"""The collections of a cluster that are mirrored, and the little that is kept of each object. Pure.

Sources: knative.dev/serving pkg/apis/serving/v1 and v1beta1, pkg/apis/autoscaling/v1alpha1, pkg/reconciler/serverlessservice (the
labels of a Revision's private Service, which Kubernetes copies to its EndpointSlices); Kubernetes discovery.k8s.io/v1.
"""

from collections.abc import Iterator
from typing import Any, ClassVar, Final, NamedTuple
from urllib.parse import urlsplit

from msgspec import Struct, field

from wakequeue.revision import Revision

#: The most that is kept of what Knative says: messages may quote a container's whole output.
LONGEST: Final = 500

#: Conditions that follow from others, with their reasons: that a Revision isn't ready, sleeps, or wakes
#: (knative.dev/serving pkg/apis/autoscaling/v1alpha1/pa_lifecycle.go, pkg/reconciler/autoscaling/kpa/kpa.go).
EFFECTS: Final = frozenset(
    {("Active", "NoTraffic"), ("Active", "Queued"), ("Active", "Deploying"), ("Active", ""), ("SKSReady", "NoHealthyBackends")}
)


class Hosts(NamedTuple):
    """Where a Route leads: the Revisions with a share of its traffic, the largest first; and those behind each of its hosts."""

    traffic: tuple[Revision, ...]
    by_host: tuple[tuple[str, tuple[Revision, ...]], ...]


class Mapped(NamedTuple):
    """A host, and the key of the Route that a DomainMapping leads it to."""

    host: str
    route: str


class Endpoints(NamedTuple):
    """A Revision, and whether one slice of its private Service's endpoints has a ready one."""

    revision: Revision
    ready: bool


class Meta(Struct):
    """An object's metadata."""

    name: str = ""
    namespace: str = ""
    version: str = field(default="", name="resourceVersion")

    @property
    def key(self) -> str:
        """The object's key in its collection."""
        return f"{self.namespace}/{self.name}"


class Condition(Struct, rename="camel"):
    """One of the conditions in an object's status."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""


class Conditions(Struct):
    """A status of which the conditions count."""

    conditions: list[Condition] | None = None

    def against(self) -> str:
        """What is not as it should be, as `REASON: message`, without what only sums that up, or says that nothing is ready."""
        said = {f"{one.reason or one.type}: {one.message}".rstrip(": ") for one in self.conditions or () if _is_cause(one)}
        return "; ".join(sorted(said))[:LONGEST]


class Mirrored(Struct):
    """An object of a collection: `path` and `selector` say which, and `kept` what stays of it, None for nothing."""

    path: ClassVar[str]
    selector: ClassVar[str] = ""

    metadata: Meta = field(default_factory=Meta)

    @classmethod
    def collection(cls) -> str:
        """The collection's name, such as `revisions`: a label value."""
        return cls.path.rpartition("/")[2]

    def kept(self) -> Any:  # noqa: ANN401  each collection's own
        """What is kept of the object."""
        raise NotImplementedError


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


class Route(Mirrored):
    """A Route: its hosts, and the Revisions behind them."""

    path = "/apis/serving.knative.dev/v1/routes"

    status: RouteStatus = field(default_factory=RouteStatus)

    def kept(self) -> Hosts | None:
        """Its hosts: the public one, the cluster-local ones, and those of its tags, which lead to one Revision each."""
        place, targets = self.metadata.namespace, self.status.traffic or []
        shares: dict[str, int] = {}
        for one in targets:
            shares[one.revision_name] = shares.get(one.revision_name, 0) + (one.percent or 0)
        largest_first = sorted((name for name, share in shares.items() if share > 0), key=lambda name: (-shares[name], name))
        traffic = _revisions(place, *largest_first)
        by_host = dict.fromkeys(self._own(), traffic)
        for one in targets:
            if one.tag:
                by_host |= dict.fromkeys(self._of_tag(one), _revisions(place, one.revision_name))
        by_host.pop("", None)
        return Hosts(traffic, tuple((host, behind) for host, behind in by_host.items() if behind)) if by_host else None

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


class RevisionObject(Mirrored):
    """A Revision: that it is there, and what Knative says against it."""

    path = "/apis/serving.knative.dev/v1/revisions"

    status: Conditions = field(default_factory=Conditions)

    def kept(self) -> str:
        """What is against it."""
        return self.status.against()


class PodAutoscaler(Mirrored):
    """A Revision's PodAutoscaler: what it says against its readiness."""

    path = "/apis/autoscaling.internal.knative.dev/v1alpha1/podautoscalers"

    status: Conditions = field(default_factory=Conditions)

    def kept(self) -> str:
        """What is against it."""
        return self.status.against()


class SliceLabels(Struct):
    """The labels of a slice."""

    revision: str = field(default="", name="networking.internal.knative.dev/serverlessservice")


class SliceMeta(Meta):
    """A slice's metadata: the label that names its Revision, as a private Service bears its ServerlessService's name."""

    labels: SliceLabels = field(default_factory=SliceLabels)


class EndpointConditions(Struct):
    """An endpoint's conditions; Kubernetes has an unknown readiness read as ready."""

    ready: bool | None = None


class Endpoint(Struct):
    """One endpoint."""

    conditions: EndpointConditions = field(default_factory=EndpointConditions)


class EndpointSlice(Mirrored):
    """Endpoints of a Revision's private Service: its pods, and never the activator's."""

    path = "/apis/discovery.k8s.io/v1/endpointslices"
    selector = "networking.internal.knative.dev/serviceType=Private"

    metadata: SliceMeta = field(default_factory=SliceMeta)
    endpoints: list[Endpoint] | None = None

    def kept(self) -> Endpoints | None:
        """Its Revision, and whether one endpoint is ready."""
        ready = any(one.conditions.ready is not False for one in self.endpoints or ())
        return next((Endpoints(one, ready) for one in _revisions(self.metadata.namespace, self.metadata.labels.revision)), None)


Collection = type[Mirrored]

#: What a front asks for, and what a worker does.
FRONT: Final[tuple[Collection, ...]] = (Route, DomainMapping, RevisionObject, EndpointSlice)
WORKER: Final[tuple[Collection, ...]] = (RevisionObject, PodAutoscaler, EndpointSlice)


def _is_cause(condition: Condition) -> bool:
    says = condition.reason or condition.message
    return (
        bool(says)
        and condition.status not in {"True", ""}
        and condition.type != "Ready"
        and (condition.type, condition.reason) not in EFFECTS
    )


def _host(url: str) -> str:
    return (urlsplit(url).hostname or "") if url else ""


def _revisions(namespace: str, *names: str) -> tuple[Revision, ...]:
    """Those of the names that can be a Revision's."""
    found = []
    for name in names:
        try:
            found.append(Revision(namespace, name))
        except ValueError:
            continue
    return tuple(found)
