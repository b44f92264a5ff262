"""Bad input for a front, by a grammar: what Mixer or a stranger could send, broken in each way that there is.

The same seed gives the same input. None of it names a Revision: every name in it is a run of underscores, or no text at all, and
few bits of it are changed, so that what is left of a name stays none. Paths are ASCII: any other has a fault of its own.
"""

import random
import struct
from collections.abc import Callable

from support.http2 import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    PRIORITY,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    Fields,
    frame,
)
from support.mixer import METHOD, field, request, varint


class Fuzz:
    """Makes bodies, calls and the bytes of whole connections."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def body(self) -> bytes:
        """A request message, broken."""
        return self._random.choice(self._BODIES)(self)

    def call(self) -> tuple[Fields, bytes]:
        """The header fields and the data of a gRPC call, of which something is wrong."""
        random = self._random
        fields = {
            b":method": b"POST",
            b":scheme": b"http",
            b":path": METHOD.encode(),
            b":authority": b"front",
            b"content-type": b"application/grpc",
            b"te": b"trailers",
        }
        more: list[tuple[bytes, bytes]] = []
        data = self._message(self.body() if random.random() < 0.5 else self._whole())
        match random.choice(("path", "method", "type", "timeout", "encoding", "metadata", "missing", "twice", "framing")):
            case "path":
                fields[b":path"] = self._path()
            case "method":
                fields[b":method"] = random.choice((b"GET", b"PUT", b"post", b"", b"OPTIONS", self._bytes(20)))
            case "type":
                types = (b"text/plain", b"application/grpc+json", b"application/grpcx", b"application/json", b"", self._bytes(20))
                fields[b"content-type"] = random.choice(types)
            case "timeout":
                values = (b"", b"1", b"S", b"-1S", b"1X", b"0n", b"99999999999S", b"99999999H", b"1S1S", b"1.5S", self._bytes(9))
                more.append((b"grpc-timeout", random.choice(values)))
            case "encoding":
                more.append((b"grpc-encoding", random.choice((b"gzip", b"deflate", b"identity", b"bogus", self._bytes(9)))))
                data = bytes([random.choice((0, 1, 2, 255))]) + data[1:]
            case "metadata":
                more = [self._metadatum() for _ in range(random.choice((1, 3, 300)))]
            case "missing":
                del fields[random.choice(list(fields))]
            case "twice":
                more = [(name := random.choice(list(fields)), self._ascii(9) if name == b":path" else self._bytes(9))]
            case "framing":
                data = self._framing(data)
        return [*fields.items(), *more], data

    def connection(self) -> bytes:
        """What a connection could bring instead of HTTP/2, or with it and against its rules."""
        random = self._random
        start = PREFACE + frame(SETTINGS, 0, 0)
        return random.choice(
            (
                lambda: self._bytes(500),
                lambda: b"GET / HTTP/1.1\r\nHost: front\r\n\r\n",
                lambda: b"\x16\x03\x01" + self._bytes(200),
                lambda: PREFACE[: random.randrange(len(PREFACE))],
                lambda: PREFACE + self._bytes(500),
                lambda: start + b"".join(self._frame() for _ in range(random.randrange(1, 20))),
                lambda: start + frame(HEADERS, END_HEADERS, 1, self._bytes(100)),
                lambda: start + frame(HEADERS, 0, 1, b"\0\x01a\x01b") + frame(DATA, 0, 1, b"x"),
                lambda: start + frame(CONTINUATION, END_HEADERS, 1),
                lambda: start + frame(SETTINGS, ACK, 0, b"x") + frame(SETTINGS, 0, 0, self._bytes(12)),
                lambda: start + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", random.choice((0, 2**31 - 1, 2**31)))) * 2,
                lambda: start + frame(GOAWAY, 0, 0, self._bytes(8)) + frame(PUSH_PROMISE, 0, 1, self._bytes(8)),
                lambda: start + struct.pack(">I", 2**24 - 1)[1:] + b"\0\0\0\0\0\x01" + self._bytes(100),
            )
        )()

    def _frame(self) -> bytes:
        random = self._random
        kinds = (DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION, 77)
        return frame(random.choice(kinds), random.randrange(256), random.choice((0, 1, 2, 3, 2**31 - 1)), self._bytes(40))

    def _bytes(self, at_most: int) -> bytes:
        return self._random.randbytes(self._random.randrange(at_most + 1))

    def _ascii(self, at_most: int) -> bytes:
        return bytes(byte & 0x7F for byte in self._bytes(at_most))

    def _name(self) -> bytes:
        return b"_" * self._random.randrange(12, 30)

    def _whole(self) -> bytes:
        """A message that can be read, and whose every text is no name."""
        properties = {b"_" * number: self._name() for number in range(9, 9 + self._random.randrange(4))}
        action = field(1, self._name()) + field(2, self._name()) + field(3, self._name()) + field(4, self._name())
        entries = b"".join(field(5, field(1, key) + field(2, field(1, value))) for key, value in properties.items())
        return field(1, field(72295727, self._name()) + field(2, action + entries))

    def _truncated(self) -> bytes:
        whole = self._whole()
        return whole[: self._random.randrange(len(whole))]

    def _flipped(self) -> bytes:
        whole = bytearray(self._whole())
        for _ in range(self._random.randrange(1, 4)):
            whole[self._random.randrange(len(whole))] ^= 1 << self._random.randrange(8)
        return bytes(whole)

    def _over_long(self) -> bytes:
        """A length or a tag in more bytes than it needs, or than a number may have."""
        payload = field(2, field(1, self._name()) + field(2, self._name()))
        return b"\x0a" + _over_long(len(payload), self._random.randrange(2, 14)) + payload

    def _huge_length(self) -> bytes:
        length = self._random.choice((2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**63 - 1, 2**63, 2**64 - 1))
        return self._truncated() + b"\x0a" + varint(length) + self._name()

    def _nested(self) -> bytes:
        """Messages in messages, or groups in groups, deeper than a parser goes."""
        depth = self._random.choice((10, 99, 100, 101, 500, 5_000))
        number = self._random.choice((1, 2, 5, 77))
        if self._random.random() < 0.5:
            return varint(number << 3 | 3) * depth + varint(number << 3 | 4) * self._random.choice((0, depth, depth + 1))
        nested = self._name()
        for _ in range(min(depth, 500)):
            nested = field(number, nested)
        return nested

    def _wrong_types(self) -> bytes:
        """Known fields with other wire types: those of numbers, those of groups, and the two that don't exist."""
        inner = b""
        for _ in range(self._random.randrange(1, 9)):
            kind = self._random.randrange(8)
            payload = {0: varint(self._random.getrandbits(64)), 1: b"_" * 8, 2: b"\x0c" + b"_" * 12, 5: b"_" * 4}
            inner += varint(self._random.choice((1, 2, 3, 4, 5, 72295727)) << 3 | kind) + payload.get(kind, b"")
        return field(1, field(2, inner)) if self._random.random() < 0.5 else inner

    def _no_text(self) -> bytes:
        return request(
            b"\xff" + self._bytes(20), b"\xfe" + self._bytes(20), path=self._bytes(50), properties={b"\xfd": self._bytes(9)}
        )

    def _groups(self) -> bytes:
        group = b"\x0b" + self._whole() + self._random.choice((b"\x0c", b"\x14", b""))
        return group * self._random.randrange(1, 4)

    def _duplicates(self) -> bytes:
        return self._whole() * self._random.choice((2, 10, 100))

    def _nothing(self) -> bytes:
        return self._random.choice(
            (b"", b"\0", b"\x0a\0", b"\x0a\x02\x12\0", self._random.randbytes(self._random.randrange(1, 300)))
        )

    _BODIES: tuple[Callable[["Fuzz"], bytes], ...] = (
        _truncated,
        _flipped,
        _over_long,
        _huge_length,
        _nested,
        _wrong_types,
        _no_text,
        _groups,
        _duplicates,
        _nothing,
        _whole,
    )

    def _path(self) -> bytes:
        wrong = (
            "/",
            "",
            "//",
            METHOD + "x",
            METHOD[:-5],
            METHOD.upper(),
            "/grpc.health.v1.Health/Check",
            "/grpc.health.v1.Health/No",
        )
        return self._random.choice((*(path.encode() for path in wrong), METHOD.encode() + self._ascii(9), self._ascii(4_000)))

    def _metadatum(self) -> tuple[bytes, bytes]:
        names = (b"x-odd", b"X-Upper", b"with space", b"", b":pseudo", b"grpc-internal", b"x-bin", b"grpc-status", self._bytes(20))
        values = (b"", b"value", b"\r\n", b"\0", b"!!not base64!!", self._bytes(40), b"v" * 200, b"v" * 9_000)
        return self._random.choice(names), self._random.choice(values)

    @staticmethod
    def _message(body: bytes) -> bytes:
        """A gRPC message: a flag, a length, the body."""
        return struct.pack(">BI", 0, len(body)) + body

    def _framing(self, data: bytes) -> bytes:
        length = self._random.choice((0, 1, len(data), 2**20, 2**20 + 1, 2**32 - 1))
        return self._random.choice(
            (b"", data[:4], data[:-1], data + data, data + b"x", data[:1] + struct.pack(">I", length) + data[5:], self._bytes(60))
        )


def _over_long(number: int, size: int) -> bytes:
    """A number in `size` bytes, of which ten are too many."""
    low = [number >> 7 * place & 0x7F for place in range(size)]
    return bytes([*(part | 0x80 for part in low[:-1]), low[-1]])
