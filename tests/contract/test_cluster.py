"""What front and worker rely on of a cluster, held by the fake, and by the mirror over a real API."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

import httpx2
import pytest
from support.api_server import ApiServer
from support.fakes import FakeCluster
from support.knative import (
    ENDPOINT_SLICES,
    POD_AUTOSCALERS,
    REVISIONS,
    ROUTES,
    endpoint_slice,
    pod_autoscaler,
    revision,
    route,
)
from support.waiting import wait_until_async

from wakequeue.cluster import mirror
from wakequeue.cluster.api import Api
from wakequeue.cluster.knowledge import Application, Cluster, Readiness, Scaling, Unknown
from wakequeue.cluster.mirror import Mirror
from wakequeue.cluster.objects import FRONT, WORKER
from wakequeue.revision import Revision

A, B, NEVER_HEARD_OF = (Revision("shop", name) for name in ("cart-1", "cart-2", "never"))
HOST = "cart.shop.example.com"

AT_ZERO = Readiness(ready=False, seconds=0.0)


class Subject(Protocol):
    """A cluster under test, which begins with access and without anything, and what a test does to it."""

    cluster: Cluster

    async def open(self) -> None:
        """Begin to know what there is."""
        ...

    def is_ready(self, revision: Revision) -> None:
        """Have a Revision, with a ready endpoint."""
        ...

    def is_at_zero(self, revision: Revision) -> None:
        """Have a Revision, without ready endpoints."""
        ...

    def is_gone(self, revision: Revision) -> None:
        """Have this Revision no more."""
        ...

    def leads(self, *revisions: Revision) -> None:
        """Have the host lead to these, the first with the largest share."""
        ...

    def routes(self, application: Application) -> None:
        """Have this application."""
        ...

    def unroutes(self, key: str) -> None:
        """Have this application no more."""
        ...

    def aims_at(self, revision: Revision, callers: int) -> None:
        """Have this Revision scaled by callers, of which a pod can have so many."""
        ...

    def complains(self, revision: Revision, reason: str, message: str) -> None:
        """Have Knative say that this Revision isn't ready."""
        ...

    def go_away(self) -> None:
        """Give no access."""
        ...

    def come_back(self) -> None:
        """Give access again."""
        ...


class Fake:
    """The fake that the tests of front and worker use."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.is_ready, self.is_at_zero, self.is_gone = self.cluster.is_ready, self.cluster.is_at_zero, self.cluster.is_gone

    async def open(self) -> None:
        """Begin to know what there is."""

    def leads(self, *revisions: Revision) -> None:
        """Have the host lead to these, the first with the largest share."""
        self.cluster.hosts[HOST] = revisions

    def routes(self, application: Application) -> None:
        """Have this application."""
        self.cluster.apps[application.key] = application

    def unroutes(self, key: str) -> None:
        """Have this application no more."""
        del self.cluster.apps[key]

    def aims_at(self, revision: Revision, callers: int) -> None:
        """Have this Revision scaled by callers, of which a pod can have so many."""
        self.cluster.scaled_by[revision] = Scaling("concurrency", callers * 0.7)

    def complains(self, revision: Revision, reason: str, message: str) -> None:
        """Have Knative say that this Revision isn't ready."""
        self.cluster.said[revision] = f"{reason}: {message}"

    def go_away(self) -> None:
        """Give no access."""
        self.cluster.away = True

    def come_back(self) -> None:
        """Give access again."""
        self.cluster.away = False


class Real:
    """The mirror, over an API that can go away."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self.cluster = Mirror(Api(httpx2.AsyncClient(base_url=server.url, trust_env=False)), {*FRONT, *WORKER})
        self.open = self.cluster.open
        self.go_away, self.come_back = server.stop, server.start

    def is_ready(self, revision: Revision) -> None:
        """Have a Revision, with a ready endpoint."""
        self._have(revision, 1)

    def is_at_zero(self, revision: Revision) -> None:
        """Have a Revision, without ready endpoints."""
        self._have(revision, 0)

    def is_gone(self, revision: Revision) -> None:
        """Have this Revision no more."""
        one = endpoint_slice(revision.namespace, revision.name, 0)
        self._server.delete(ENDPOINT_SLICES, revision.namespace, one["metadata"]["name"])
        self._server.delete(REVISIONS, revision.namespace, revision.name)

    def leads(self, *revisions: Revision) -> None:
        """Have the host lead to these, the first with the largest share."""
        shares = [(one.name, 60 - number) for number, one in enumerate(revisions)]
        self._server.put(ROUTES, route("shop", "cart", shares))

    def routes(self, application: Application) -> None:
        """Have this application."""
        namespace, name = application.key.split("/")
        shares = [(one.name, 60 - number) for number, one in enumerate(application.revisions)]
        self._server.put(ROUTES, route(namespace, name, shares, wakes=",".join(application.wakes)))

    def unroutes(self, key: str) -> None:
        """Have this application no more."""
        self._server.delete(ROUTES, *key.split("/"))

    def aims_at(self, revision: Revision, callers: int) -> None:
        """Have this Revision scaled by callers, of which a pod can have so many."""
        one = pod_autoscaler(revision.namespace, revision.name, 0, 0, {}, {"target": str(callers)})
        self._server.put(POD_AUTOSCALERS, one)

    def complains(self, revision: Revision, reason: str, message: str) -> None:
        """Have Knative say that this Revision isn't ready."""
        self._server.put(REVISIONS, revision_object(revision, reason, message))

    def _have(self, revision: Revision, ready: int) -> None:
        self._server.put(REVISIONS, revision_object(revision))
        self._server.put(ENDPOINT_SLICES, endpoint_slice(revision.namespace, revision.name, ready))


def revision_object(one: Revision, reason: str = "", message: str = "") -> dict[str, object]:
    """Return a Revision as the API has it."""
    return revision(one.namespace, one.name, ready=not reason, reason=reason, message=message)


@asynccontextmanager
async def fake() -> AsyncIterator[Subject]:
    """The fake."""
    yield Fake()


@asynccontextmanager
async def real() -> AsyncIterator[Subject]:
    """The mirror; it ends before its API does."""
    with ApiServer(bookmark_every=0.1) as server:
        made = Real(server)
        yield made
        await made.cluster.close()


Making = Callable[[], AbstractAsyncContextManager[Subject]]


def on_each(test: Callable[[Subject], Awaitable[None]]) -> Callable[..., None]:
    """Run a test of each cluster in turn, on an event loop of its own, with belief that ends soon."""

    @pytest.mark.parametrize("making", [fake, real])
    def run(making: Making, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mirror, "BELIEVED_SECONDS", 3.0)

        async def bounded() -> None:
            async with asyncio.timeout(30), making() as subject:
                await test(subject)

        asyncio.run(bounded())

    run.__doc__ = test.__doc__
    return run


async def known(subject: Subject, one: Revision, *, ready: bool) -> Readiness:
    """Return what is known of a Revision, once it is this."""

    def found() -> Readiness | None:
        readiness = subject.cluster.readiness(one)
        return readiness if readiness is not None and readiness.ready is ready else None

    return await wait_until_async(found, what=f"{one} {'ready' if ready else 'at zero'}")


async def waiting(subject: Subject, one: Revision, number: int = 1) -> list["asyncio.Task[None]"]:
    """Return so many that wait until a Revision is ready, once they do."""
    tasks = [asyncio.create_task(subject.cluster.until_ready(one)) for _ in range(number)]
    await asyncio.sleep(0)
    return tasks


@on_each
async def test_readiness(subject: Subject) -> None:
    """Unknown before it is listed; at zero for no time; ready for a time that grows, however many endpoints become so."""
    assert subject.cluster.readiness(A) is None
    subject.is_at_zero(A)
    await subject.open()
    assert await known(subject, A, ready=False) == AT_ZERO
    subject.is_ready(A)
    first = await known(subject, A, ready=True)
    assert 0 <= first.seconds < 5
    await wait_until_async(lambda: (now := subject.cluster.readiness(A)) and now.seconds > first.seconds + 0.1, what="it to grow")
    grown = await known(subject, A, ready=True)
    subject.is_ready(A)
    subject.is_ready(B)
    b, a = await known(subject, B, ready=True), await known(subject, A, ready=True)
    assert b.seconds + grown.seconds <= a.seconds
    subject.is_at_zero(A)
    assert await known(subject, A, ready=False) == AT_ZERO
    began = time.monotonic()
    subject.is_ready(A)
    assert (await known(subject, A, ready=True)).seconds <= time.monotonic() - began


@on_each
async def test_what_there_is(subject: Subject) -> None:
    """Unknown before it is listed; a Revision is there until it is gone; of one that isn't there no readiness is known."""
    assert subject.cluster.exists(A) is None
    subject.is_ready(A)
    await subject.open()
    await wait_until_async(lambda: subject.cluster.exists(A), what="the Revision")
    await wait_until_async(lambda: subject.cluster.exists(NEVER_HEARD_OF) is False, what="no other Revision")
    assert subject.cluster.readiness(NEVER_HEARD_OF) is None
    subject.is_gone(A)
    await wait_until_async(lambda: subject.cluster.exists(A) is False, what="it gone")
    assert subject.cluster.readiness(A) is None


@on_each
async def test_behind_a_host(subject: Subject) -> None:
    """All that share its traffic, the largest share first; none behind one that isn't known."""
    assert subject.cluster.behind(HOST) == ()
    subject.leads(B, A)
    await subject.open()
    await wait_until_async(lambda: subject.cluster.behind(HOST) == (B, A), what="the split")
    assert subject.cluster.behind("other.example.com") == ()
    subject.leads(A)
    await wait_until_async(lambda: subject.cluster.behind(HOST) == (A,), what="the Route changed")


@on_each
async def test_applications(subject: Subject) -> None:
    """Unknown before they are listed; each by its key, and by its Revisions, until it is gone."""
    assert subject.cluster.applications() is None
    cart = Application("shop/cart", (B, A), ("shop/till", "bank/web"))
    till = Application("shop/till", (B,))
    for one in (cart, till):
        subject.routes(one)
    await subject.open()
    await wait_until_async(subject.cluster.applications, what="applications")
    assert sorted(subject.cluster.applications() or ()) == [cart, till]
    assert [subject.cluster.application(key) for key in ("shop/cart", "shop/never")] == [cart, None]
    assert set(subject.cluster.applications_of(B)) == {cart, till}
    assert subject.cluster.applications_of(A) == (cart,)
    assert subject.cluster.applications_of(NEVER_HEARD_OF) == ()
    subject.routes(moved := Application("shop/cart", (A,)))
    await wait_until_async(lambda: subject.cluster.application("shop/cart") == moved, what="the Route changed")
    assert subject.cluster.applications_of(B) == (till,)
    subject.unroutes("shop/till")
    await wait_until_async(lambda: not subject.cluster.applications_of(B), what="it gone")
    assert list(subject.cluster.applications() or ()) == [moved]


@on_each
async def test_scaling(subject: Subject) -> None:
    """What a Revision is scaled by, as it says itself; of the others nothing."""
    assert subject.cluster.scaling(A) is None
    subject.aims_at(A, 10)
    await subject.open()
    await wait_until_async(lambda: subject.cluster.scaling(A), what="the PodAutoscaler")
    assert subject.cluster.scaling(A) == Scaling("concurrency", 7.0)
    assert subject.cluster.scaling(B) is None
    subject.aims_at(A, 20)
    await wait_until_async(lambda: subject.cluster.scaling(A) == Scaling("concurrency", 14.0), what="the new target")


@on_each
async def test_complaints(subject: Subject) -> None:
    """What Knative says in the way of readiness, as `REASON: message`; of the others nothing."""
    subject.is_at_zero(A)
    subject.is_at_zero(B)
    await subject.open()
    await known(subject, B, ready=False)
    assert subject.cluster.complaints(A) == ""
    subject.complains(A, "ContainerMissing", "no such image")
    await wait_until_async(lambda: subject.cluster.complaints(A), what="the complaint")
    assert subject.cluster.complaints(A) == "ContainerMissing: no such image"
    assert subject.cluster.complaints(B) == subject.cluster.complaints(NEVER_HEARD_OF) == ""


@on_each
async def test_without_access(subject: Subject) -> None:
    """Nothing is known of Revisions after a moment, and all as it is once there is access; hosts lead where they led.

    So do applications.
    """
    subject.is_ready(A)
    subject.leads(A)
    subject.routes(till := Application("shop/till", (A,)))
    await subject.open()
    await known(subject, A, ready=True)
    subject.go_away()
    await wait_until_async(lambda: subject.cluster.readiness(A) is subject.cluster.exists(A) is None, what="nothing known")
    assert subject.cluster.readiness(NEVER_HEARD_OF) is subject.cluster.exists(NEVER_HEARD_OF) is None
    assert subject.cluster.behind(HOST) == (A,)
    assert till in (subject.cluster.applications() or ())
    assert subject.cluster.application(till.key) == till
    assert till in subject.cluster.applications_of(A)
    subject.is_at_zero(A)
    assert subject.cluster.readiness(A) is None
    subject.come_back()
    await known(subject, A, ready=False)
    await wait_until_async(lambda: subject.cluster.exists(A), what="the Revision")


@on_each
async def test_who_waits_until_it_is_ready(subject: Subject) -> None:
    """All who wait for a Revision are woken, and those for another one go on; who asks later is answered at once."""
    subject.is_at_zero(A)
    subject.is_at_zero(B)
    await subject.open()
    await known(subject, B, ready=False)
    of_a, of_b = await waiting(subject, A, 3), await waiting(subject, B, 2)
    subject.is_ready(A)
    await asyncio.gather(*of_a)
    await asyncio.wait_for(subject.cluster.until_ready(A), 0.1)
    assert not any(one.done() for one in of_b)
    subject.is_at_zero(A)
    await known(subject, A, ready=False)
    again = await waiting(subject, A)
    subject.is_ready(B)
    await asyncio.gather(*of_b)
    assert not again[0].done()
    subject.is_ready(A)
    await again[0]


@on_each
async def test_who_waits_may_leave(subject: Subject) -> None:
    """One who is cancelled waits no more; the others do, also where access is lost meanwhile."""
    subject.is_at_zero(A)
    await subject.open()
    await known(subject, A, ready=False)
    leaving, *staying = await waiting(subject, A, 3)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    subject.go_away()
    await wait_until_async(lambda: subject.cluster.readiness(A) is None, what="nothing known")
    staying += await waiting(subject, A)
    assert not any(one.done() for one in staying)
    subject.come_back()
    subject.is_ready(A)
    await asyncio.gather(*staying)


def test_the_unknown_cluster() -> None:
    """It says nothing, and nobody is woken."""
    cluster: Cluster = Unknown()
    assert cluster.readiness(A) is cluster.exists(A) is None
    assert (cluster.behind(HOST), cluster.complaints(A)) == ((), "")
    assert cluster.application("shop/cart") is cluster.scaling(A) is None
    assert cluster.applications_of(A) == cluster.applications() == ()

    async def wait() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.05) as waited:
                await cluster.until_ready(A)
        assert waited.expired()

    asyncio.run(wait())
