"""A real TLS server in front of a Redis that has none built in: what it decrypts goes to the Redis, and back."""

import asyncio
import contextlib
import ssl
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from support.certificates import Pair
from support.listening import end_all, stop_accepting
from support.processes import free_port
from support.relay import connect_to


def server_tls(pair: Pair, *, clients: Path | None = None) -> ssl.SSLContext:
    """What a server shows; with `clients` it wants a certificate that this authority has signed."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=clients)
    context.load_cert_chain(pair.certificate, pair.key)
    if clients:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class TlsRelay:
    """Listens on a port of 127.0.0.1 and 127.0.0.2 that stays the same; relays to `target`, a socket's path or a port.

    `clients` is as for `server_tls`. `handshakes` counts those that succeeded.
    """

    def __init__(self, target: Path | int, pair: Pair, *, clients: Path | None = None) -> None:
        self.port = free_port()
        self.handshakes = 0
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda *_: None)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._do(self._serve(pair, clients))

    def change(self, pair: Pair, *, clients: Path | None = None) -> None:
        """Show another certificate, and want other ones, from now on; what was open is closed."""
        self._do(self._stop())
        self._server = self._do(self._serve(pair, clients))

    def close(self) -> None:
        """End."""
        self._do(self._stop())
        self._do(self._rest())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _do(self, coroutine: "asyncio.Coroutine[object, object, asyncio.Server]") -> asyncio.Server:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _serve(self, pair: Pair, clients: Path | None) -> asyncio.Server:
        tls = server_tls(pair, clients=clients)
        return await asyncio.start_server(self._relay, ("127.0.0.1", "127.0.0.2"), self.port, ssl=tls)

    async def _stop(self) -> asyncio.Server:
        await stop_accepting(self._server)
        self._server.close()
        for writer in self._open:
            with contextlib.suppress(AttributeError):  # CPython's, of a TLS transport that has just ended
                writer.transport.abort()
        return self._server

    async def _rest(self) -> asyncio.Server:
        """End what is in a handshake, or waits for its peer's farewell, and wait for what was being relayed."""
        await end_all()
        return self._server

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.handshakes += 1
        try:
            onwards = await connect_to(self._target)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, onwards[1]}
        self._open |= both
        await asyncio.gather(_copy(reader, onwards[1]), _copy(onwards[0], writer))
        self._open -= both


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
