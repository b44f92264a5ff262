"""What hypercorn (0.18) leaves undone for a server that answers before it has read a body, and must not be ended by one request.

Many users' requests share one connection of a gateway. hypercorn ends a whole HTTP/2 connection where a body goes on after its
answer (github.com/pgjones/hypercorn issues 329 and 197), or where a path isn't ASCII; it holds bodies that nobody reads until the
connection stands still; it waits for ever for the first request of one, and to answer on one that has ended; it keeps one that its
client has closed for as long as one may be idle; it says 100 Continue before anyone asks for the body; and it hands WebSockets over
in another form. Here bodies are thrown away, and a WebSocket's request is one as any other: it is answered, and never upgraded.
"""

import contextlib
import dataclasses
from string import printable
from typing import Any, Final
from urllib.parse import quote

import h11
import hypercorn.protocol
import hypercorn.protocol.h2
import hypercorn.protocol.h11
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import RequestReceived
from h2.exceptions import ProtocolError, StreamClosedError
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.events import Closed, Updated
from hypercorn.events import Event as ConnectionEvent
from hypercorn.protocol.events import Body, Event, Request, Response
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.http_stream import HTTPStream

#: What a request's method becomes that isn't ASCII, or is that of an extended CONNECT (RFC 8441), which stands for a GET.
METHODS: Final = {b"CONNECT": b"GET"}

#: The header of an answer without a body.
EMPTY: Final = (b"content-length", b"0")


class Server(TCPServer):
    """One connection, which is over once its client has gone."""

    _gone = False

    async def protocol_send(self, event: ConnectionEvent) -> None:
        """Send something, or take note that nothing is going on."""
        if not (self._gone and isinstance(event, Updated)):
            await super().protocol_send(event)

    async def _read_data(self) -> None:
        await super()._read_data()
        self._gone = True
        await self.idle_task.stop()

    async def _close(self) -> None:
        with contextlib.suppress(OSError):  # of a client that has reset it
            await super()._close()


class Stream(HTTPStream):
    """A request without its body, of which only the end is told."""

    async def handle(self, event: Event) -> None:
        """Take note of what was received."""
        if isinstance(event, Body):
            return
        if isinstance(event, Request):
            event = dataclasses.replace(event, raw_path=_ascii(event.raw_path))
        await super().handle(event)


class Http1(H11Protocol):
    """HTTP/1.1, which a request can't leave."""

    def __init__(self, *args: Any) -> None:  # noqa: ANN401  the base class's
        super().__init__(*args)
        self.connection = _NeverContinue(h11.SERVER, max_incomplete_event_size=self.config.h11_max_incomplete_size)

    async def _check_protocol(self, event: h11.Request) -> None:
        await super()._check_protocol(_without_upgrade(event))

    async def _create_stream(self, request: h11.Request) -> None:
        await super()._create_stream(_without_upgrade(request))


class Http2(H2Protocol):
    """HTTP/2, of which one request doesn't end the others."""

    def __init__(self, *args: Any) -> None:  # noqa: ANN401  as above
        super().__init__(*args)
        self.streams = _Streams(self.connection)

    async def initiate(self, *args: Any) -> None:  # noqa: ANN401  as above
        """Begin, with nothing to do: what said that this is HTTP/2 was no request."""
        await super().initiate(*args)
        await self.send(Updated(idle=True))

    async def handle(self, event: ConnectionEvent) -> None:
        """Take note of what was received; whoever still answers when the connection has ended waits for nobody."""
        await super().handle(event)
        if isinstance(event, Closed):
            for buffer in self.stream_buffers.values():
                await buffer.close()

    async def stream_send(self, event: Event) -> None:
        """Send a part of an answer; one without a body ends with its headers, for a gateway would reset it otherwise."""
        stream_id = event.stream_id
        if not isinstance(event, Response) or EMPTY not in event.headers or stream_id not in self.stream_buffers:
            await super().stream_send(event)
            return
        del self.stream_buffers[stream_id]
        self.priority.remove_stream(stream_id)
        fields = [(b":status", b"%d" % event.status_code), *event.headers, *self.config.response_headers("h2")]
        with contextlib.suppress(ProtocolError):
            self.connection.send_headers(stream_id, fields, end_stream=True)
            await self._flush()

    async def _create_stream(self, request: RequestReceived) -> None:
        fields = dict(request.headers)
        method = fields[b":method"] if fields[b":method"].isascii() else b"?"
        fields = {b":method": METHODS.get(method, method), b":path": fields.get(b":path", b"/")}
        others = [(name, value) for name, value in request.headers if name not in fields]
        await super()._create_stream(RequestReceived(stream_id=request.stream_id, headers=[*fields.items(), *others]))


class _NeverContinue(h11.Connection):
    @property
    def they_are_waiting_for_100_continue(self) -> bool:
        return False


class _Streams(dict[int, Any]):
    """The requests of one connection that aren't answered; of another one, what still comes is thrown away."""

    def __init__(self, connection: H2Connection) -> None:
        super().__init__()
        self._connection = connection

    def __missing__(self, stream_id: int) -> "_Answered":
        return _Answered(self._connection, stream_id)


class _Answered:
    def __init__(self, connection: H2Connection, stream_id: int) -> None:
        self._connection, self._stream_id = connection, stream_id

    async def handle(self, event: Event) -> None:
        """Tell the client of a body that it needs to send no more of it (RFC 9113, section 8.1)."""
        if isinstance(event, Body):
            # It may have been told already, and have sent this before it heard of it.
            with contextlib.suppress(StreamClosedError):
                self._connection.reset_stream(self._stream_id, ErrorCodes.NO_ERROR)


def _ascii(path: bytes) -> bytes:
    return path if path.isascii() else quote(path, safe=printable).encode()


def _without_upgrade(request: h11.Request) -> h11.Request:
    if not any(name == b"upgrade" for name, _ in request.headers):
        return request
    headers = [(name, value) for name, value in request.headers if name != b"upgrade"]
    return h11.Request(method=request.method, target=request.target, headers=headers, http_version=request.http_version)


for _module, _name, _own in (
    (hypercorn.protocol, "H11Protocol", Http1),
    (hypercorn.protocol, "H2Protocol", Http2),
    (hypercorn.protocol.h11, "HTTPStream", Stream),
    (hypercorn.protocol.h2, "HTTPStream", Stream),
):
    setattr(_module, _name, _own)
