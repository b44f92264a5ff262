"""Held calls at the real ports, in this process, with a cluster that does as a test says: who is answered when, and who left."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final, cast

import grpc
import pytest
from support import http2
from support.envoy_messages import CHECK, check_request, headers_added
from support.fakes import FakeCluster, FakeRecorder
from support.http import Answer, Fields, Http1, Http2, http1, pseudo, routed
from support.processes import free_port
from support.waiting import wait_until_async

from gateway_hook import hold
from gateway_hook.envoy.ext_authz import ExtAuthz
from gateway_hook.hook import Hook
from gateway_hook.http.port import HttpPort
from gateway_hook.port import Port
from gateway_hook.recorder import Recorder
from wakequeue.revision import Revision
from wakequeue.setting_sources import load
from wakequeue.settings import Settings
from wakequeue.telemetry import FRONT, HOLDS

HELLO: Final = Revision("default", "hello")
NAMED: Final = {b"wakequeue.namespace": b"default", b"wakequeue.revision": b"hello"}


@dataclass
class Front:
    """A front that holds calls, of a cluster in which `hello` sleeps."""

    settings: Settings
    hook: Hook
    cluster: FakeCluster
    recorder: FakeRecorder = field(default_factory=FakeRecorder)

    async def holds(self, number: int) -> None:
        """Return once so many calls are held."""
        await wait_until_async(lambda: FRONT.get_sample_value("wakequeue_held_calls") == number, what=f"{number} held calls")

    async def check(self, within: float | None = None) -> bytes:
        """Make a check, as Envoy does."""
        async with grpc.aio.insecure_channel(self.settings.grpc_address) as channel:
            return await channel.unary_unary(CHECK)(check_request(extensions=NAMED), timeout=within)


@asynccontextmanager
async def front(**settings: str) -> AsyncIterator[Front]:
    """A front whose ports close at the end, within 20 s whatever is held."""
    addresses = {f"WAKEQUEUE_{name}_ADDRESS": f"127.0.0.1:{free_port()}" for name in ("GRPC", "HTTP")}
    chosen = {f"WAKEQUEUE_{name.upper()}": text for name, text in settings.items()}
    loaded = load({"WAKEQUEUE_MODE": "hold", "WAKEQUEUE_KUBERNETES": "on", **addresses, **chosen})
    cluster, recorder = FakeCluster(hosts={"hello.example": [HELLO]}), FakeRecorder()
    cluster.is_at_zero(HELLO)
    hook = Hook(cast("Recorder", recorder), loaded, cluster)
    ports = Port(hook, ExtAuthz(hook, loaded).handlers(), loaded), HttpPort(hook, loaded)
    HOLDS.clear()
    for port in ports:
        await port.open()
    try:
        yield Front(loaded, hook, cluster, recorder)
    finally:
        async with asyncio.timeout(30):
            await asyncio.gather(*(port.close(20) for port in ports))


def run(test: Callable[[Front], Awaitable[None]], **settings: str) -> None:
    """Run a test of a front."""

    async def bounded() -> None:
        async with asyncio.timeout(60), front(**settings) as started:
            await test(started)

    asyncio.run(bounded())


def ended(why: str) -> float:
    """Return how many holds ended so."""
    return FRONT.get_sample_value("wakequeue_holds_total", {"ended": why}) or 0.0


async def cold_answer(client: Http1) -> Answer:
    """Return the next answer, which is as that of any cold request."""
    answer = await asyncio.to_thread(client.answer)
    assert answer.is_cold
    return answer


def test_a_check_is_answered_once_its_revision_is_ready() -> None:
    """With the headers by which the router retries."""

    async def talk(front: Front) -> None:
        asking = asyncio.create_task(front.check())
        await front.holds(1)
        front.cluster.is_ready(HELLO)
        status, headers = headers_added(await asking)
        assert (status, headers["x-envoy-retriable-header-names"][0]) == (0, "x-wakequeue")
        assert front.recorder.revisions == [HELLO]
        assert ended("ready") == 1

    run(talk)


def test_a_check_is_answered_before_envoy_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is a check is OK, and a time-out would be an error; here the answer has time to arrive on a busy machine too."""
    monkeypatch.setattr(hold, "MARGIN", 0.8)
    monkeypatch.setattr(hold, "MARGIN_AT_MOST", 10.0)

    async def talk(front: Front) -> None:
        assert headers_added(await front.check(within=6.0))[0] == 0
        assert ended("deadline") == 1

    run(talk)


def test_pings_end_no_held_check() -> None:
    """A gateway asks whether its connection lives, as often as it likes: it is no misuse, and costs no call."""

    async def talk(front: Front) -> None:
        message = check_request(extensions=NAMED)
        path = (b":method", b"POST"), (b":scheme", b"http"), (b":path", CHECK.encode()), (b":authority", b"front")
        fields = (*path, (b"content-type", b"application/grpc"), (b"te", b"trailers"))
        body = b"\0" + len(message).to_bytes(4) + message
        frames = http2.PREFACE + http2.frame(http2.SETTINGS, 0, 0) + http2.call(1, fields, body)
        with http2.leave_open(front.settings.grpc_address, frames) as connection:
            await front.holds(1)
            for _ in range(20):
                connection.sendall(http2.frame(http2.PING, 0, 0, b"are you?"))
                await asyncio.to_thread(http2.wait_read, connection)
            front.cluster.is_ready(HELLO)
            await front.holds(0)
        assert ended("ready") == 1

    run(talk)


def test_a_check_whose_envoy_leaves_is_held_no_more() -> None:
    """Whether it is cancelled, or its connection is ended."""

    async def talk(front: Front) -> None:
        async with grpc.aio.insecure_channel(front.settings.grpc_address) as channel:
            checks = [channel.unary_unary(CHECK)(check_request(extensions=NAMED)) for _ in range(3)]
            sent = asyncio.gather(*checks, return_exceptions=True)
            await front.holds(3)
            checks[0].cancel()
            await front.holds(2)
            await channel.close()
            await front.holds(0)
            await asyncio.wait([sent])
        assert ended("left") == 3

    run(talk)


@pytest.mark.parametrize("fields", [routed(), (("host", "hello.example"),)])
def test_a_cold_request_is_answered_once_its_revision_is_ready(fields: Fields) -> None:
    """For the gateway to try again, which then finds the application; a host that the cluster knows will do."""

    async def talk(front: Front) -> None:
        with Http1(front.settings.http_address) as one, Http2(front.settings.http_address) as two:
            one.send(http1("GET", "/", fields))
            stream = two.send(pseudo("GET", "/", fields))
            await front.holds(2)
            front.cluster.is_ready(HELLO)
            await cold_answer(one)
            assert (await asyncio.to_thread(two.answer, stream)).is_cold
            one.send(http1("GET", "/", fields))
            await cold_answer(one)
        assert ended("ready") == 2

    run(talk)


@pytest.mark.parametrize("length", [0, 10, 100_000])
def test_an_http_1_client_that_leaves_is_held_no_more(length: int) -> None:
    """Whatever it has sent of its body."""

    async def talk(front: Front) -> None:
        with Http1(front.settings.http_address) as client:
            client.send(http1("POST", "/", [*routed(), ("content-length", "100000")] if length else routed()) + b"x" * length)
            await front.holds(1)
        await front.holds(0)
        assert ended("left") == 1

    run(talk)


@pytest.mark.parametrize("more", [False, True])
def test_an_http_2_client_that_leaves_is_held_no_more(more: bool) -> None:  # noqa: FBT001  a parameter
    """Whether it resets a request, of which there may be more to come, or ends the connection; its other requests stay held."""

    async def talk(front: Front) -> None:
        with Http2(front.settings.http_address) as client:
            first, second, third = (client.send(pseudo("POST", "/", routed()), more=more) for _ in range(3))
            await front.holds(3)
            client.reset(first)
            await front.holds(2)
            client.reset(second)
            await front.holds(1)
            assert not client.answers[third].ended
            assert ended("left") == 2
            stream = client.send(pseudo("GET", "/", (("host", "x"), ("k-network-probe", "activator"))))
            assert (await asyncio.to_thread(client.answer, stream)).status == 200
        await front.holds(0)
        assert ended("left") == 3

    run(talk)


def test_a_body_that_came_while_its_request_was_held() -> None:
    """It is read and thrown away, and the connection goes on."""

    async def talk(front: Front) -> None:
        with Http1(front.settings.http_address) as client:
            for early, late in ((b"x" * 100_000, b""), (b"x" * 10, b"x" * 99_990)):
                front.cluster.is_at_zero(HELLO)
                client.send(http1("POST", "/", [*routed(), ("content-length", "100000")]) + early)
                await front.holds(1)
                front.cluster.is_ready(HELLO)
                await cold_answer(client)
                client.send(late)
            client.send(http1("GET", "/", (("host", "x"), ("k-network-probe", "activator"))))
            assert (await asyncio.to_thread(client.answer)).status == 200

    run(talk)


def test_a_client_that_waits_to_send_its_body() -> None:
    """It is held as any other, and told of no 100 Continue; its connection ends with the answer."""

    async def talk(front: Front) -> None:
        with Http1(front.settings.http_address) as client:
            client.send(http1("POST", "/", [*routed(), ("content-length", "10"), ("expect", "100-continue")]))
            await front.holds(1)
            front.cluster.is_ready(HELLO)
            assert (await cold_answer(client)).headers["connection"] == "close"
            assert client.is_ended()

    run(talk)


def test_requests_that_were_sent_ahead_are_answered_in_their_order() -> None:
    """The second is taken when the first is answered."""

    async def talk(front: Front) -> None:
        with Http1(front.settings.http_address) as client:
            client.send(http1("GET", "/", routed()) * 2)
            await front.holds(1)
            front.cluster.is_ready(HELLO)
            for _ in range(2):
                await cold_answer(client)
        assert len(front.recorder.told) == 2

    run(talk)


def test_a_browser_that_gets_a_page_gets_it_at_once() -> None:
    """It asks again by itself."""

    async def talk(front: Front) -> None:
        with Http1(front.settings.http_address) as client:
            client.send(http1("GET", "/", [*routed(), ("accept", "text/html")]))
            answer = await asyncio.to_thread(client.answer)
        assert (answer.status, answer.headers["content-type"]) == (503, "text/html; charset=utf-8")
        assert ended("ready") == 0

    run(talk, page="true")


def test_a_front_that_closes_answers_what_it_holds() -> None:
    """At once, by every protocol, and what comes while it drains."""

    async def talk(front: Front) -> None:
        asking = asyncio.create_task(front.check())
        with Http1(front.settings.http_address) as one, Http2(front.settings.http_address) as two:
            one.send(http1("GET", "/", routed()))
            stream = two.send(pseudo("GET", "/", routed()))
            await front.holds(3)
            front.hook.let_go()
            assert headers_added(await asking)[0] == 0
            await cold_answer(one)
            assert (await asyncio.to_thread(two.answer, stream)).is_cold
            await front.check()
        assert ended("draining") == 4

    run(talk)


def test_ports_close_with_calls_held() -> None:
    """Their clients are answered, and nothing is waited for."""

    async def bounded() -> tuple[bytes, Answer]:
        async with asyncio.timeout(60):
            async with front() as started:
                asking = asyncio.create_task(started.check())
                client = Http1(started.settings.http_address)
                client.send(http1("GET", "/", routed()))
                await started.holds(2)
                began = asyncio.get_running_loop().time()
            assert asyncio.get_running_loop().time() - began < 10
            with client:
                return await asking, await cold_answer(client)

    data, answer = asyncio.run(bounded())
    assert headers_added(data)[0] == 0
    assert answer.headers["connection"] == "close"


def test_a_client_that_ends_its_side_is_answered() -> None:
    """It is taken to have left, and the answer that it gets at once is the one that it would have got."""

    async def talk(front: Front) -> None:
        with Http1(front.settings.http_address) as client:
            client.send(http1("GET", "/", routed()))
            await front.holds(1)
            client.socket.shutdown(socket.SHUT_WR)
            await cold_answer(client)
        assert ended("left") == 1

    run(talk)
