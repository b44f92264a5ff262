"""HTTP/2 by hand, to send a server what no library would: frames as in RFC 9113, header fields as in RFC 7541, never compressed."""

import itertools
import socket
import struct
from collections.abc import Iterable, Sequence

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS = 1, 1, 4

#: The longest payload that a server takes unless it says otherwise.
MAX_FRAME = 16_384

Fields = Sequence[tuple[bytes, bytes]]


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame (RFC 9113, section 4.1)."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def header_block(fields: Fields) -> bytes:
    """Each field as a literal without indexing (RFC 7541, section 6.2.2)."""
    return b"".join(b"\0" + _string(name) + _string(value) for name, value in fields)


def call(stream: int, fields: Fields, body: bytes) -> bytes:
    """The frames of one whole request."""
    first, *rest = _cut(header_block(fields)) or [b""]
    frames = [frame(HEADERS, 0 if rest else END_HEADERS, stream, first)]
    frames += [frame(CONTINUATION, END_HEADERS if part is rest[-1] else 0, stream, part) for part in rest]
    return b"".join([*frames, frame(DATA, END_STREAM, stream, body)])


def calls(requests: Iterable[tuple[Fields, bytes]]) -> bytes:
    """A whole connection's bytes: the requests, and a ping after them."""
    frames = (call(stream, *one) for stream, one in zip(itertools.count(1, 2), requests))
    return PREFACE + frame(SETTINGS, 0, 0) + b"".join(frames) + frame(PING, 0, 0, b"all read")


def wait_read(connection: socket.socket) -> None:
    """Wait until the ping after the calls is answered, so that all were read, or until the server has ended the connection.

    Whether each call was ended isn't asked: gRPC leaves one without an authority, or with half a message, as it is.
    """
    for kind, flags, _, _ in _frames(connection):
        if kind == PING and flags & ACK:
            return


def throw(address: str, data: bytes, timeout: float = 10.0) -> None:
    """Send bytes, and wait until the server ends the connection. Fails where it doesn't within `timeout` seconds."""
    with _connect(address, timeout) as connection:
        _send(connection, data)
        try:
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass
        except TimeoutError as error:
            raise AssertionError(f"the connection was not ended after {data[:200]!r}") from error
        except OSError:
            return


def leave_open(address: str, data: bytes) -> socket.socket:
    """Send bytes, and nothing more; the caller closes the connection."""
    connection = _connect(address, 10.0)
    _send(connection, data)
    return connection


def _connect(address: str, timeout: float) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)), timeout)


def _send(connection: socket.socket, data: bytes) -> None:
    try:
        connection.sendall(data)
    except (BrokenPipeError, ConnectionResetError):
        return  # the server has ended it, which reading shows


def _frames(connection: socket.socket) -> Iterable[tuple[int, int, int, bytes]]:
    """Kind, flags, stream and payload of each frame that comes, until the server ends the connection."""
    data = b""
    while True:
        while len(data) >= 9 and len(data) >= 9 + (length := int.from_bytes(data[:3])):
            yield data[3], data[4], int.from_bytes(data[5:9]) & 0x7FFFFFFF, data[9 : 9 + length]
            data = data[9 + length :]
        try:
            more = connection.recv(65_536)
        except TimeoutError as error:
            raise AssertionError("the server neither answers a ping nor ends the connection") from error
        except OSError:
            return
        if not more:
            return
        data += more


def _cut(data: bytes) -> list[bytes]:
    return [data[start : start + MAX_FRAME] for start in range(0, len(data), MAX_FRAME)]


def _string(data: bytes) -> bytes:
    """A length in 7 bits and more (RFC 7541, section 5.1), and the octets themselves."""
    length = len(data)
    if length < 127:
        return bytes([length]) + data
    out, length = bytearray([127]), length - 127
    while length > 127:
        out.append(length & 0x7F | 0x80)
        length >>= 7
    out.append(length)
    return bytes(out) + data
