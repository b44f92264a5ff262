"""A real WebSocket server in the Autoscaler's place, which remembers what it was told and can be hurt."""

import asyncio
import itertools
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from support.frames import Stat, read_protobuf
from support.listening import stop_accepting
from support.processes import free_port
from support.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Received:
    """One stat, and the Unix time at which its frame was read."""

    at: float
    stat: Stat


class StatServer:
    """Listens on a port that stays the same over `stop` and `start`.

    With a TLS context it is at `wss://`. A client without the `authorization` header, if there is one to have, is refused.
    """

    def __init__(
        self,
        read: Callable[[bytes | str], list[Stat]] = read_protobuf,
        *,
        tls: ssl.SSLContext | None = None,
        authorization: str = "",
        host: str = "127.0.0.1",
    ) -> None:
        self.port = free_port()
        self.url = f"{'wss' if tls else 'ws'}://{host}:{self.port}"
        self.tls, self.authorization, self._host = tls, authorization, host
        self.received: list[Received] = []
        self.frames: list[bytes | str] = []
        self.connections = 0
        self._read = read
        self._server: Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.start()

    def start(self) -> None:
        """Listen."""
        self._server = self._do(self._serve())

    def stop(self, code: int = 1012) -> None:
        """Close every connection with `code` (1012: service restart, as Knative's does), and listen no more."""
        assert self._server is not None
        self._do(self._close(self._server, code))
        self._server = None

    def requests(self) -> Counter[str]:
        """How many calls were reported, by Revision."""
        counts: Counter[str] = Counter()
        for one in list(self.received):
            counts[one.stat.key] += int(one.stat.requests)
        return counts

    def of(self, key: str) -> list[Received]:
        """What was received of one Revision."""
        return [one for one in list(self.received) if one.stat.key == key]

    def gaps_ms(self, key: str) -> list[int]:
        """How long after each report of a Revision the next was decided, by the ledger's clock, however late it came."""
        moments = [one.stat.decided_at_ms for one in self.of(key)]
        return [after - before for before, after in itertools.pairwise(moments)]

    def wait_for(self, key: str, reports: int = 1, within: float = 10.0) -> list[Received]:
        """The reports of one Revision, once there are so many."""
        return wait_until(lambda: len(self.of(key)) >= reports and self.of(key), within, f"{reports} reports of {key}")

    def wait_for_more(self, reports: int, within: float = 10.0) -> None:
        """Wait until so many reports came since this was called."""
        enough = len(self.received) + reports
        wait_until(lambda: len(self.received) >= enough, within, f"{reports} more reports")

    def close(self) -> None:
        """End."""
        if self._server is not None:
            self.stop(1001)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _do(self, coroutine: "asyncio.Coroutine[object, object, Server | None]") -> Server | None:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _serve(self) -> Server:
        return await serve(
            self._connected,
            self._host,
            self.port,
            compression=None,
            max_size=None,
            close_timeout=0.2,
            ssl=self.tls,
            process_request=self._admit,
        )

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if self.authorization in {"", request.headers.get("Authorization")}:
            return None
        return connection.respond(HTTPStatus.UNAUTHORIZED, "")

    @staticmethod
    async def _close(server: Server, code: int) -> None:
        await stop_accepting(server)
        server.close(close_connections=False)
        await asyncio.sleep(0)  # from then on it refuses whoever shakes hands
        await asyncio.gather(*(connection.close(code) for connection in list(server.connections)))
        await server.wait_closed()

    async def _connected(self, connection: ServerConnection) -> None:
        self.connections += 1
        try:
            async for frame in connection:
                self.frames.append(frame)
                self.received += [Received(time.time(), stat) for stat in self._read(frame)]
        except ConnectionClosed:
            pass
