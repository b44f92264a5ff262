"""The collections of a cluster that are mirrored, and the little that is kept of each object; see also `routes`, `scaled`. Pure.

Sources: knative.dev/serving pkg/apis/serving/v1, pkg/reconciler/serverlessservice (the labels of a
Revision's private Service, which Kubernetes copies to its EndpointSlices); Kubernetes discovery.k8s.io/v1.
"""

from typing import Final, NamedTuple

from msgspec import Struct, field

from wakequeue.cluster.mirrored import Collection, Conditions, Meta, Mirrored, revisions
from wakequeue.cluster.routes import DomainMapping, Route
from wakequeue.cluster.scaled import PodAutoscaler
from wakequeue.revision import Revision


class Endpoints(NamedTuple):
    """A Revision, and whether one slice of its private Service's endpoints has a ready one."""

    revision: Revision
    ready: bool


class RevisionObject(Mirrored):
    """A Revision: that it is there, and what Knative says against it."""

    path = "/apis/serving.knative.dev/v1/revisions"

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
        return next((Endpoints(one, ready) for one in revisions(self.metadata.namespace, self.metadata.labels.revision)), None)


#: What a front asks for, and what a worker does.
FRONT: Final[tuple[Collection, ...]] = (Route, DomainMapping, RevisionObject, EndpointSlice)
WORKER: Final[tuple[Collection, ...]] = (Route, RevisionObject, PodAutoscaler, EndpointSlice)
