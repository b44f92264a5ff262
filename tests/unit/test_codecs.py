"""The protobuf and JSON codecs, against recorded bytes and independent readers; gob has a file of its own."""

import json
import struct
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.frames import Stat, read_json, read_protobuf
from support.mixer import field, varint

from wakequeue.codecs import Codec, codec_for
from wakequeue.codecs.gob import GobCodec
from wakequeue.codecs.jsontext import JsonCodec
from wakequeue.codecs.protobuf import ProtobufCodec
from wakequeue.release import Release
from wakequeue.revision import LABEL, Revision
from wakequeue.stat import StatMessage

NOW: Final = 1_700_000_000.25
MESSAGE: Final = StatMessage(Revision("default", "hello-00001"), "activator-1", 1.5, 3)

#: MESSAGE, from the field table of Knative's stat.proto; the timestamp is left out, which means on arrival.
PROTOBUF: Final = bytes.fromhex(
    "0a37"  # WireStatMessages.messages = 1, 55 bytes
    "0a07 64656661756c74"  # WireStatMessage.namespace = 1: default
    "120b 68656c6c6f2d3030303031"  # WireStatMessage.name = 2: hello-00001
    "1a1f"  # WireStatMessage.stat = 3, 31 bytes
    "0a0b 616374697661746f722d31"  # Stat.pod_name = 1: activator-1
    "11 000000000000f83f"  # Stat.average_concurrent_requests = 2: 1.5
    "21 0000000000000840"  # Stat.request_count = 4: 3.0
)
#: MESSAGE, as Knative 0.16 to 0.19 reads it from a text frame.
JSON: Final = (
    '{"Key":{"Namespace":"default","Name":"hello-00001"},'
    '"Stat":{"pod_name":"activator-1","average_concurrent_requests":1.5,"request_count":3}}'
)

revisions = st.builds(Revision, st.from_regex(LABEL, fullmatch=True), st.from_regex(LABEL, fullmatch=True))
messages = st.builds(
    StatMessage,
    revisions,
    st.text(min_size=1, max_size=253),
    st.floats(min_value=0, allow_infinity=False, exclude_min=True),
    st.integers(0, 2**53),
)


def seen(message: StatMessage) -> Stat:
    """Return what an independent reader must see of a message, and nothing beyond it."""
    return Stat(str(message.revision), message.pod_name, message.concurrency, message.requests)


def double(number: int, value: float) -> bytes:
    """Write a double field."""
    return varint(number << 3 | 1) + struct.pack("<d", value)


def frame_of(*stats: bytes | None, namespace: bytes = b"default") -> bytes:
    """Write a protobuf frame with one message of default/hello for each Stat; None leaves the Stat out."""
    heads = field(1, namespace) + field(2, b"hello")
    return b"".join(field(1, heads + (b"" if stat is None else field(3, stat))) for stat in stats)


# The choice.


@pytest.mark.parametrize(
    ("release", "codec"),
    [
        ("0.1", GobCodec),
        ("0.9", GobCodec),
        ("0.15", GobCodec),
        ("0.16/gob", GobCodec),
        ("0.16", JsonCodec),
        ("0.19/json", JsonCodec),
        ("0.17", ProtobufCodec),
        ("0.20", ProtobufCodec),
        ("1.0", ProtobufCodec),
        ("1.23", ProtobufCodec),
    ],
)
def test_a_release_has_its_codec(release: str, codec: type[Codec]) -> None:
    """The codec is that of the release's format; a gob frame also has the release's shape."""
    parsed = Release.parse(release)
    chosen = codec_for(parsed)
    assert isinstance(chosen, codec)
    if isinstance(chosen, GobCodec):
        assert chosen.encode(MESSAGE, NOW) == GobCodec(parsed.minor).encode(MESSAGE, NOW)


# Protobuf.


def test_a_protobuf_frame_is_the_recorded_one() -> None:
    """The frame of a message is these bytes, whatever the time, and they decode to the message."""
    for now in (0.0, NOW):
        assert ProtobufCodec().encode(MESSAGE, now) == PROTOBUF
    assert ProtobufCodec().decode(PROTOBUF) == [MESSAGE]
    assert read_protobuf(PROTOBUF) == [Stat("default/hello-00001", "activator-1", 1.5, 3.0, others=())]


@given(messages)
def test_a_protobuf_frame_says_the_message_and_no_more(message: StatMessage) -> None:
    """An independent reader sees the numbers, no timestamp and no proxied count; our own reader sees the message."""
    frame = ProtobufCodec().encode(message, NOW)
    assert read_protobuf(frame) == [seen(message)]
    assert ProtobufCodec().decode(frame) == [message]


@given(st.lists(messages, max_size=5))
def test_protobuf_frames_join(several: list[StatMessage]) -> None:
    """Frames put end to end are one frame of all their messages, in order."""
    assert ProtobufCodec.joins
    frames = [ProtobufCodec().encode(message, NOW) for message in several]
    assert all(isinstance(frame, bytes) for frame in frames)
    joined = b"".join(frame for frame in frames if isinstance(frame, bytes))
    assert read_protobuf(joined) == [seen(message) for message in several]
    assert ProtobufCodec().decode(joined) == several


def test_a_repeat_without_new_calls_keeps_its_concurrency() -> None:
    """A report of 0 requests leaves the count out, which reads as 0."""
    message = StatMessage(MESSAGE.revision, "activator-1", 20.0, 0)
    frame = bytes.fromhex(
        "0a2e 0a07 64656661756c74 120b 68656c6c6f2d3030303031"  # as above, in 46 bytes
        "1a16 0a0b 616374697661746f722d31"
        "11 0000000000003440"  # Stat.average_concurrent_requests = 2: 20.0
    )
    assert ProtobufCodec().encode(message, NOW) == frame
    assert ProtobufCodec().decode(frame) == [message]


def test_an_activators_frame_is_read() -> None:
    """Fields in any order, those that we never send, and those that we don't know, are read over."""
    stat = field(99, b"new") + varint(7 << 3) + varint(1_700_000_000_000) + double(6, 12.0) + double(5, 1.0) + double(3, 1.0)
    frame = frame_of(stat + double(4, 2.75) + field(1, b"activator-1") + double(2, 1.5))
    assert ProtobufCodec().decode(frame) == [StatMessage(Revision("default", "hello"), "activator-1", 1.5, 2)]


def test_a_protobuf_message_without_a_stat_is_skipped() -> None:
    """A message without `stat` says nothing, as in the Autoscaler; one with an empty `stat` says zeros."""
    zeros = StatMessage(Revision("default", "hello"), "", 0.0, 0)
    assert ProtobufCodec().decode(frame_of(None, b"", None)) == [zeros]
    assert ProtobufCodec().decode(b"") == []


@pytest.mark.parametrize(
    "frame",
    [
        JSON,
        "",
        b"\xff",
        PROTOBUF[:-1],
        PROTOBUF + b"\x0a",
        JSON.encode(),
        GobCodec(9).encode(MESSAGE, NOW),
        frame_of(b"", namespace=b""),
        frame_of(b"", namespace=b"A"),
        frame_of(b"", namespace=b"\xff"),
        frame_of(field(1, b"\xff")),
        frame_of(double(4, float("nan"))),
    ],
)
def test_what_is_no_protobuf_frame_is_refused(frame: bytes | str) -> None:
    """Text, other formats, damage, and names that are none raise ValueError."""
    with pytest.raises(ValueError, match=r"."):
        ProtobufCodec().decode(frame)


# JSON.


def test_a_json_frame_is_the_recorded_one() -> None:
    """The frame of a message is this text, whatever the time, and it decodes to the message."""
    for now in (0.0, NOW):
        assert JsonCodec().encode(MESSAGE, now) == JSON
    assert JsonCodec().decode(JSON) == [MESSAGE]
    assert read_json(JSON) == [Stat("default/hello-00001", "activator-1", 1.5, 3.0)]


@given(messages)
def test_a_json_frame_says_the_message_and_no_more(message: StatMessage) -> None:
    """An independent reader sees the numbers under their JSON names, and nothing else; our own reader sees the message."""
    frame = JsonCodec().encode(message, NOW)
    assert isinstance(frame, str)
    assert read_json(frame) == [seen(message)]
    parsed = json.loads(frame)
    assert set(parsed) == {"Key", "Stat"}
    assert set(parsed["Stat"]) <= {"pod_name", "average_concurrent_requests", "request_count"}
    assert JsonCodec().decode(frame) == [message]


def test_json_frames_do_not_join() -> None:
    """Two texts put end to end are no frame."""
    assert not JsonCodec.joins
    with pytest.raises(ValueError, match="trailing"):
        JsonCodec().decode(JSON + JSON)


def test_json_fields_may_be_absent_or_unknown() -> None:
    """A field that is left out is zero, and one that we don't know is read over, as Go does."""
    text = '{"x": 1, "Stat": {"request_count": 2.75, "process_uptime": 9}, "Key": {"Name": "hello", "Namespace": "default"}}'
    assert JsonCodec().decode(text) == [StatMessage(Revision("default", "hello"), "", 0.0, 2)]


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "null",
        "[]",
        "{",
        "{}",
        '{"Key":{"Namespace":"default","Name":"hello"}}',
        '{"Stat":{}}',
        '{"Key":"default/hello","Stat":{}}',
        '{"Key":{"Namespace":"default"},"Stat":{}}',
        '{"Key":{"Namespace":"default","Name":"Hello"},"Stat":{}}',
        JSON.replace("1.5", "NaN"),
        JSON.replace("1.5", "1e999"),
        JSON.replace("1.5", "null"),
        JSON.replace("1.5", '"1.5"'),
        JSON + "x",
        "\ud800",
        b"\xff",
        PROTOBUF,
        GobCodec(16).encode(MESSAGE, NOW),
    ],
)
def test_what_is_no_json_frame_is_refused(frame: bytes | str) -> None:
    """Other formats, damage, other types, and names that are none raise ValueError."""
    with pytest.raises(ValueError, match=r"."):
        JsonCodec().decode(frame)


# Both.


@pytest.mark.parametrize("codec", [ProtobufCodec(), JsonCodec()], ids=["protobuf", "json"])
def test_a_pod_name_that_is_no_text_is_unencodable(codec: Codec) -> None:
    """What the format can't hold raises ValueError, which has the wake-up buried and not tried for ever."""
    with pytest.raises(ValueError, match="surrogates"):
        codec.encode(StatMessage(MESSAGE.revision, "\udcff", 1.0, 1), NOW)


@pytest.mark.parametrize("concurrency", [0.001, 1e-300, 1.0, 18.3, 500.0, 1e9])
@pytest.mark.parametrize("requests", [0, 1, 2**31, 2**53])
def test_numbers_arrive_exactly(concurrency: float, requests: int) -> None:
    """Both formats carry the very numbers: a tiny concurrency is not rounded to 0, which would wake nothing."""
    message = StatMessage(MESSAGE.revision, "activator-1", concurrency, requests)
    assert read_protobuf(ProtobufCodec().encode(message, NOW)) == [seen(message)]
    assert read_json(JsonCodec().encode(message, NOW)) == [seen(message)]
