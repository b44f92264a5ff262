"""One connection of a caller that makes many calls; what the front can't take yet waits in it."""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self, cast

from gateway_hook.bench.http2 import Fields, Reader, Writer, opening
from wakequeue.errors import NoFigure
from wakequeue.setting_types import Address

Answered = Callable[[float, float, str], None]
"""Told of each call: when it began, when its answer was read (`time.perf_counter`), and gRPC's status."""

CONNECT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Target:
    """A method at an address, and what its calls carry; `tls` is None where it speaks plainly."""

    address: Address
    method: str
    metadata: tuple[tuple[str, str], ...] = ()
    tls: ssl.SSLContext | None = None
    server_name: str | None = None

    def fields(self) -> Fields:
        """The header fields of its calls."""
        yield from ((":method", "POST"), (":scheme", "https" if self.tls else "http"), (":path", self.method))
        yield (":authority", self.server_name or self.address)
        yield from (("content-type", "application/grpc"), ("te", "trailers"), *self.metadata)


class Connection(asyncio.Protocol):
    """Makes calls, and tells of their answers as they come, in whatever order."""

    def __init__(self, target: Target, answered: Answered) -> None:
        self._writer, self._reader, self._answered = Writer(target.fields()), Reader(), answered
        self._began: dict[int, float] = {}
        self._waiting: deque[tuple[float, bytes]] = deque()
        loop = asyncio.get_running_loop()
        self._greeted, self._ended = loop.create_future(), loop.create_future()
        self._address, self._closing = target.address, False

    @classmethod
    async def open(cls, target: Target, answered: Answered) -> Self:
        """Connect, and return once it is known what the front takes. Raises NoFigure where none answers."""
        loop = asyncio.get_running_loop()
        name = (target.server_name or target.address.host) if target.tls else None
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await loop.create_connection(
                    lambda: cls(target, answered), target.address.host, target.address.port, ssl=target.tls, server_hostname=name
                )
                await connection.greeting()
        except (OSError, TimeoutError) as error:
            msg = f"the front at {target.address} does not answer: {str(error) or 'it says nothing'}"
            raise NoFigure(msg) from error
        return connection

    async def greeting(self) -> None:
        """Return once the front has said what it takes. Raises NoFigure where it ends the connection instead."""
        try:
            await asyncio.wait({self._greeted, self._ended}, return_when=asyncio.FIRST_COMPLETED)
            if self._ended.done():
                self._ended.result()
        finally:
            if not self._greeted.done():
                self.close()

    @property
    def most_in_flight(self) -> int:
        """How many calls the front takes at once on this connection."""
        return self._reader.most_streams

    def call(self, data: bytes, began: float) -> None:
        """Make a call with this message, which began then, with the next `send`; one made while answers are told goes by itself."""
        self._waiting.append((began, data))

    def send(self) -> None:
        """Send the calls that were made, as far as the front takes more."""
        frames: list[bytes] = []
        while self._waiting and len(self._began) < self._reader.most_streams and self._reader.window > len(self._waiting[0][1]) + 5:
            began, data = self._waiting.popleft()
            stream, call = self._writer.call(data)
            self._began[stream] = began
            self._reader.window -= len(data) + 5
            frames.append(call)
        if frames:
            self._transport.write(b"".join(frames))

    @property
    def ended(self) -> "asyncio.Future[None]":
        """Done once the connection has ended; raises NoFigure where the front ended it."""
        return self._ended

    def close(self) -> None:
        """Close it; calls without an answer get none."""
        self._closing = True
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say what a client says first."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(opening())

    def data_received(self, data: bytes) -> None:
        """Tell of the calls that have ended, and make those that waited for it."""
        now = time.perf_counter()
        try:
            answers, replies = self._reader.read(data)
        except NoFigure as error:
            if not self._ended.done():
                self._ended.set_exception(error)
            self._transport.abort()
            return
        if replies:
            self._transport.write(replies)
        if self._reader.greeted and not self._greeted.done():
            self._greeted.set_result(None)
        for stream, status in answers:
            # A stream that has ended may be reset after that.
            if (began := self._began.pop(stream, None)) is not None:
                self._answered(began, now, status)
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        """The front has ended it, or this side has."""
        if not self._ended.done():
            if self._closing:
                self._ended.set_result(None)
            else:
                why = str(exc or "why, it didn't say")
                if not self._greeted.done():
                    why += " (does it speak TLS, or ask for a certificate?)"
                self._ended.set_exception(NoFigure(f"the front at {self._address} ended the connection: {why}"))
