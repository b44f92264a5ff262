"""An application behind a gateway: on one port, HTTP/1.1, WebSockets, and gRPC. It echoes what it gets. As a command: PORT."""

import asyncio
import re
import sys
from collections import defaultdict

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, StreamEnded
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol

#: What a client of HTTP/2 says first (RFC 9113, section 3.4); nothing else begins with its first bytes.
PREFACE = b"PRI * HTTP/2.0"


class Http1:
    """Answers each request 200, with its own body."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._data = transport, b""

    def between(self) -> bool:
        """Whether a request is over, and none has begun: the next may be another protocol's."""
        return not self._data

    def receive(self, data: bytes) -> None:
        """Answer the requests that are whole."""
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, rest = self._data.partition(b"\r\n\r\n")
            found = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
            length = int(found[1]) if found else 0
            if len(rest) < length:
                return
            self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (length, rest[:length]))
            self._data = rest[length:]


class Http2:
    """Answers each request 200, with its own body, and as gRPC ends well."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._connection = H2Connection(H2Configuration(client_side=False))
        self._connection.initiate_connection()
        self._bodies: defaultdict[int, bytes] = defaultdict(bytes)

    def receive(self, data: bytes) -> None:
        """Answer the requests that are whole."""
        for event in self._connection.receive_data(data):
            if isinstance(event, DataReceived):
                self._bodies[event.stream_id] += event.data
                self._connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, StreamEnded):
                stream = event.stream_id
                self._connection.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
                self._connection.send_data(stream, self._bodies.pop(stream, b""))
                self._connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)
        self._transport.write(self._connection.data_to_send())


class WebSocket:
    """Sends back each text."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._protocol = transport, ServerProtocol()

    def receive(self, data: bytes) -> None:
        """Open the connection, or answer its frames."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._protocol.send_response(self._protocol.accept(event))
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self._protocol.send_text(event.data)
        for part in self._protocol.data_to_send():
            if part:
                self._transport.write(part)
        if self._protocol.close_expected():
            self._transport.close()


class Connection(asyncio.Protocol):
    """Speaks what its first bytes speak, until a WebSocket takes it over; Envoy sends the head of a request at once."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first bytes."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._speaks: Http1 | Http2 | WebSocket | None = None

    def data_received(self, data: bytes) -> None:
        """Choose by a request's first bytes, and hand on all."""
        if self._speaks is None or (isinstance(self._speaks, Http1) and self._speaks.between()):
            upgrade = b"upgrade: websocket" in data.lower()
            self._speaks = (Http2 if data.startswith(PREFACE) else WebSocket if upgrade else Http1)(self._transport)
        self._speaks.receive(data)


async def main(port: int) -> None:
    """Listen until the process ends."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", port)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
