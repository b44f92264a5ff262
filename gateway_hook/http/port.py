"""The HTTP port: connections in HTTP/1.1 and h2c at one address, until the front is told to stop."""

import asyncio
import logging
import sys
from typing import Final

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config

from gateway_hook.hook import Hook
from gateway_hook.http.app import App
from gateway_hook.http.connections import Server
from gateway_hook.quiet import until_quiet
from wakequeue.errors import CannotStart
from wakequeue.events import Bounded, Event
from wakequeue.settings import Settings

#: The most bytes of one request's headers: a little more than Envoy lets through, 60 KiB, unless it is told otherwise.
HEADER_BYTES: Final = 1 << 16

#: How many requests one h2c connection may have in flight; more wait at the gateway. hypercorn's tree of priorities holds 1,000.
IN_FLIGHT: Final = 512

#: How long a connection may be idle, or may take to send a request's headers.
IDLE_SECONDS: Final = 60.0

#: Connections that wait to be accepted: a burst of cold requests comes on one each, over HTTP/1.1.
BACKLOG: Final = 1_024


class HttpPort:
    """Serves a hook at `http_address`. Raises SettingsError where tokens can't be used."""

    def __init__(self, hook: Hook, settings: Settings) -> None:
        self._hook, self._address = hook, settings.http_address
        self._draining = asyncio.Event()
        self._app = ASGIWrapper(App(hook, settings, self._draining))
        self._context, self._config = WorkerContext(None), _config()
        self._connections: set[asyncio.Task[None]] = set()
        self._failed = Bounded(Event.CALL_FAILED)

    async def open(self) -> None:
        """Listen, and answer. Raises CannotStart where the address is taken."""
        host, port = self._address.host, self._address.port
        try:
            self._server = await asyncio.start_server(self._connected, host, port, backlog=BACKLOG)
        except OSError as error:
            msg = f"can't listen on {self._address} (WAKEQUEUE_HTTP_ADDRESS): {error.strerror}"
            raise CannotStart(msg) from error

    async def close(self, within: float) -> None:
        """Say that it closes, go on answering while calls arrive, then end, all within so many seconds."""
        loop = asyncio.get_running_loop()
        closed_at = loop.time() + within
        self._draining.set()
        await until_quiet(self._hook, within / 2)
        self._server.close()
        await self._context.terminated.set()
        if self._connections:
            await asyncio.wait(self._connections, timeout=closed_at - loop.time())
        for connection in self._connections:
            connection.cancel()

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: asyncio would log the cancelling of its.
        connection = asyncio.create_task(self._serve(reader, writer))
        self._connections.add(connection)
        connection.add_done_callback(self._connections.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await Server(self._app, asyncio.get_running_loop(), self._config, self._context, {}, reader, writer)
        except Exception as error:  # noqa: BLE001  a client's rubbish ends its own connection
            self._failed.warning(protocol="http", error=repr(error))


def _config() -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = logging.getLogger("hypercorn.error")
    config.include_server_header = False
    config.h11_max_incomplete_size = config.h2_max_header_list_size = HEADER_BYTES
    config.h2_max_concurrent_streams = IN_FLIGHT
    config.keep_alive_timeout = IDLE_SECONDS
    # Beyond it, hypercorn leaves the requests that an h2c connection has in flight without an answer.
    config.keep_alive_max_requests = sys.maxsize
    return config
