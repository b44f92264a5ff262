"""Clients of an application behind a gateway: none of them tries again by itself."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import grpc
from websockets.asyncio.client import connect

Headers = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and when (on `time.monotonic`)."""

    status: int
    body: bytes
    at: float


@dataclass(frozen=True, slots=True)
class Visitor:
    """Visits the application that has this host name, through the gateway at this port of this machine."""

    port: int
    host: str

    async def send(self, *headers: tuple[str, str], method: str = "GET", path: str = "/", body: bytes = b"") -> Answer:
        """One request, on a connection of its own."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            return await self.on(reader, writer, *headers, method=method, path=path, body=body)
        finally:
            writer.close()

    async def on(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *headers: tuple[str, str],
        method: str = "GET",
        path: str = "/",
        body: bytes = b"",
    ) -> Answer:
        """One request on a connection that may serve for others after it."""
        lines = [f"{method} {path} HTTP/1.1", f"host: {self.host}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers]
        writer.write("\r\n".join([*lines, "", ""]).encode() + body)
        first, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        length = next((int(field[15:]) for field in fields if field.lower().startswith("content-length:")), 0)
        return Answer(int(first.split()[1]), await reader.readexactly(length), time.monotonic())

    def ask(self, *headers: tuple[str, str], method: str = "GET", path: str = "/", body: bytes = b"", within: float = 30) -> Answer:
        """One request, from outside an event loop."""
        return asyncio.run(asyncio.wait_for(self.send(*headers, method=method, path=path, body=body), within))

    def crowd(self, number: int, within: float = 15) -> list[Answer]:
        """So many requests at once."""

        async def run() -> list[Answer]:
            async with asyncio.timeout(within):
                return await asyncio.gather(*(self.send() for _ in range(number)))

        return asyncio.run(run())

    async def call(self, message: bytes, within: float = 30) -> bytes:
        """A unary gRPC call."""
        options = [("grpc.default_authority", self.host), ("grpc.enable_retries", 0)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self.port}", options) as channel:
            answer: bytes = await channel.unary_unary("/echo.Echo/Say")(message, timeout=within)
            return answer

    async def talk(self, text: str) -> str:
        """A text sent on a WebSocket, and its echo."""
        where = f"ws://{self.host}/"
        async with connect(where, host="127.0.0.1", port=self.port, open_timeout=30, proxy=None, close_timeout=0.1) as connection:
            await connection.send(text)
            return str(await connection.recv())


class KeptConnections:
    """Connections of one visitor, each used again when its answer has come."""

    def __init__(self, visitor: Visitor) -> None:
        self._visitor = visitor
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, due: float | None = None) -> float:
        """One request; the milliseconds from when it was `due`, or from now, to its answer. Fails where that is not 200."""
        began = time.monotonic() if due is None else due
        connection = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self._visitor.port)
        answer = await self._visitor.on(*connection)
        assert answer.status == 200, answer
        self._idle.append(connection)
        return 1000 * (answer.at - began)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for _, writer in self._idle:
            writer.close()
