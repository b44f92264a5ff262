"""What the doctor asks of a cluster's API, and what it makes of each answer."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from wakequeue.cluster.api import Api
from wakequeue.cluster.objects import EndpointSlice, PodAutoscaler, RevisionObject
from wakequeue.cluster.routes import DomainMapping, Route
from wakequeue.doctor.reading import CONFIG, GROUP, read
from wakequeue.doctor.seen import Denied, Refusal, Scaling, Seen

Answer = Callable[[httpx2.Request], httpx2.Response | None]

DOCUMENTS: dict[str, Any] = {
    "/version": {"major": "1", "gitVersion": "v1.33.1"},
    GROUP: {"kind": "APIGroup", "versions": [{"groupVersion": "serving.knative.dev/v1", "version": "v1"}]},
    CONFIG: {
        "metadata": {"name": "config-autoscaler", "labels": {"app.kubernetes.io/version": "1.18.1"}},
        "data": {"stable-window": "60s"},
    },
}
BURST = "autoscaling.knative.dev/target-burst-capacity"


def looked(answer: Answer = lambda _: None) -> Seen | Refusal:
    """What is seen of an API that answers well, but where `answer` has another one."""

    def well(request: httpx2.Request) -> httpx2.Response:
        path, query = request.url.path, dict(request.url.params)
        if other := answer(request):
            return other
        if "watch" in query:
            return httpx2.Response(200, content=b"")
        page = {"metadata": {"resourceVersion": "7"}, "items": []}
        return httpx2.Response(200, content=json.dumps(DOCUMENTS.get(path, page)))

    async def look() -> Seen | Refusal:
        api = Api(httpx2.AsyncClient(transport=httpx2.MockTransport(well), base_url="http://kubernetes"))
        try:
            return await read(api)
        finally:
            await api.close()

    return asyncio.run(look())


def refused(code: int, path: str, *, watch: bool | None = None) -> Answer:
    """An answer that refuses this path: lists and gets of it, watches of it, or both."""

    def answer(request: httpx2.Request) -> httpx2.Response | None:
        if request.url.path != path or watch not in {None, "watch" in request.url.params}:
            return None
        return httpx2.Response(code, content=json.dumps({"kind": "Status", "code": code, "message": "no"}))

    return answer


def test_all_that_is_there() -> None:
    """The releases, the versions, the configuration; each collection is listed by a page, and watched from that version."""
    asked: list[tuple[str, dict[str, str]]] = []

    def note(request: httpx2.Request) -> None:
        asked.append((request.url.path, dict(request.url.params)))

    seen = looked(note)
    assert isinstance(seen, Seen)
    assert (seen.kubernetes, seen.serving) == ("v1.33.1", ("v1",))
    assert seen.access == dict.fromkeys((Route, DomainMapping, RevisionObject, EndpointSlice, PodAutoscaler))
    assert not isinstance(seen.autoscaler, Refusal)
    assert (seen.autoscaler.release, seen.autoscaler.data) == ("1.18.1", {"stable-window": "60s"})
    slices = [query for path, query in asked if path == EndpointSlice.path]
    assert slices[0] == {"labelSelector": EndpointSlice.selector, "limit": "250"}
    assert slices[1].items() >= {"labelSelector": EndpointSlice.selector, "watch": "true", "resourceVersion": "7"}.items()


@pytest.mark.parametrize(
    ("annotations", "scaling"),
    [
        (None, Scaling()),
        ({"other": "1"}, Scaling()),
        ({"autoscaling.knative.dev/window": "6s", BURST: "0"}, Scaling(window="6s", target_burst_capacity="0")),
        ({"autoscaling.knative.dev/min-scale": "2", "autoscaling.knative.dev/minScale": "1"}, Scaling(min_scale="2")),
        (
            {"autoscaling.knative.dev/minScale": "1", "autoscaling.knative.dev/targetBurstCapacity": "-1"},
            Scaling(target_burst_capacity="-1", min_scale="1"),
        ),
    ],
)
def test_what_revisions_say_of_their_scaling(annotations: dict[str, str] | None, scaling: Scaling) -> None:
    """In each spelling that Knative reads, the newer one first."""
    metadata = {"namespace": "shop", "name": "cart"} | ({"annotations": annotations} if annotations else {})

    def answer(request: httpx2.Request) -> httpx2.Response | None:
        if request.url.path != RevisionObject.path or "watch" in request.url.params:
            return None
        return httpx2.Response(200, content=json.dumps({"metadata": {"resourceVersion": "7"}, "items": [{"metadata": metadata}]}))

    seen = looked(answer)
    assert isinstance(seen, Seen)
    assert seen.revisions == {"shop/cart": scaling}


@pytest.mark.parametrize(("watch", "verb"), [(False, "list"), (None, "list"), (True, "watch")])
def test_a_verb_that_is_forbidden(watch: bool | None, verb: str) -> None:  # noqa: FBT001  a request is one or the other
    """A collection that may be listed may still not be watched."""
    seen = looked(refused(403, Route.path, watch=watch))
    assert isinstance(seen, Seen)
    assert seen.access[Route] == Denied(verb, Refusal("forbidden", "403: no"))
    assert seen.access[RevisionObject] is None


def test_a_group_that_is_not_there() -> None:
    """It is not found, and so are its collections."""
    seen = looked(lambda request: httpx2.Response(404, content=b"404 page not found\n") if GROUP in request.url.path else None)
    assert isinstance(seen, Seen)
    assert isinstance(seen.serving, Refusal)
    assert isinstance(seen.revisions, Refusal)
    denied = [seen.access[one] for one in (Route, DomainMapping, RevisionObject)]
    assert {seen.serving.cause, seen.revisions.cause, *(one.refusal.cause for one in denied if one)} == {"not_found"}
    assert seen.access[EndpointSlice] is None


@pytest.mark.parametrize("path", [GROUP, CONFIG])
def test_an_answer_that_is_something_else(path: str) -> None:
    """It is a refusal, and the rest is seen."""
    for body in ("[]", "<html>", '{"versions": 1, "data": 1}'):

        def answer(request: httpx2.Request, body: str = body) -> httpx2.Response | None:
            return httpx2.Response(200, content=body) if request.url.path == path else None

        seen = looked(answer)
        assert isinstance(seen, Seen)
        what = seen.serving if path == GROUP else seen.autoscaler
        assert isinstance(what, Refusal)
        assert what.cause == "malformed"


@pytest.mark.parametrize(("code", "cause"), [(401, "unauthorized"), (500, "refused"), (503, "refused")])
def test_an_api_that_lets_nobody_in(code: int, cause: str) -> None:
    """Nothing more is asked of it."""
    seen = looked(refused(code, "/version"))
    assert seen == Refusal(cause, f"{code}: no")


def test_an_api_that_is_not_there() -> None:
    """The cause is the network's."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    assert looked(answer) == Refusal("network", "refused")


@pytest.mark.parametrize("code", [403, 404])
def test_an_api_that_tells_its_release_to_nobody(code: int) -> None:
    """The rest is seen."""
    seen = looked(refused(code, "/version"))
    assert isinstance(seen, Seen)
    assert isinstance(seen.kubernetes, Refusal)
    assert seen.serving == ("v1",)
