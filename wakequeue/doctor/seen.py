"""What was read of a cluster, for the checks to decide on. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from msgspec import Struct, field

from wakequeue.cluster.mirrored import Collection, Meta, Mirrored
from wakequeue.cluster.objects import RevisionObject


class Refusal(NamedTuple):
    """Why something could not be read: the cause of an ApiAway, and its words."""

    cause: str
    detail: str


class Denied(NamedTuple):
    """What could not be done with a collection: `list` or `watch` it; and why."""

    verb: str
    refusal: Refusal


class Labels(Struct):
    """Where a release of Knative says which it is: older ones in the first, newer ones in the second."""

    old: str = field(default="", name="serving.knative.dev/release")
    new: str = field(default="", name="app.kubernetes.io/version")


class LabelledMeta(Struct):
    """The metadata of a ConfigMap of Knative."""

    labels: Labels = field(default_factory=Labels)


class ConfigMap(Struct):
    """A ConfigMap of Knative."""

    metadata: LabelledMeta = field(default_factory=LabelledMeta)
    data: dict[str, str] | None = None

    @property
    def release(self) -> str:
        """Which release it came with; empty where it doesn't say."""
        return self.metadata.labels.new or self.metadata.labels.old


class Scaling(NamedTuple):
    """How a Revision is to be scaled, as it says itself; empty where it says nothing."""

    window: str = ""
    target_burst_capacity: str = ""
    min_scale: str = ""


class Annotations(Struct):
    """Those of a Revision that count here. Source: knative.dev/serving pkg/apis/autoscaling/register.go."""

    window: str = field(default="", name="autoscaling.knative.dev/window")
    target_burst_capacity: str = field(default="", name="autoscaling.knative.dev/target-burst-capacity")
    old_target_burst_capacity: str = field(default="", name="autoscaling.knative.dev/targetBurstCapacity")
    min_scale: str = field(default="", name="autoscaling.knative.dev/min-scale")
    old_min_scale: str = field(default="", name="autoscaling.knative.dev/minScale")


class AnnotatedMeta(Meta):
    """A Revision's metadata, with its annotations."""

    annotations: Annotations = field(default_factory=Annotations)


class ScaledRevision(Mirrored):
    """A Revision: how it is to be scaled."""

    path = RevisionObject.path

    metadata: AnnotatedMeta = field(default_factory=AnnotatedMeta)

    def kept(self) -> Scaling:
        """How it is to be scaled."""
        says = self.metadata.annotations
        return Scaling(
            says.window, says.target_burst_capacity or says.old_target_burst_capacity, says.min_scale or says.old_min_scale
        )


@dataclass(frozen=True, slots=True)
class Seen:
    """What was read; a Refusal in the place of what could not be."""

    #: The release of Kubernetes.
    kubernetes: str | Refusal
    #: The versions of the group serving.knative.dev.
    serving: tuple[str, ...] | Refusal
    #: The collections that are mirrored: None where it can be listed and watched.
    access: Mapping[Collection, Denied | None]
    #: The ConfigMap config-autoscaler.
    autoscaler: ConfigMap | Refusal
    #: All Revisions, by their keys.
    revisions: Mapping[str, Scaling] | Refusal
