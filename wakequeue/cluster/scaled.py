"""What a Revision is scaled by: PodAutoscalers. Pure.

What a Revision says of itself goes before what `config-autoscaler` says of all, which isn't read: Knative's own defaults stand for
that. Of one that says nothing of how many callers a pod is to have, it isn't known.

Sources: knative.dev/serving pkg/apis/autoscaling/v1alpha1; pkg/reconciler/autoscaling/resources/target.go, ResolveMetricTarget.
"""

import math
from typing import Final, NamedTuple

from msgspec import Struct, field

from wakequeue.cluster.knowledge import Scaling
from wakequeue.cluster.mirrored import Conditions, Meta, Mirrored

#: How much one pod can have, by Knative's defaults: callers at once, and requests a second; and how much of that it is to have.
CALLERS: Final = 100.0
REQUESTS: Final = 200.0
PERCENT: Final = 70.0


class Scaled(NamedTuple):
    """What is said against a Revision's readiness, and what it is scaled by; None where that isn't known."""

    against: str
    scaling: Scaling | None


class ScalingAnnotations(Struct):
    """Those of a PodAutoscaler that count here; Knative has each one say its class and its metric."""

    scaler: str = field(default="", name="autoscaling.knative.dev/class")
    metric: str = field(default="", name="autoscaling.knative.dev/metric")
    target: str = field(default="", name="autoscaling.knative.dev/target")
    percent: str = field(default="", name="autoscaling.knative.dev/target-utilization-percentage")
    old_percent: str = field(default="", name="autoscaling.knative.dev/targetUtilizationPercentage")


class PodAutoscalerMeta(Meta):
    """A PodAutoscaler's metadata."""

    annotations: ScalingAnnotations = field(default_factory=ScalingAnnotations)


class PodAutoscalerSpec(Struct, rename="camel"):
    """How a Revision is to be scaled: a pod can have so many callers at once, 0 for any number."""

    container_concurrency: int = 0


class PodAutoscaler(Mirrored):
    """A Revision's PodAutoscaler: what it says against its readiness, and what it scales it by."""

    path = "/apis/autoscaling.internal.knative.dev/v1alpha1/podautoscalers"

    metadata: PodAutoscalerMeta = field(default_factory=PodAutoscalerMeta)
    spec: PodAutoscalerSpec = field(default_factory=PodAutoscalerSpec)
    status: Conditions = field(default_factory=Conditions)

    def kept(self) -> Scaled:
        """What is against it, and what it is scaled by."""
        return Scaled(self.status.against(), self._scaling())

    def _scaling(self) -> Scaling | None:
        """None also where another scales it than Knative's Autoscaler."""
        says = self.metadata.annotations
        target, percent = _number(says.target), _number(says.percent or says.old_percent)
        if says.scaler and not says.scaler.startswith("kpa."):
            return None
        match says.metric or "concurrency":
            case "rps":
                return Scaling("rps", _per_pod(target or REQUESTS, percent))
            case "concurrency":
                limits = [one for one in (target, self.spec.container_concurrency) if one]
                known = limits or percent
                return Scaling("concurrency", _per_pod(min(limits, default=CALLERS), percent)) if known else None
        return None


def _per_pod(total: float, percent: float) -> float:
    return max(1.0, total * (percent or PERCENT) / 100)


def _number(text: str) -> float:
    """A number above 0; 0 where the text is none."""
    try:
        number = float(text)
    except ValueError:
        return 0.0
    return number if 0 < number < math.inf else 0.0
