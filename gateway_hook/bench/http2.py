"""HTTP/2 as far as a caller needs it that makes many calls alike: their frames, written once and read fast. Pure.

gRPC's own clients cost more than the server that they call, and would measure themselves. Frames are as RFC 9113 has them, header
fields as RFC 7541; the answer to a call is gRPC's (grpc/doc/PROTOCOL-HTTP2.md).
"""

import struct
from collections.abc import Iterable
from enum import IntEnum
from typing import Final, NamedTuple

from hpack import Decoder, Encoder, HPACKError

from wakequeue.errors import NoFigure


class Kind(IntEnum):
    """The kinds of frame (RFC 9113, section 6)."""

    DATA = 0
    HEADERS = 1
    RST_STREAM = 3
    SETTINGS = 4
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9


#: Flags: the last frame of a stream or, of a ping or of settings, an acknowledgement; the last frame of header fields.
END_STREAM: Final = 1
ACK: Final = 1
END_HEADERS: Final = 4

#: Fields of header frames that are there with these flags: the length of a padding, and a priority of 5 bytes.
PADDED_OR_PRIORITY: Final = 0x28

HEAD: Final = struct.Struct(">HBBBI")
SETTING: Final = struct.Struct(">HI")
MAX_CONCURRENT_STREAMS: Final = 3

#: How many calls a server takes at once that doesn't say so (section 6.5.2), and the largest frame that a peer may send unless it
#: is told that it may send larger ones (section 4.2).
UNLIMITED: Final = (1 << 31) - 1
LARGEST_FRAME: Final = 1 << 14

#: A reserved bit stands before a stream's number (section 4.1).
STREAM: Final = (1 << 31) - 1

#: Header fields that begin with such a byte first change the size of the table that both sides keep (RFC 7541, section 6.3).
RESIZES: Final = range(0x20, 0x40)

#: What a peer may send before it is told to go on, unless it is told more, and the most that it may be told (section 6.9).
WINDOW: Final = 65_535
LARGEST_WINDOW: Final = (1 << 31) - 1

Fields = Iterable[tuple[str, str]]


def frame(kind: Kind, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame (RFC 9113, section 4.1)."""
    size = len(payload)
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def opening() -> bytes:
    """What a client says first: that it wants no pushes, and that a server may send as much as it likes."""
    settings = frame(Kind.SETTINGS, 0, 0, SETTING.pack(2, 0))
    return (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + frame(Kind.WINDOW_UPDATE, 0, 0, struct.pack(">I", LARGEST_WINDOW - WINDOW))
    )


def message(data: bytes) -> bytes:
    """A gRPC message, not compressed, as the only one of its stream."""
    return b"\0" + struct.pack(">I", len(data)) + data


class Writer:
    """Writes the calls of one connection, all with the same header fields."""

    def __init__(self, fields: Fields) -> None:
        encoder, fields = Encoder(), list(fields)
        #: The first call teaches the server the fields, each later one names them by their places.
        self._first, self._later = encoder.encode(fields), encoder.encode(fields)
        self._streams = 1

    def call(self, data: bytes) -> tuple[int, bytes]:
        """The stream of one more call with this message, and its frames."""
        stream, self._streams = self._streams, self._streams + 2
        block = self._first if stream == 1 else self._later
        body = message(data)
        return stream, frame(Kind.HEADERS, END_HEADERS, stream, block) + frame(Kind.DATA, END_STREAM, stream, body)


class Answer(NamedTuple):
    """How a call ended: gRPC's status, `0` where it is well; another word where the stream ended without one."""

    stream: int
    status: str


class Reader:
    """Reads what one server sends."""

    def __init__(self) -> None:
        self._rest, self._decoder = b"", Decoder()
        self._known: dict[bytes, str] = {}
        #: Whether the server has said how it is to be spoken to, which is the first that it says.
        self.greeted = False
        #: How many calls the server takes at once, and how many bytes more it takes of all.
        self.most_streams, self.window = 0, WINDOW

    def read(self, data: bytes) -> tuple[list[Answer], bytes]:
        """The calls that ended with these bytes, and what is to be said to the server. Raises NoFigure where it gives up."""
        data, at = self._rest + data, 0
        answers: list[Answer] = []
        replies = b""
        while len(data) - at >= HEAD.size:
            high, low, kind, flags, stream = HEAD.unpack_from(data, at)
            size, stream = high << 8 | low, stream & STREAM
            if size > LARGEST_FRAME or not (self.greeted or kind == Kind.SETTINGS):
                raise _not_grpc()
            end = at + HEAD.size + size
            if end > len(data):
                break
            if kind == Kind.HEADERS:
                status = self._status(data[at + HEAD.size : end], flags)
                if flags & END_STREAM:
                    answers.append(Answer(stream, status))
            elif kind == Kind.RST_STREAM:
                answers.append(Answer(stream, "reset"))
            elif kind != Kind.DATA:
                replies += self._told(kind, flags, stream, data[at + HEAD.size : end])
            elif flags & END_STREAM:
                answers.append(Answer(stream, "none"))
            at = end
        self._rest = data[at:]
        return answers, replies

    def _status(self, block: bytes, flags: int) -> str:
        if flags & PADDED_OR_PRIORITY or not flags & END_HEADERS:
            raise _not_grpc()
        status = self._known.get(block)
        if status is None:
            newest = self._newest()
            try:
                fields = self._decoder.decode(block)
            except HPACKError as error:
                raise _not_grpc() from error
            status = next((str(value) for name, value in fields if str(name) == "grpc-status"), "none")
            # The same bytes mean the same until the table changes that both sides keep (RFC 7541, section 2.3.2).
            if self._newest() is newest and not (block and block[0] in RESIZES):
                self._known[block] = status
            else:
                self._known.clear()
        return status

    def _newest(self) -> object:
        entries = self._decoder.header_table.dynamic_entries
        return entries[0] if entries else None

    def _told(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        """What there is to say to a frame that is of no call."""
        if kind == Kind.SETTINGS and not flags & ACK:
            if len(payload) % SETTING.size:
                raise _not_grpc()
            before = self.most_streams if self.greeted else UNLIMITED
            self.greeted, self.most_streams = True, dict(SETTING.iter_unpack(payload)).get(MAX_CONCURRENT_STREAMS, before)
            return frame(Kind.SETTINGS, ACK, 0)
        if kind == Kind.PING and not flags & ACK:
            return frame(Kind.PING, ACK, 0, payload)
        if kind == Kind.WINDOW_UPDATE and stream == 0:
            self.window += int.from_bytes(payload) & LARGEST_WINDOW
        if kind == Kind.GOAWAY:
            msg = f"the front has ended the connection: {payload[8:].decode(errors='replace') or 'GOAWAY'}"
            raise NoFigure(msg)
        return b""


def _not_grpc() -> NoFigure:
    return NoFigure("what answers there is no gRPC server: is it another port, or a proxy in between?")
