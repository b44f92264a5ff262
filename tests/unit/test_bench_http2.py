"""HTTP/2 of the load generator: against the hpack library, against what gRPC's own server sends, and whatever else may come."""

import socket
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import grpc
import pytest
from hpack import Decoder, Encoder
from hypothesis import given
from hypothesis import strategies as st
from support.processes import free_port

from gateway_hook.bench.http2 import (
    ACK,
    END_HEADERS,
    END_STREAM,
    LARGEST_FRAME,
    UNLIMITED,
    WINDOW,
    Answer,
    Kind,
    Reader,
    Writer,
    frame,
    message,
    opening,
)
from wakequeue.errors import NoFigure

FIELDS = [(":method", "POST"), (":scheme", "http"), (":path", "/a.B/C"), ("te", "trailers"), ("authorization", "Bearer hunter2")]
GREETING = frame(Kind.SETTINGS, 0, 0)
OK, FAILED = [("grpc-status", "0")], [("grpc-status", "14"), ("grpc-message", "away")]


def greeted() -> Reader:
    """A reader whose server has said how it is to be spoken to."""
    reader = Reader()
    reader.read(GREETING)
    return reader


def trailers(stream: int, block: bytes, flags: int = 0) -> bytes:
    """The last header fields of a stream."""
    return frame(Kind.HEADERS, END_HEADERS | END_STREAM | flags, stream, block)


def split(data: bytes) -> Iterator[tuple[int, bytes, bytes, int]]:
    """The frames of some bytes: stream, kind, payload, flags."""
    while data:
        size = int.from_bytes(data[:3])
        yield int.from_bytes(data[5:9]), data[3:4], data[9 : 9 + size], data[4]
        data = data[9 + size :]


# What is written.


def test_what_is_written_is_what_hpack_reads() -> None:
    """Each call's fields are all there, in the first one and in those that name them by their places; streams are odd and grow."""
    writer, decoder = Writer(FIELDS), Decoder()
    for number in range(3):
        stream, data = writer.call(b"hello")
        assert stream == 2 * number + 1
        (head, body) = split(data)
        assert head[:2] == (stream, bytes([Kind.HEADERS]))
        assert decoder.decode(head[2]) == FIELDS
        assert head[3] == END_HEADERS
        assert body == (stream, bytes([Kind.DATA]), b"\0\0\0\0\5hello", END_STREAM)


def test_a_message_says_its_length() -> None:
    """Not compressed, then four bytes, then the message."""
    assert message(b"x" * 300) == b"\0" + struct.pack(">I", 300) + b"x" * 300


# What gRPC's own server sends.


@pytest.fixture(scope="module")
def sent() -> tuple[list[Answer], bytes]:
    """Answers to twenty calls, every fifth of which fails, as the bytes that gRPC's server sent."""

    def answer(data: bytes, context: grpc.ServicerContext) -> bytes:
        if data == b"fail":
            context.abort(grpc.StatusCode.UNAVAILABLE, "away, at the café")
        return data

    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(answer)
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("a.B", {"C": handler})])
    port = free_port()
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    received, writer, reader = b"", Writer([*FIELDS, (":authority", "x"), ("content-type", "application/grpc")]), Reader()
    answers: list[Answer] = []
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(opening())
        for number in range(20):
            connection.sendall(writer.call(b"fail" if number % 5 == 4 else b"hello")[1])
        while len(answers) < 20:
            received += (data := connection.recv(65_536))
            assert data
            told, replies = reader.read(data)
            answers += told
            connection.sendall(replies)
    server.stop(0).wait()
    return answers, received


def test_what_a_real_server_answers(sent: tuple[list[Answer], bytes]) -> None:
    """Each call has its status."""
    assert sorted(sent[0]) == [Answer(2 * number + 1, "14" if number % 5 == 4 else "0") for number in range(20)]


def test_split_at_every_byte(sent: tuple[list[Answer], bytes]) -> None:
    """However the bytes arrive, they are the same answers: in two parts cut anywhere, and one by one."""
    answers, data = sent
    for at in range(len(data)):
        reader = Reader()
        assert reader.read(data[:at])[0] + reader.read(data[at:])[0] == answers
    reader = Reader()
    assert [one for at in range(len(data)) for one in reader.read(data[at : at + 1])[0]] == answers


def test_repeated_answers_are_not_decoded_again(sent: tuple[list[Answer], bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    """The fields of answers that are well are the same few bytes each time."""
    decoded: list[bytes] = []
    decode = Decoder.decode
    monkeypatch.setattr(Decoder, "decode", lambda self, data: decoded.append(data) or decode(self, data))
    Reader().read(sent[1])
    came = [block for _, kind, block, _ in split(sent[1]) if kind == bytes([Kind.HEADERS])]
    assert max(Counter(came).values()) > 10
    assert max(Counter(decoded).values()) <= 3


# Header fields, whatever they are.

NAMES = st.sampled_from(["grpc-status", "grpc-message", "x", "content-type", ":status"])
BLOCKS = st.lists(st.tuples(NAMES, st.sampled_from(["0", "1", "14", "200", "a" * 40])), max_size=4)


@given(st.lists(st.tuples(BLOCKS, st.sampled_from([None, None, None, 0, 40, 120, 4_096])), max_size=30))
def test_any_fields_and_any_changes_of_the_table(blocks: Sequence[tuple[list[tuple[str, str]], int | None]]) -> None:
    """Whatever the table that both sides keep comes to hold, and however large it is told to be, each status is the one sent."""
    encoder, reader = Encoder(), greeted()
    for number, (fields, size) in enumerate(blocks):
        if size is not None:
            encoder.header_table_size = size
        expected = next((value for name, value in fields if name == "grpc-status"), "none")
        for stream in (4 * number + 1, 4 * number + 3):
            assert reader.read(trailers(stream, encoder.encode(fields)))[0] == [Answer(stream, expected)]


def test_a_table_that_grows_again() -> None:
    """Header fields that change the table's size do so each time that they come, though they are the same bytes as before."""
    encoder, reader = Encoder(), greeted()
    for size in (100, 4_096, 40, 4_096):
        encoder.header_table_size = size
        assert reader.read(trailers(1, encoder.encode(OK[:0])))[0] == [Answer(1, "none")]
    for fields in ([("x", "a" * 40)], OK, [("y", "b" * 40)], [("x", "a" * 40), *OK]):
        assert reader.read(trailers(1, encoder.encode(fields)))[0][0].status == dict(fields).get("grpc-status", "none")


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    """What is no HTTP/2 is said to be none, or is waited for to go on: no other error comes of it."""
    for before in (b"", GREETING):
        with suppress(NoFigure):
            Reader().read(before + data)


@given(st.lists(st.tuples(st.sampled_from(Kind), st.integers(0, 255), st.integers(0, 1 << 32), st.binary(max_size=20)), max_size=6))
def test_any_frames(frames: list[tuple[Kind, int, int, bytes]]) -> None:
    """The same of whole frames of any kind, flags and length."""
    with suppress(NoFigure):
        Reader().read(GREETING + b"".join(frame(kind, flags, stream % (1 << 32), data) for kind, flags, stream, data in frames))


# How a call ends.


def test_a_stream_ends_without_a_status() -> None:
    """With other fields, with data, or by a reset: each is an answer that is not well."""
    reader, encoder = greeted(), Encoder()
    data = trailers(1, encoder.encode([("server", "nginx")])) + frame(Kind.DATA, END_STREAM, 3, b"hello")
    data += frame(Kind.RST_STREAM, 0, 5, struct.pack(">I", 7))
    assert reader.read(data) == ([Answer(1, "none"), Answer(3, "none"), Answer(5, "reset")], b"")


def test_a_whole_answer() -> None:
    """Fields, a message, and trailers are one answer."""
    encoder = Encoder()
    data = frame(Kind.HEADERS, END_HEADERS, 1, encoder.encode([(":status", "200")])) + frame(Kind.DATA, 0, 1, message(b"hello"))
    assert greeted().read(data + trailers(1, encoder.encode(FAILED))) == ([Answer(1, "14")], b"")


def test_the_reserved_bit_of_a_stream_is_nobodys() -> None:
    """It doesn't belong to the stream's number."""
    assert greeted().read(trailers(1 << 31 | 9, Encoder().encode(OK)))[0] == [Answer(9, "0")]


@pytest.mark.parametrize("flags", [0x8, 0x20])
def test_padding_and_priority_are_not_grpcs(flags: int) -> None:
    """GRPC's servers send none, and who does is refused rather than misread."""
    with pytest.raises(NoFigure, match="a proxy in between"):
        greeted().read(trailers(1, b"\0" + Encoder().encode(OK), flags))


def test_padded_data_is_nobodys_concern() -> None:
    """Messages are not looked at, so their padding isn't either."""
    data = frame(Kind.DATA, 0x8, 1, b"\2hello\0\0") + trailers(1, Encoder().encode(OK))
    assert greeted().read(data)[0] == [Answer(1, "0")]


def test_fields_in_several_frames_are_not_grpcs() -> None:
    """As above."""
    with pytest.raises(NoFigure, match="a proxy in between"):
        greeted().read(frame(Kind.HEADERS, END_STREAM, 1, Encoder().encode(OK)))


def test_fields_that_mean_nothing() -> None:
    """A place in the table that holds nothing."""
    with pytest.raises(NoFigure, match="a proxy in between"):
        greeted().read(trailers(1, b"\xff\x20"))


def test_the_server_goes_away() -> None:
    """Its reason is said, where it has one."""
    with pytest.raises(NoFigure, match="the front has ended the connection: too many pings"):
        greeted().read(frame(Kind.GOAWAY, 0, 0, struct.pack(">II", 1, 11) + b"too many pings"))
    with pytest.raises(NoFigure, match="GOAWAY"):
        greeted().read(frame(Kind.GOAWAY, 0, 0, struct.pack(">II", 1, 0)))


# What a server says of itself.


@pytest.mark.parametrize(
    "says",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46 and more",
        b"+PONG\r\n+PONG\r\n",
        GREETING[:2] + b"\xff" * 20,
    ],
)
def test_what_is_no_http2_is_seen_at_once(says: bytes) -> None:
    """HTTP/1.1, an alert of TLS, Redis: the first bytes tell."""
    with pytest.raises(NoFigure, match="no gRPC server"):
        Reader().read(says)


def test_a_frame_that_is_too_large() -> None:
    """It isn't waited for."""
    with pytest.raises(NoFigure):
        greeted().read(frame(Kind.DATA, 0, 1, b"x" * (LARGEST_FRAME + 1))[:20])
    assert greeted().read(frame(Kind.DATA, 0, 1, b"x" * LARGEST_FRAME)) == ([], b"")


def test_how_many_calls_it_takes() -> None:
    """None before it has said so; then as many as it says, also later; where it doesn't say, any number."""
    reader = Reader()
    assert (reader.greeted, reader.most_streams) == (False, 0)
    assert reader.read(frame(Kind.SETTINGS, 0, 0, struct.pack(">HIHI", 5, 16_384, 3, 7))) == ([], frame(Kind.SETTINGS, ACK, 0))
    assert (reader.greeted, reader.most_streams) == (True, 7)
    reader.read(GREETING)
    assert reader.most_streams == 7
    reader.read(frame(Kind.SETTINGS, 0, 0, struct.pack(">HI", 3, 0)))
    assert reader.most_streams == 0
    assert greeted().most_streams == UNLIMITED


def test_an_acknowledgement_is_not_answered() -> None:
    """Neither that of settings nor that of a ping."""
    assert greeted().read(frame(Kind.SETTINGS, ACK, 0) + frame(Kind.PING, ACK, 0, b"12345678")) == ([], b"")


def test_a_ping_is_answered() -> None:
    """With the same bytes."""
    assert greeted().read(frame(Kind.PING, 0, 0, b"12345678")) == ([], frame(Kind.PING, ACK, 0, b"12345678"))


def test_the_window() -> None:
    """It grows by what the server takes more of the whole connection; what it takes more of one stream changes nothing."""
    reader = greeted()
    reader.read(frame(Kind.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1_000)) + frame(Kind.WINDOW_UPDATE, 0, 1, struct.pack(">I", 5)))
    reader.read(frame(Kind.WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 31 | 1)))
    assert reader.window == WINDOW + 1_001


def test_settings_of_another_length() -> None:
    """They are none."""
    with pytest.raises(NoFigure):
        Reader().read(frame(Kind.SETTINGS, 0, 0, b"12345"))
