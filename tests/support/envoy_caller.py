"""Calls a front as Envoy does: checks, and streams of access logs that stay open."""

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Self, TypeVar

import grpc

from support.envoy_messages import CHECK, STREAM

T = TypeVar("T")


def check(address: str, request: bytes, cluster: str = "") -> bytes:
    """Make one check, as Envoy with `initial_metadata` does, and return its answer."""
    with grpc.insecure_channel(address) as channel:
        answer: bytes = channel.unary_unary(CHECK)(request, timeout=5, metadata=[("x-wakequeue-cluster", cluster)])
        return answer


class LogStream:
    """An access log stream of its own connection, open from its making until the front answers it, or `leave`."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._call: grpc.aio.StreamUnaryCall[bytes, bytes]
        self._do(self._open())

    def send(self, messages: Sequence[bytes]) -> None:
        """Send messages, as fast as the front takes them."""
        self._do(self._send(messages))

    def answer(self, within: float) -> bytes:
        """The front's answer. Fails where the stream ended in another way, or not in time."""
        return self._do(self._answer(within))

    def leave(self) -> None:
        """Close the connection."""
        if self._loop.is_running():
            self._do(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.leave()

    def _do(self, coroutine: "Coroutine[object, object, T]") -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    async def _open(self) -> None:
        self._channel = grpc.aio.insecure_channel(self._address, [("grpc.use_local_subchannel_pool", 1)])
        self._call = self._channel.stream_unary(STREAM)()

    async def _send(self, messages: Sequence[bytes]) -> None:
        for message in messages:
            await self._call.write(message)

    async def _answer(self, within: float) -> bytes:
        async with asyncio.timeout(within):
            answer: bytes = await self._call
        assert await self._call.code() is grpc.StatusCode.OK
        return answer

    async def _close(self) -> None:
        await self._channel.close()
