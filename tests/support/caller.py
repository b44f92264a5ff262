"""A caller of a front that asks who it is: with certificates, tokens and whatever else it likes to send."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc

from support.certificates import Pair
from support.mixer import METHOD, Answer, read_answer, request

HELLO = request(b"default", b"hello")


@dataclass(frozen=True, slots=True)
class Caller:
    """Reaches a front at `address`: plainly without `ca`, else by TLS, with the certificate `pair` if it has one.

    A call fails that isn't answered `within` so many seconds.
    """

    address: str
    ca: Path | None = None
    pair: Pair | None = None
    token: str | None = None
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    within: float = 10.0

    def but(self, **changes: Any) -> "Caller":  # noqa: ANN401  any field
        """Another caller that differs in these fields."""
        return replace(self, **changes)

    def channel(self) -> grpc.aio.Channel:
        """A connection of its own, on the running event loop."""
        options = [("grpc.use_local_subchannel_pool", 1), *self.options.items()]
        if self.ca is None:
            return grpc.aio.insecure_channel(self.address, options)
        key = self.pair.key.read_bytes() if self.pair else None
        certificate = self.pair.certificate.read_bytes() if self.pair else None
        return grpc.aio.secure_channel(self.address, grpc.ssl_channel_credentials(self.ca.read_bytes(), key, certificate), options)

    async def ask(self, channel: grpc.aio.Channel, data: bytes = HELLO, method: str = METHOD) -> bytes | grpc.StatusCode:
        """Make one call on a connection, and return its answer, or how it failed."""
        bearer = (("authorization", f"Bearer {self.token}"),) if self.token is not None else ()
        try:
            answer: bytes = await channel.unary_unary(method)(data, timeout=self.within, metadata=(*self.metadata, *bearer))
        except grpc.aio.AioRpcError as error:
            return error.code()
        return answer

    def call(self, data: bytes = HELLO, method: str = METHOD) -> bytes | grpc.StatusCode:
        """Make one call on a connection of its own, and return its answer, or how it failed."""

        async def run() -> bytes | grpc.StatusCode:
            async with self.channel() as channel:
                return await self.ask(channel, data, method)

        return asyncio.run(run())

    def check(self, requests: Sequence[bytes] = (HELLO,)) -> list[Answer | grpc.StatusCode]:
        """Make checks at once, on one connection, and return the answer of each, or how it failed."""

        async def run() -> list[bytes | grpc.StatusCode]:
            async with self.channel() as channel:
                return await asyncio.gather(*(self.ask(channel, data) for data in requests))

        return [answer if isinstance(answer, grpc.StatusCode) else read_answer(answer) for answer in asyncio.run(run())]
