"""Envoy's protocols through a real front, over gRPC, up to what the Autoscaler is told."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import grpc
import pytest
from support.envoy_wire import CHECK, STREAM, check_request, log_entry, log_message, read_check_response
from support.installation import Installation
from support.stat_server import StatServer
from support.waiting import wait_until

TAGS = {b"wakequeue.namespace": b"default", b"wakequeue.revision": b"hello-00001"}


def on(address: str, use: Callable[[grpc.aio.Channel], Coroutine[Any, Any, Any]]) -> Any:  # noqa: ANN401  what it returns
    """Use a connection to a front."""

    async def run() -> Any:  # noqa: ANN401  as above
        async with grpc.aio.insecure_channel(address) as channel:
            return await asyncio.wait_for(use(channel), 30)

    return asyncio.run(run())


def stream(address: str, *messages: bytes) -> bytes:
    """Send a stream of messages, and return its answer."""

    async def sent() -> AsyncIterator[bytes]:
        for message in messages:
            yield message

    async def use(channel: grpc.aio.Channel) -> bytes:
        answer: bytes = await channel.stream_unary(STREAM)(sent())
        return answer

    answered: bytes = on(address, use)
    return answered


def test_a_check_wakes_the_routes_revision(installation: Installation, stat_server: StatServer) -> None:
    """The cluster in the call's metadata names it; a forged header beside it names nothing."""
    hook = installation.hook()
    installation.worker()
    forged = {b"knative-serving-namespace": b"shop", b"knative-serving-revision": b"victim-00001"}

    async def use(channel: grpc.aio.Channel) -> bytes:
        metadata = (("x-wakequeue-cluster", "default/hello-00001"),)
        answer: bytes = await channel.unary_unary(CHECK)(check_request(headers=forged), metadata=metadata)
        return answer

    assert read_check_response(on(hook.grpc_address, use)).passes
    stat_server.wait_for("default/hello-00001")
    assert set(stat_server.requests()) == {"default/hello-00001"}


def test_a_request_that_is_tried_again_is_one_call(installation: Installation, stat_server: StatServer) -> None:
    """However many attempts are logged; with two requests, two."""
    hook = installation.hook()
    installation.worker()
    attempts = [log_entry(tags=TAGS, request_id=b"r%d" % (number % 2)) for number in range(20)]
    assert stream(hook.grpc_address, log_message(*attempts[:7], node=b"n" * 60_000), *map(log_message, attempts[7:])) == b""
    stat_server.wait_for("default/hello-00001", reports=2)
    assert stat_server.requests() == {"default/hello-00001": 2}
    assert hook.metric("wakequeue_calls_total", protocol="envoy_access_log", outcome="waiting") == 18
    assert max(one.stat.concurrency for one in stat_server.received) == 2


def test_a_long_stream_is_taken_whole(installation: Installation, stat_server: StatServer) -> None:
    """10,000 requests, in messages of 100, are 10,000 calls."""
    hook = installation.hook()
    installation.worker()
    entries = [log_entry(tags=TAGS, request_id=b"r%d" % number) for number in range(10_000)]
    stream(hook.grpc_address, *(log_message(*entries[start : start + 100]) for start in range(0, 10_000, 100)))
    wait_until(lambda: stat_server.requests()["default/hello-00001"] >= 10_000, 15, "all calls reported")
    assert stat_server.requests() == {"default/hello-00001": 10_000}


def test_streams_end_when_the_front_does(installation: Installation, stat_server: StatServer) -> None:
    """Told to stop, a front answers the streams that are open, once it has taken what they sent, and ends at once."""
    hook = installation.hook(WAKEQUEUE_DRAIN_WITHIN="20s")

    async def use(channel: grpc.aio.Channel) -> list[bytes]:
        calls = [channel.stream_unary(STREAM)() for _ in range(5)]
        for number, call in enumerate(calls):
            await call.write(log_message(log_entry(tags=TAGS, request_id=b"r%d" % number), node=b"n"))
        hook.process.send_signal(signal.SIGTERM)
        return await asyncio.gather(*calls)

    began = time.monotonic()
    assert on(hook.grpc_address, use) == [b""] * 5
    assert hook.process.wait() == 0
    assert time.monotonic() - began < 6
    assert "Traceback" not in hook.process.output
    installation.worker()
    wait_until(lambda: stat_server.requests()["default/hello-00001"] == 5, 10, "all 5 calls reported")


@pytest.mark.parametrize("end", ["cancel", "close"])
def test_a_stream_whose_gateway_goes_leaves_nothing(installation: Installation, end: str) -> None:
    """Its calls are recorded, and the front says nothing of it."""
    hook = installation.hook()

    async def use(channel: grpc.aio.Channel) -> None:
        call = channel.stream_unary(STREAM)()
        await call.write(log_message(log_entry(tags=TAGS)))
        await asyncio.to_thread(wait_until, lambda: hook.metric("wakequeue_recorded_total") == 1, 5, "a recorded call")
        if end == "cancel":
            call.cancel()
        else:
            await channel.close()

    on(hook.grpc_address, use)
    assert stream(hook.grpc_address, log_message(log_entry(tags=TAGS))) == b""
    assert hook.process.stop() == 0
    assert [line for line in hook.process.lines if "started" not in line and "draining" not in line] == []
