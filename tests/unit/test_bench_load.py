"""The load generator against servers of gRPC's own: open and closed loops, and what gives no figure."""

import asyncio
import contextlib
import itertools
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import grpc
import pytest
from support.processes import free_port
from support.waiting import all_closed, wait_until_async

from gateway_hook.bench import connection, load
from gateway_hook.bench.connection import Target
from gateway_hook.bench.http2 import END_HEADERS, END_STREAM, Kind, frame
from gateway_hook.bench.load import Caller, Load
from wakequeue.errors import NoFigure
from wakequeue.setting_types import Address

Context = grpc.aio.ServicerContext[bytes, bytes]
Answer = Callable[[bytes, Context], Awaitable[bytes]]
Says = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]
METHOD = "/a.B/C"


@contextlib.asynccontextmanager
async def serving(answer: Answer, *options: tuple[str, int]) -> AsyncIterator[Address]:
    """A server of one method."""
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0), *options])
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("a.B", {"C": handler})])
    address = Address(f"127.0.0.1:{free_port()}")
    server.add_insecure_port(address)
    await server.start()
    try:
        yield address
    finally:
        await server.stop(0)


@contextlib.asynccontextmanager
async def listening(
    says: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]],
) -> AsyncIterator[Address]:
    """A server of bytes."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            await says(reader, writer)
        writer.close()

    port = free_port()
    server = await asyncio.start_server(say, "127.0.0.1", port)
    try:
        yield Address(f"127.0.0.1:{port}")
    finally:
        server.close()
        await all_closed()


def caller(address: Address, connections: int = 2) -> Caller:
    """Makes calls with messages that are numbered."""
    return Caller(
        Target(address, METHOD, (("authorization", "Bearer hunter2"),)), map(b"%d".__mod__, itertools.count()), connections
    )


async def echo(data: bytes, _context: Context) -> bytes:
    """Answer at once."""
    return data


class Recorded:
    """A method that remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []
        self.metadata: set[object] = set()
        self.in_flight = self.most = 0

    async def answer(self, data: bytes, context: Context) -> bytes:
        """Take a moment."""
        self.asked.append(data)
        self.metadata.add(dict(context.invocation_metadata() or ())["authorization"])
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        await asyncio.sleep(0.002)
        self.in_flight -= 1
        return data


# What calls are made, and what they take.


def test_a_closed_loop() -> None:
    """Every call is made and answered once, with its metadata; no more are in flight than it was told."""

    async def run() -> None:
        recorded = Recorded()
        async with serving(recorded.answer) as address, caller(address) as calls:
            made = await calls.burst(200, 8)
            assert sorted(recorded.asked, key=int) == [b"%d" % number for number in range(200)]
            assert recorded.most <= 8
            assert recorded.metadata == {"Bearer hunter2"}
            assert len(made.seconds) == 200
            assert min(made.seconds) >= 0.002
            assert made.calls_a_second <= 8 / 0.002
            assert made.own_seconds > 0

    asyncio.run(run())


def test_loops_one_after_another() -> None:
    """Each goes on with the messages where the last one ended, on the same connections."""

    async def run() -> None:
        recorded = Recorded()
        async with serving(recorded.answer) as address, caller(address) as calls:
            loads = [await calls.burst(3, 10), await calls.open_loop(2_000, 5), await calls.burst(1, 1)]
            assert [len(one.seconds) for one in loads] == [3, 5, 1]
            assert sorted(recorded.asked) == [b"%d" % number for number in range(9)]

    asyncio.run(run())


def test_an_open_loop_comes_when_it_comes() -> None:
    """Its moments are random, the same for a seed, and not put off by answers: so many are in flight as it takes."""

    async def run() -> None:
        free = asyncio.Event()
        came: list[float] = []

        async def held(data: bytes, _context: Context) -> bytes:
            came.append(time.perf_counter())
            if len(came) == 100:
                free.set()
            await free.wait()
            return data

        async with serving(held) as address, caller(address) as calls:
            made = await calls.open_loop(500, 100)
        assert len(made.seconds) == 100
        assert len(came) == 100

    asyncio.run(run())


def test_a_server_that_stalls_is_seen_in_every_call_meanwhile() -> None:
    """Latency is from when a call should have been made: those that a stall of the server, and of this process, keeps are late."""
    stall = 0.2

    async def run() -> Load:
        made = 0

        async def stalls(data: bytes, _context: Context) -> bytes:
            nonlocal made
            made += 1
            if made == 50:
                time.sleep(stall)  # noqa: ASYNC251  the whole loop, that of the calls too, so that they can't even be made
            return data

        async with serving(stalls) as address, caller(address) as calls:
            return await calls.open_loop(1_000, 400)

    seconds = asyncio.run(run()).seconds
    # Of some 200 calls that were to be made while it lasted, half were to wait for more than half of it.
    assert max(seconds) >= stall
    assert sum(one >= stall / 2 for one in seconds) >= 70


def test_more_calls_than_the_server_takes_wait() -> None:
    """It is never given more at once than it said, the first time included; the others wait, and are answered."""

    async def run() -> None:
        recorded = Recorded()
        async with serving(recorded.answer, ("grpc.max_concurrent_streams", 1)) as address, caller(address) as calls:
            assert calls.most_in_flight == 2
            made = await calls.burst(20, 20)
            assert (len(made.seconds), recorded.most) == (20, 2)

    asyncio.run(run())


def test_a_server_that_names_no_limit() -> None:
    """As many calls as there are go out at once."""

    async def run() -> None:
        all_there = asyncio.Event()
        there = 0

        async def held(data: bytes, _context: Context) -> bytes:
            nonlocal there
            there += 1
            if there == 300:
                all_there.set()
            await all_there.wait()
            return data

        async with serving(held) as address, caller(address, 1) as calls:
            assert len((await calls.burst(300, 300)).seconds) == 300

    asyncio.run(run())


# What gives no figure.


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (grpc.StatusCode.UNAVAILABLE, r"failed \(UNAVAILABLE: 1\)$"),
        (grpc.StatusCode.UNAUTHENTICATED, r"failed \(UNAUTHENTICATED: 1\); it wants another token$"),
    ],
)
def test_a_failed_call(code: grpc.StatusCode, says: str) -> None:
    """One of many is enough; its status is said, and what is known of why."""

    async def run() -> None:
        async def fails(data: bytes, context: Context) -> bytes:
            if data == b"33":
                await context.abort(code, "why")
            return data

        async with serving(fails) as address, caller(address) as calls:
            with pytest.raises(NoFigure, match=says):
                await calls.burst(100, 10)
            with pytest.raises(NoFigure, match="UNIMPLEMENTED: 1"):
                async with Caller(Target(address, "/a.B/D"), itertools.repeat(b"")) as others:
                    await others.burst(1, 1)

    asyncio.run(run())


def test_a_server_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not waited for without end; and it is left, with what was to be made."""
    monkeypatch.setattr(load, "LAST_SECONDS", 0.2)

    async def run() -> None:
        async def never(_data: bytes, _context: Context) -> bytes:
            await asyncio.Event().wait()
            raise AssertionError

        async with serving(never) as address, caller(address) as calls:
            with pytest.raises(NoFigure, match="5 of 5 calls were not answered"):
                await calls.burst(5, 5)
            with pytest.raises(NoFigure, match="2 of 2 calls were not answered"):
                await calls.open_loop(0.1, 2)

    asyncio.run(run())
    assert not [thread for thread in threading.enumerate() if "pace" in thread.name]


@pytest.mark.parametrize("loop", ["open", "closed"])
def test_a_server_that_ends(loop: str) -> None:
    """Both ways to make calls are over at once, and nothing goes on making them."""

    async def run() -> None:
        ended = asyncio.Event()

        async def answer(data: bytes, _context: Context) -> bytes:
            if data == b"20":
                ended.set()
            return data

        async with contextlib.AsyncExitStack() as stack:
            server = await stack.enter_async_context(contextlib.AsyncExitStack())
            address = await server.enter_async_context(serving(answer))
            calls = await stack.enter_async_context(caller(address))
            making = asyncio.create_task(calls.open_loop(1_000, 100_000) if loop == "open" else calls.burst(1_000_000, 10))
            await ended.wait()
            await server.aclose()
            with pytest.raises(NoFigure, match="ended the connection"):
                await making

    asyncio.run(run())


def test_a_connection_that_ends_while_nothing_is_asked() -> None:
    """The next loop has no figure, and doesn't wait for answers that never come."""

    async def run() -> None:
        async with contextlib.AsyncExitStack() as stack:
            server = await stack.enter_async_context(contextlib.AsyncExitStack())
            address = await server.enter_async_context(serving(echo))
            calls = await stack.enter_async_context(caller(address))
            await calls.burst(10, 2)
            await server.aclose()
            await wait_until_async(lambda: all(one.ended.done() for one in calls._connections))
            with pytest.raises(NoFigure, match="ended the connection"):
                await calls.burst(10, 2)

    asyncio.run(run())


def test_nobody_is_there() -> None:
    """The address is said."""

    async def run() -> None:
        address = Address(f"127.0.0.1:{free_port()}")
        with pytest.raises(NoFigure, match=f"the front at {address} does not answer: "):
            async with caller(address):
                pass

    asyncio.run(run())


def test_somebody_else_is_there() -> None:
    """One who ends the connection, who speaks something else, or who says nothing at all is no front."""

    async def ends(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.close()

    async def speaks(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    async def run(says: Says) -> None:
        async with listening(says) as address, caller(address):
            pass

    with pytest.raises(NoFigure, match="does it speak TLS, or ask for a certificate"):
        asyncio.run(run(ends))
    with pytest.raises(NoFigure, match="no gRPC server"):
        asyncio.run(run(speaks))


def test_somebody_who_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for as long as for a connection."""
    monkeypatch.setattr(connection, "CONNECT_SECONDS", 0.2)

    async def run() -> None:
        async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with listening(silent) as address, caller(address):
            pass

    with pytest.raises(NoFigure, match="does not answer: it says nothing"):
        asyncio.run(run())


def test_a_second_connection_that_is_refused() -> None:
    """The first one is closed."""

    async def run() -> None:
        closed = asyncio.Event()
        numbers = itertools.count()

        async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if next(numbers):
                return
            writer.write(frame(Kind.SETTINGS, 0, 0))
            try:
                await reader.read()
            finally:
                closed.set()

        async with listening(once) as address:
            with pytest.raises(NoFigure):
                async with caller(address):
                    pass
            await asyncio.wait_for(closed.wait(), 10)

    asyncio.run(run())


def test_a_stream_that_is_reset_after_its_end() -> None:
    """It was answered, and is not answered again."""

    async def run() -> None:
        async def resets(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(frame(Kind.SETTINGS, 0, 0))
            asked, stream = b"", 1
            while data := await reader.read(65_536):
                asked += data
                if asked.count(b"\0\0\0\0\1") == (stream + 1) // 2:  # so many messages, of one byte each
                    ended = frame(Kind.HEADERS, END_HEADERS | END_STREAM, stream, b"\0\x0bgrpc-status\x010")
                    writer.write(ended + frame(Kind.RST_STREAM, 0, stream, b"\0\0\0\0"))
                    stream += 2

        async with listening(resets) as address, caller(address, 1) as calls:
            assert [len((await calls.burst(1, 1)).seconds) for _ in range(2)] == [1, 1]

    asyncio.run(run())
