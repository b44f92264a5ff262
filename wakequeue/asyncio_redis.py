"""What redis-py's asyncio classes leave undone: to read certificates that were changed, to close connections to Sentinels."""

import os

from redis.asyncio import SSLConnection
from redis.asyncio.sentinel import SentinelConnectionPool, SentinelManagedConnection


class Tls(SSLConnection):
    """Reads its certificates again when their files have changed; redis-py's own keeps what it read first.

    It isn't for each connection, because to read the system's authorities takes a loop some 20 ms.
    """

    _read_at: tuple[int, ...] = ()

    async def connect(self) -> None:
        """Connect, unless it is connected."""
        context = self.ssl_context
        files = (context.ca_certs, context.certfile, context.keyfile)
        changed_at = tuple(os.stat(file).st_mtime_ns for file in files if file)  # noqa: PTH116  of several, and often
        if changed_at != self._read_at:
            self._read_at, context.context = changed_at, None
        await super().connect()  # type: ignore[no-untyped-call]


class SentinelTls(Tls, SentinelManagedConnection):
    """The same, to the primary that Sentinels name."""


class SentinelPool(SentinelConnectionPool):
    """Closes the connections to the Sentinels with those to the primary."""

    async def aclose(self) -> None:
        """Close all."""
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()
