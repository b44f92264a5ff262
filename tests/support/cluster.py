"""A cluster as front and worker see it: applications of Knative behind a real API, which sleep, get ready and fail as told."""

from pathlib import Path
from types import TracebackType
from typing import Self

from support.api_server import ApiServer
from support.knative import (
    DOMAIN_MAPPINGS,
    ENDPOINT_SLICES,
    POD_AUTOSCALERS,
    REVISIONS,
    ROUTES,
    domain_mapping,
    endpoint_slice,
    pod_autoscaler,
    revision,
    route,
)
from support.waiting import wait_until

#: What is watched by a front, and by a worker.
BY_FRONT = {ROUTES, DOMAIN_MAPPINGS, REVISIONS, ENDPOINT_SLICES}
BY_WORKER = {ROUTES, REVISIONS, POD_AUTOSCALERS, ENDPOINT_SLICES}


class Cluster:
    """Applications, each with its Revisions; `env` gives processes access to it."""

    def __init__(self, folder: Path) -> None:
        self.api = ApiServer(bookmark_every=0.5)
        self._scaling: dict[str, dict[str, str]] = {}
        self.env = {"WAKEQUEUE_KUBERNETES": "on", "KUBECONFIG": str(self.api.kubeconfig(folder / "kubeconfig"))}

    def application(
        self, key: str, *shares: tuple[str, int] | tuple[str, int, str], domain: str = "", wakes: str | None = None
    ) -> None:
        """An application `namespace/name` whose traffic goes to Revisions by share, each with a tag if one is given; all sleep.

        `wakes` is its annotation.
        """
        namespace, name = key.split("/")
        for one in shares:
            self.api.put(REVISIONS, revision(namespace, one[0]))
            self.at_zero(f"{namespace}/{one[0]}")
        self.api.put(ROUTES, route(namespace, name, list(shares), wakes=wakes))
        if domain:
            self.api.put(DOMAIN_MAPPINGS, domain_mapping(namespace, domain, name))

    def scaled_by(self, key: str, metric: str, target: float) -> None:
        """A sleeping Revision is scaled by this metric, and aims at so much of it per pod."""
        self._scaling[key] = {"metric": metric, "target": str(target)}
        self.at_zero(key)

    def at_zero(self, key: str) -> None:
        """A Revision has no endpoints."""
        self._scale(key, 0)

    def ready(self, key: str) -> None:
        """A Revision has a ready endpoint."""
        self._scale(key, 1)

    def fails(self, key: str, reason: str, message: str) -> None:
        """A Revision can't get ready."""
        namespace, name = key.split("/")
        waits = {"status": "Unknown", "reason": "Queued", "message": "Requests to the target are being buffered"}
        conditions = {"Active": waits, "ScaleTargetInitialized": {"status": "Unknown", "reason": reason, "message": message}}
        self.api.put(POD_AUTOSCALERS, pod_autoscaler(namespace, name, 1, 0, conditions))

    def gone(self, key: str) -> None:
        """There is no such Revision any more."""
        namespace, name = key.split("/")
        self.api.delete(REVISIONS, namespace, name)

    def watched(self, fronts: int = 1, workers: int = 1) -> None:
        """Wait until it is watched by so many."""

        def wanted(collection: str) -> int:
            return fronts * (collection in BY_FRONT) + workers * (collection in BY_WORKER)

        wait_until(lambda: all(self.api.open_watches[one] == wanted(one) for one in BY_FRONT | BY_WORKER), what="watches")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.api.close()

    def _scale(self, key: str, pods: int) -> None:
        namespace, name = key.split("/")
        self.api.put(ENDPOINT_SLICES, endpoint_slice(namespace, name, pods))
        conditions = {"Active": "True", "Ready": "True"}
        self.api.put(POD_AUTOSCALERS, pod_autoscaler(namespace, name, pods, pods, conditions, self._scaling.get(key)))
