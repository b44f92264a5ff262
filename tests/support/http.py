"""A client of the HTTP port: HTTP/1.1 byte by byte, and HTTP/2 by the library that browsers' tests use."""

import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

import h2.config
import h2.connection
import h2.events
from h2.settings import SettingCodes

Fields = Sequence[tuple[str, str]]


@dataclass
class Answer:
    """What a server answered; `reset` is the code with which it reset an HTTP/2 stream."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    ended: bool = False
    reset: int | None = None
    #: Whether an HTTP/2 answer ended with its headers.
    bare: bool = False

    @property
    def is_cold(self) -> bool:
        """Whether a gateway's retry policy tries again."""
        return self.status == 503 and self.headers.get("x-wakequeue") == "cold"


def routed(revision: str = "hello", *more: tuple[str, str], namespace: str = "default") -> Fields:
    """The headers of a cold request, as the router sets them."""
    return (("host", "app.example"), ("knative-serving-namespace", namespace), ("knative-serving-revision", revision), *more)


class _Connection:
    def __init__(self, address: str, timeout: float = 10.0) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host.strip("[]"), int(port)), timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.socket.close()


def http1(method: str, target: str, fields: Fields, body: bytes = b"") -> bytes:
    """The bytes of a request; the length of its body is told where it has one."""
    fields = [*fields, *([("content-length", str(len(body)))] if body else [])]
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


class Http1(_Connection):
    """A connection on which requests may be sent ahead of their answers."""

    _data = b""

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self.socket.sendall(data)

    def ask(self, method: str, target: str, fields: Fields, body: bytes = b"") -> Answer:
        """Make one request, and return its answer."""
        self.send(http1(method, target, fields, body))
        return self.answer()

    def answer(self) -> Answer:
        """The next answer. Fails where the server ends the connection before."""
        while b"\r\n\r\n" not in self._data:
            self._more()
        head, _, self._data = self._data.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
        length = int(headers["content-length"])
        while len(self._data) < length:
            self._more()
        body, self._data = self._data[:length], self._data[length:]
        return Answer(int(line.split()[1]), headers, body, ended=True)

    def is_ended(self) -> bool:
        """Whether the server ends the connection, in good order, with nothing more to say."""
        return self._data == b"" and self.socket.recv(1) == b""

    def _more(self) -> None:
        data = self.socket.recv(65_536)
        assert data, f"the connection was ended after {self._data!r}"
        self._data += data


#: What is sent of a body at a time: as much as a frame may be.
FRAME: Final = 16_384


class Http2(_Connection):
    """A connection in h2c with prior knowledge; what comes of each request is in `answers`, by its stream.

    It takes `window` bytes of each answer's body.
    """

    def __init__(self, address: str, timeout: float = 10.0, window: int = 65_535) -> None:
        super().__init__(address, timeout)
        config = h2.config.H2Configuration(header_encoding="utf-8", validate_outbound_headers=False)
        self._connection = h2.connection.H2Connection(config)
        self.answers: dict[int, Answer] = {}
        self.ended = False
        self._connection.initiate_connection()
        self._connection.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        self._flush()

    def send(self, fields: Fields, *, more: bool = False, ahead: int = 0) -> int:
        """Begin a request, with so many pieces of its body, where there is `more` of it to come; return its stream."""
        stream = self._connection.get_next_available_stream_id()
        self.answers[stream] = Answer()
        self._connection.send_headers(stream, fields, end_stream=not more)
        for _ in range(ahead):
            self._connection.send_data(stream, b"x")
        self._flush()
        return stream

    def reset(self, stream: int) -> None:
        """Give a request up."""
        self._connection.reset_stream(stream)
        self._flush()

    def send_body(self, stream: int, length: int) -> int:
        """Send so many bytes of a request's body, or until the server resets it; return how many were sent."""
        sent = 0
        while sent < length and self.answers[stream].reset is None:
            room = min(FRAME, length - sent, self._connection.local_flow_control_window(stream))
            if room <= 0:
                self.read_once()
                continue
            self._connection.send_data(stream, b"x" * room)
            self._flush()
            sent += room
        return sent

    def ask(self, method: str, path: str, fields: Fields) -> Answer:
        """Make one request, and return its answer."""
        return self.answer(self.send(pseudo(method, path, fields)))

    def answer(self, stream: int) -> Answer:
        """The answer to a request, once it is whole. Fails where the server ends the connection before."""
        answer = self.answers[stream]
        while not answer.ended and answer.reset is None:
            assert not self.ended, f"the connection was ended before the answer: {answer}"
            self.read_once()
        return answer

    def until_ended(self) -> None:
        """Return once the server has ended the connection."""
        while not self.ended:
            self.read_once()

    def takes_extended_connects(self) -> bool:
        """Whether the server says so (RFC 8441, section 3)."""
        return bool(self._connection.remote_settings.get(SettingCodes.ENABLE_CONNECT_PROTOCOL))

    def read_once(self) -> bool:
        """Take in what comes next; says whether anything did."""
        data = self.socket.recv(65_536)
        self.ended = not data
        for event in self._connection.receive_data(data) if data else ():
            match event:
                case h2.events.ResponseReceived(stream_id=stream, headers=headers, stream_ended=ended):
                    self.answers[stream].bare = ended is not None
                    fields = dict(headers or ())
                    self.answers[stream].status = int(fields.pop(":status"))
                    self.answers[stream].headers = fields
                case h2.events.DataReceived(stream_id=stream, data=part):
                    self.answers[stream].body += part or b""
                case h2.events.StreamEnded(stream_id=stream):
                    self.answers[stream].ended = True
                case h2.events.StreamReset(stream_id=stream, error_code=code):
                    self.answers[stream].reset = int(code or 0)
        self._flush()
        return not self.ended

    def _flush(self) -> None:
        self.socket.sendall(self._connection.data_to_send())


def pseudo(method: str, path: str, fields: Fields) -> Fields:
    """The fields of a request in HTTP/2."""
    authority = next((value for name, value in fields if name == "host"), "app.example")
    rest = [(name, value) for name, value in fields if name != "host"]
    return [(":method", method), (":scheme", "http"), (":authority", authority), (":path", path), *rest]
