"""What redis-py's asyncio classes leave undone.

They write commands in Python, argument by argument, where its others have hiredis do it: a commit of many Revisions has thousands.
They know what asyncio's own transports raise, and not uvloop's.
They go on with certificates that were changed, and leave connections to Sentinels open.
"""

import os
from collections.abc import Iterable

from hiredis import pack_command
from redis.asyncio import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.sentinel import SentinelConnectionPool, SentinelManagedConnection
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import DataError
from redis.typing import EncodableT


class Packed(AbstractConnection):
    """Has hiredis write its commands, and sends them on any event loop."""

    def pack_command(self, *args: EncodableT) -> list[bytes]:
        """A command as it is sent."""
        # A command of two words, such as CLIENT SETINFO, is in one.
        words = str(args[0]).encode().split()
        try:
            return [pack_command((*words, *args[1:]))]  # type: ignore[arg-type]  # its types know no tuple of many
        except TypeError as error:
            raise DataError(str(error)) from error

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:  # noqa: FBT001, FBT002  redis-py's signature
        """Send it. Raises redis-py's errors; uvloop's transports, of one that the other side has reset, a RuntimeError."""
        try:
            await super().send_packed_command(command, check_health)
        except RuntimeError as error:
            raise RedisConnectionError(str(error)) from error


class Plain(Packed, Connection):
    """By an address."""


class Socket(Packed, UnixDomainSocketConnection):
    """By a socket."""


class Tls(Packed, SSLConnection):
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


class Sentinel(Packed, SentinelManagedConnection):
    """To the primary that Sentinels name."""


class SentinelTls(Tls, SentinelManagedConnection):
    """The same with TLS."""


class SentinelPool(SentinelConnectionPool):
    """Closes the connections to the Sentinels with those to the primary."""

    async def aclose(self) -> None:
        """Close all."""
        await super().aclose()
        for sentinel in self.sentinel_manager.sentinels:
            await sentinel.aclose()
