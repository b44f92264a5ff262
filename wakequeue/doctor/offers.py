"""What a cluster offers, and what of it may be read. Pure."""

from collections.abc import Iterator

from wakequeue.cluster.mirrored import Collection
from wakequeue.cluster.objects import FRONT, WORKER
from wakequeue.doctor.finding import Finding
from wakequeue.doctor.seen import Denied, Refusal, Seen
from wakequeue.settings import Settings


def kubernetes(seen: Seen, settings: Settings) -> Iterator[Finding]:  # noqa: ARG001  every check's signature
    """Kubernetes answers."""
    release = "a release that it doesn't tell" if isinstance(seen.kubernetes, Refusal) else seen.kubernetes
    yield Finding.ok("cluster", f"Kubernetes answers, {release}")


def serving(seen: Seen, settings: Settings) -> Iterator[Finding]:  # noqa: ARG001  every check's signature
    """Knative Serving is there, and offers v1."""
    match seen.serving:
        case Refusal(cause="not_found"):
            yield Finding.error("knative", "there is no group serving.knative.dev", "Install Knative Serving")
        case Refusal(cause, detail):
            words = f"it can't be read which versions serving.knative.dev offers: {cause}: {detail}"
            yield Finding.warning("knative", words, "Allow this account what system:discovery allows")
        case versions if "v1" not in versions:
            words = f"serving.knative.dev offers {', '.join(versions) or 'nothing'}, and not v1"
            yield Finding.error("knative", words, "Install a release of Knative Serving that offers v1")
        case versions:
            yield Finding.ok("knative", f"serving.knative.dev offers {', '.join(versions)}")


def access(seen: Seen, settings: Settings) -> Iterator[Finding]:  # noqa: ARG001  every check's signature
    """Every collection that front and worker mirror can be listed and watched."""
    if may := [one.collection() for one, denied in seen.access.items() if not denied]:
        yield Finding.ok("access", f"{', '.join(may)} can be listed and watched")
    for collection, denied in seen.access.items():
        if denied:
            yield _denied(collection, denied)


def _denied(collection: Collection, denied: Denied) -> Finding:
    _, _, group, version, name = collection.path.split("/")
    whose = " and ".join(f"a {who}" for who, mirrored in (("front", FRONT), ("worker", WORKER)) if collection in mirrored)
    match denied.refusal:
        case Refusal(cause="forbidden"):
            words = f"it is forbidden to {denied.verb} {name}.{group}, which {whose} must"
            remedy = "Apply deploy/kubernetes/rbac.yaml, or upgrade the chart's release, and run each process as its account"
        case Refusal(cause="not_found"):
            words = f"there are no {name} in {group}/{version}, which {whose} must {denied.verb}"
            remedy = f"Install a release of {'Knative Serving' if group.endswith('knative.dev') else 'Kubernetes'} that has them"
        case Refusal(cause, detail):
            words = f"it failed to {denied.verb} {name}.{group}, which {whose} must: {cause}: {detail}"
            remedy = "Look again, and at the log of the API server if it stays so"
    return Finding.error("access", words, remedy)
