"""How Knative's Autoscaler is configured: in its ConfigMap config-autoscaler, and in the annotations of Revisions. Pure.

Sources: knative.dev/serving pkg/autoscaler/config/config.go (the keys, what they default to, and that the stable window is 6 s at
least), config/core/configmaps/autoscaler.yaml (what they mean), pkg/apis/autoscaling/annotation_validation.go.
"""

from collections.abc import Iterator
from typing import Final

from wakequeue.cluster.objects import EndpointSlice, RevisionObject
from wakequeue.doctor.finding import Finding, Grade
from wakequeue.doctor.knative import duration, is_false, number
from wakequeue.doctor.places import beyond_loopback
from wakequeue.doctor.seen import Refusal, Scaling, Seen
from wakequeue.release import READS, Release
from wakequeue.settings import Settings

SUBJECT: Final = "config-autoscaler"

WINDOW: Final = "stable-window"
CAPACITY: Final = "target-burst-capacity"

#: The durations that are shown, with Knative's defaults.
DURATIONS: Final = {WINDOW: "60s", "scale-to-zero-grace-period": "30s", "scale-to-zero-pod-retention-period": "0s"}

#: How many Revisions a finding names.
NAMED: Final = 3


def release(seen: Seen, settings: Settings) -> Iterator[Finding]:
    """The Autoscaler reads the frames that are sent: in other formats they are dropped in silence.

    The release is the one of which the ConfigMap says that it came with; what isn't a release's number says nothing.
    """
    if isinstance(seen.autoscaler, Refusal):
        return
    try:
        is_ = Release.parse(seen.autoscaler.release)
    except ValueError:
        return
    ours = settings.knative_release.format
    words = f"Knative Serving is of release {seen.autoscaler.release}, whose Autoscaler"
    if is_.minor in READS[ours]:
        yield Finding.ok("knative", f"{words} reads {ours} frames, as knative_release has them")
    else:
        yield Finding.error("knative", f"{words} drops the {ours} frames of knative_release", "Set knative_release to that release")


def autoscaler(seen: Seen, settings: Settings) -> Iterator[Finding]:
    """Applications sleep, none is at zero while it is thought awake, and the HTTP port gets no warm requests."""
    if isinstance(seen.autoscaler, Refusal):
        words = f"knative-serving/config-autoscaler can't be read: {seen.autoscaler.cause}: {seen.autoscaler.detail}"
        yield Finding.warning(
            SUBJECT, words, "Apply deploy/kubernetes/rbac.yaml, or upgrade the chart's release, and run the doctor as its account"
        )
        return
    data = seen.autoscaler.data or {}
    chosen = {key: data.get(key, default) for key, default in DURATIONS.items()}
    if is_false(data.get("enable-scale-to-zero", "true")):
        yield Finding.warning(SUBJECT, "enable-scale-to-zero is false: no application ever sleeps", "Set it to true")
    for key, text in chosen.items():
        if duration(text) is None:
            yield Finding.warning(
                SUBJECT, f"{key} = {text!r} is no duration, and Knative keeps to what it was before", "Correct it"
            )
    if _is_short(chosen[WINDOW], settings):
        yield _short_window(SUBJECT, f"{WINDOW} {chosen[WINDOW]} is", seen, settings)
    if uses_http_port(settings) and _sends_warm_requests(capacity := data.get(CAPACITY, "")):
        yield _warm_requests(SUBJECT, f"{CAPACITY} is {capacity or 'what it is by default'}, not 0")
    yield Finding.ok(SUBJECT, ", ".join(f"{key} {text}" for key, text in chosen.items()))


def revisions(seen: Seen, settings: Settings) -> Iterator[Finding]:
    """What holds for all holds for each Revision that says of itself how it is to be scaled."""
    if isinstance(seen.revisions, Refusal):
        if not seen.access.get(RevisionObject):
            words = f"the Revisions can't all be read: {seen.revisions.cause}: {seen.revisions.detail}"
            yield Finding.warning("revisions", words, "Look again")
        return
    each = seen.revisions
    if short := [key for key, one in each.items() if _is_short(one.window, settings)]:
        yield _short_window("revisions", f"autoscaling.knative.dev/window of {_named(short)} is", seen, settings)
    warm = [key for key, one in each.items() if one.target_burst_capacity and _sends_warm_requests(one.target_burst_capacity)]
    if warm and uses_http_port(settings):
        yield _warm_requests("revisions", f"autoscaling.knative.dev/target-burst-capacity of {_named(warm)} is not 0")
    awake = sum(_never_sleeps(one) for one in each.values())
    yield Finding.ok("revisions", f"{len(each):,} in all, of which {awake:,} never sleep: their min-scale is above 0")


def uses_http_port(settings: Settings) -> bool:
    """Whether gateways are thought to use the HTTP port: it listens where more than this machine reaches it."""
    return beyond_loopback(settings.http_address)


def _is_short(window: str, settings: Settings) -> bool:
    seconds = duration(window)
    return seconds is not None and seconds <= settings.idle_after


def _sends_warm_requests(capacity: str) -> bool:
    """Whether it isn't 0: with -1 the activator is always in the path, with others, as by default, while there are few pods."""
    return number(capacity) != 0


def _never_sleeps(one: Scaling) -> bool:
    return (number(one.min_scale) or 0) > 0


def _short_window(subject: str, which: str, seen: Seen, settings: Settings) -> Finding:
    """A warning where endpoints are watched: then `idle_after` alone says what sleeps only while the API is away."""
    grade: Grade = "error" if seen.access.get(EndpointSlice) else "warning"
    when = "" if grade == "error" else "while the API is away, "
    words = f"{which} not longer than idle_after ({settings.idle_after:g}s): {when}a Revision at zero may be thought awake"
    return Finding(subject, grade, words, "Set idle_after to less")


def _warm_requests(subject: str, why: str) -> Finding:
    """A warning: whether the front stands behind activator-service, or gateways know its port, the settings don't say."""
    words = f"{why}: a front behind Knative's activator-service gets warm requests too, and answers them 503"
    return Finding.warning(subject, words, "Set it to 0, unless no front stands there")


def _named(keys: list[str]) -> str:
    more = len(keys) - NAMED
    return ", ".join(sorted(keys)[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
