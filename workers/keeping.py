"""What keeps a Revision warm: so much in its reports that the Autoscaler wants so many pods, and no more. Pure.

The Autoscaler wants as many pods as the average, divided by what one pod is to have, rounded up (knative.dev/serving
pkg/autoscaler/scaling/autoscaler.go). For one pod anything above zero will do, and next to nothing adds nothing to what the pod's
own callers are worth. For more, half a pod less than them: so much may be off, by a second without a report or with two.
"""

from wakequeue.cluster.knowledge import Scaling
from wakequeue.episode import Keep
from wakequeue.settings import Settings


def keep_of(pods: int, scaling: Scaling | None, settings: Settings) -> Keep:
    """What keeps so many pods, one at least, of a Revision that is scaled by this; None where that isn't known."""
    least = settings.awake_concurrency
    if scaling is not None and scaling.metric == "rps":
        return Keep(least, 1.0 if pods == 1 else (pods - 0.5) * scaling.per_pod)
    per_pod = settings.callers_per_pod if scaling is None else scaling.per_pod
    return Keep(least if pods == 1 else (pods - 0.5) * per_pod)
