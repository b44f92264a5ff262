"""The gob codec, measured against Go's own encoding/gob: frames that Go recorded, and frames that Go reads now."""

import contextlib
import json
import math
import re
import struct
import sys
import time
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.frames import Stat, read_gob
from support.statgob import Statgob

from wakequeue.codecs import gobwire
from wakequeue.codecs.gob import LONGEST_FRAME_BYTES, GobCodec
from wakequeue.codecs.gobwire import Schema
from wakequeue.revision import LABEL, Revision
from wakequeue.stat import StatMessage

TESTS: Final = Path(__file__).parents[1]
RECORDED: Final = json.loads((TESTS / "unit/gob_vectors.json").read_text(encoding="utf-8"))
VECTORS: Final[list[dict[str, Any]]] = RECORDED["vectors"]
#: The shape, as vectors and statgob name it, of each minor release.
SHAPES: Final = {
    1: "0.1",
    **dict.fromkeys(range(2, 5), "0.2"),
    **dict.fromkeys(range(5, 7), "0.5"),
    7: "0.7",
    **dict.fromkeys(range(8, 10), "0.8"),
    **dict.fromkeys(range(10, 12), "0.10"),
    **dict.fromkeys(range(12, 16), "0.12"),
    16: "0.16",
}
INT32_MAX: Final = 2**31 - 1
INT_COUNTS: Final = range(1, 7)
STRING_KEYS: Final = range(1, 8)
MESSAGE: Final = StatMessage(Revision("default", "hello-00001"), "activator-7f9c", 1.5, 3)
NOW: Final = 1_700_000_000.25

every_release = pytest.mark.parametrize("minor", SHAPES, ids="0.{}".format)


def recorded(minor: int) -> list[tuple[StatMessage, float, bytes]]:
    """Return each message that Go recorded in the shape of a release, its time, and its frame."""
    return [
        (
            StatMessage(Revision(v["namespace"], v["name"]), v["pod_name"], v["concurrency"], v["requests"]),
            v["unix"],
            bytes.fromhex(v["frame"]),
        )
        for v in VECTORS
        if v["shape"] == SHAPES[minor]
    ]


def as_sent(minor: int, message: StatMessage) -> StatMessage:
    """Return what a release can be told of a message."""
    if minor in INT_COUNTS:
        message = replace(message, requests=min(message.requests, INT32_MAX))
    if minor <= 5 and not message.pod_name.startswith("activator"):
        message = replace(message, pod_name=f"activator-{message.pod_name}")
    return message


def assert_go_read(minor: int, line: dict[str, Any], message: StatMessage, now: float) -> None:
    """Check that Go read this very message, and nothing else."""
    sent = as_sent(minor, message)
    revision = message.revision
    key = str(revision) if minor in STRING_KEYS else {"Namespace": revision.namespace, "Name": revision.name}
    assert line["Key"] == key
    stat = line["Stat"]
    if minor < 16:
        assert abs(datetime.fromisoformat(stat.pop("Time")).timestamp() - now) < 2e-6
    assert stat.pop("PodName") == sent.pod_name
    assert stat.pop("AverageConcurrentRequests") == sent.concurrency
    assert stat.pop("RequestCount") == sent.requests
    assert not any(stat.values())


@pytest.mark.parametrize("shape", list(dict.fromkeys(SHAPES.values())))
def test_the_recorded_vectors_are_what_go_writes(statgob: Statgob, shape: str) -> None:
    """gob_vectors.json holds what the Go program writes today; its field made_by tells how to record it again."""
    assert statgob.encode(shape) == [vector for vector in VECTORS if vector["shape"] == shape]


def test_tests_read_what_go_writes() -> None:
    """The reader of whole installations' frames, which knows nothing of our codec, reads the message and its time."""
    for message, now, frame in recorded(15):
        key, pod_name = str(message.revision), message.pod_name
        assert read_gob(frame) == [Stat(key, pod_name, message.concurrency, message.requests, (), round(now * 1000))]


@every_release
def test_frames_of_go_decode(minor: int) -> None:
    """A frame that Go wrote decodes to the message that it was made of."""
    for message, _, frame in recorded(minor):
        assert GobCodec(minor).decode(frame) == [as_sent(minor, message)]


@every_release
def test_frames_are_those_of_go(minor: int) -> None:
    """Our frame of a message is Go's, byte for byte, type ids included."""
    for message, now, frame in recorded(minor):
        assert GobCodec(minor).encode(message, now) == frame


@every_release
def test_go_decodes_our_frames(statgob: Statgob, minor: int) -> None:
    """Go reads every field of our frames in the types of every release, also at the ends of the ranges."""
    messages = [
        MESSAGE,
        replace(MESSAGE, pod_name="wakequeue-worker-5d8f"),
        replace(MESSAGE, pod_name="", concurrency=0.0, requests=0),
        replace(MESSAGE, concurrency=5e-324, requests=INT32_MAX),
        replace(MESSAGE, concurrency=sys.float_info.max, requests=2**40),
        StatMessage(Revision("a", "b" * 63), "größe-日本-🚀", 0.001, 1),
    ]
    lines = statgob.decode(f"0.{minor}", [GobCodec(minor).encode(message, NOW) for message in messages])
    for line, message in zip(lines, messages, strict=True):
        assert_go_read(minor, line, message, NOW)


revisions = st.builds(Revision, st.from_regex(LABEL, fullmatch=True), st.from_regex(LABEL, fullmatch=True))
messages_of_all_kinds = st.builds(
    StatMessage,
    revisions,
    st.text(max_size=300),
    st.floats(min_value=0, allow_infinity=False),
    st.integers(0, 2**40),
)


@settings(max_examples=30, deadline=None)
@given(
    minor=st.sampled_from(list(SHAPES)),
    reports=st.lists(st.tuples(messages_of_all_kinds, st.floats(0, 4e9)), min_size=1, max_size=60),
)
def test_go_decodes_any_message(statgob: Statgob, minor: int, reports: list[tuple[StatMessage, float]]) -> None:
    """Whatever the message, Go and we both read from our frame what was put into it."""
    codec = GobCodec(minor)
    frames = [codec.encode(message, now) for message, now in reports]
    lines = statgob.decode(f"0.{minor}", frames)
    for line, frame, (message, now) in zip(lines, frames, reports, strict=True):
        assert_go_read(minor, line, message, now)
        assert codec.decode(frame) == [as_sent(minor, message)]


@every_release
def test_a_frame_of_another_release_is_read_or_refused_as_go_does(statgob: Statgob, minor: int) -> None:
    """Of the frames of all releases, ours and Go's decoders accept the same: a wrong release shows in a test as in life."""
    frames = [GobCodec(other).encode(MESSAGE, NOW) for other in SHAPES]
    for frame, line in zip(frames, statgob.decode(f"0.{minor}", frames), strict=True):
        if "error" in line:
            with pytest.raises(ValueError, match="not a gob frame of the expected shape"):
                GobCodec(minor).decode(frame)
        else:
            assert GobCodec(minor).decode(frame) == [MESSAGE]


def test_up_to_0_5_only_activators_are_sent() -> None:
    """Knative 0.5 drops a stat of any other pod, so the name gets the prefix there, once, and nowhere else."""
    worker = replace(MESSAGE, pod_name="wakequeue-0")
    for minor in SHAPES:
        expected = "activator-wakequeue-0" if minor <= 5 else "wakequeue-0"
        assert GobCodec(minor).decode(GobCodec(minor).encode(worker, NOW)) == [replace(worker, pod_name=expected)]
    assert GobCodec(5).decode(GobCodec(5).encode(MESSAGE, NOW)) == [MESSAGE]


def test_a_count_beyond_a_float_is_the_largest_exact_one() -> None:
    """A count is never more than a float holds exactly."""
    many = replace(MESSAGE, requests=10**400)
    assert GobCodec(16).decode(GobCodec(16).encode(many, NOW)) == [replace(MESSAGE, requests=2**53)]


def test_type_ids_are_those_of_the_frame() -> None:
    """Any consistent type ids decode: newer Go programs number their types otherwise."""
    frame = GobCodec(12).encode(MESSAGE, NOW)
    renumbered = re.sub(rb"\xff([\x81-\x88])", lambda found: bytes((0xFF, found[1][0] + 0x20)), frame)
    assert renumbered != frame
    assert GobCodec(12).decode(renumbered) == [MESSAGE]


def test_only_0_1_to_0_16_take_gob() -> None:
    """There is no gob codec for a release that never read gob."""
    for minor in (0, 17, -1):
        with pytest.raises(ValueError, match="takes no gob"):
            GobCodec(minor)


def test_frames_do_not_join() -> None:
    """Two frames put end to end are no frame."""
    frame = GobCodec(16).encode(MESSAGE, NOW)
    assert not GobCodec.joins
    with pytest.raises(ValueError, match="left over"):
        GobCodec(16).decode(frame + frame)


# The wire format itself.


def test_the_example_of_gos_documentation() -> None:
    """A point of Go's documentation becomes the bytes printed there, and comes back."""
    point = Schema.of({"Point": {"X": "int", "Y": "int"}})
    description = "1f ff 81 03 01 01 05 50 6f 69 6e 74 01 ff 82 00 01 02 01 01 58 01 04 00 01 01 59 01 04 00 00 00"
    frame = bytes.fromhex(f"{description} 07 ff 82 01 2c 01 42 00")
    assert point.encode({"X": 22, "Y": 33}) == frame
    assert point.decode(frame) == {"X": 22, "Y": 33}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "Bool": st.just(1),
            "Int": st.integers(-(2**63), 2**63 - 1).filter(bool),
            "Uint": st.integers(1, 2**64 - 1),
            "Float": st.floats(allow_nan=False).filter(bool),
            "Bytes": st.binary(min_size=1),
            "String": st.text(min_size=1),
            "Own": st.binary(min_size=1),
        },
    )
)
@example({"Int": -129, "Float": math.inf})
def test_every_basic_type_comes_back(value: dict[str, object]) -> None:
    """A value of each basic type is read as it was written, and a zero is absent."""
    kinds = {name.title(): name for name in ("bool", "int", "uint", "float", "bytes", "string")}
    schema = Schema.of({"All": {**kinds, "Own": "T"}, "T": None})
    assert schema.decode(schema.encode(value)) == value


# Frames of a stranger.


def with_stat(**fields: object) -> bytes:
    """Write a frame of 0.16 with these fields in its Stat."""
    shape = {
        "StatMessage": {"Key": "NamespacedName", "Stat": "Stat"},
        "NamespacedName": {"Namespace": "string", "Name": "string"},
        "Stat": {"PodName": "string", "AverageConcurrentRequests": "float", "RequestCount": "float"},
    }
    return Schema.of(shape).encode({"Key": {"Namespace": "default", "Name": "hello-00001"}, "Stat": fields})


def message_of(*parts: int | bytes) -> bytes:
    """Write one gob message of small numbers and bytes."""
    payload = b"".join(bytes((part,)) if isinstance(part, int) else part for part in parts)
    return b"\xfc" + struct.pack(">I", len(payload)) + payload


def struct_message(number: bytes, *fields: tuple[bytes, int | bytes]) -> bytes:
    """Describe a nameless struct: its negated id, then its fields' names and type ids, as gob writes them."""
    parts: list[int | bytes] = [number, 3, 1, 0, 1, len(fields)]
    for name, kind in fields:
        parts += [1, len(name), name, 1, kind, 0]
    return message_of(*parts, 0, 0)


ID_65, MINUS_65 = b"\xff\x82", b"\xff\x81"
#: A struct whose field X is itself the struct, as deep as a frame allows.
BOTTOMLESS: Final = struct_message(MINUS_65, (b"X", ID_65)) + message_of(ID_65, b"\1" * 60_000)
HOSTILE: Final = {
    "empty": b"",
    "text": "{}",
    "too long": b"\0" * (LONGEST_FRAME_BYTES + 1),
    "an endless message": b"\xf8" + b"\xff" * 8,
    "a number of nine bytes": b"\xf7" + b"\xff" * 9,
    "a message without an id": message_of(),
    "only a description": struct_message(MINUS_65, (b"X", 4)),
    "a type described twice": struct_message(MINUS_65, (b"X", 4)) * 2,
    "a builtin type described": struct_message(b"\x1f", (b"X", 4)),
    "two fields of one name": struct_message(MINUS_65, (b"X", 4), (b"X", 12)),
    "a struct without fields": message_of(MINUS_65, 3, 1, 0, 0, 0),
    "an array": message_of(MINUS_65, 1, 1, 0, 0, 0),
    "no kind of type": message_of(MINUS_65, 0),
    "a description with more behind it": message_of(MINUS_65, 5, 1, 0, 0, 0, 0),
    "a text as the value": message_of(12, 0, 1, b"x"),
    "type 0": message_of(0, 0),
    "an unknown type": message_of(ID_65, 0),
    "a field of an unknown type": struct_message(MINUS_65, (b"X", ID_65[:1] + b"\x84")) + message_of(ID_65, 1, 1, 0),
    "a field number out of bounds": struct_message(MINUS_65, (b"X", 4)) + message_of(ID_65, 2, 2, 0),
    "a text of four exabytes": struct_message(MINUS_65, (b"X", 12)) + message_of(ID_65, 1, b"\xf8\x40" + b"\0" * 7, 0),
    "a list of endless fields": message_of(MINUS_65, 3, 2, b"\xf8" + b"\xff" * 8, b"\0" * 100),
    "a text that is not UTF-8": struct_message(MINUS_65, (b"X", 12)) + message_of(ID_65, 1, 1, b"\xff", 0),
    "bottomless": BOTTOMLESS,
    "nothing of a StatMessage": struct_message(MINUS_65, (b"X", 4)) + message_of(ID_65, 1, 2, 0),
    "a Stat that is a number": struct_message(MINUS_65, (b"Stat", 4)) + message_of(ID_65, 1, 2, 0),
    "NaN": with_stat(AverageConcurrentRequests=math.nan),
    "infinite concurrency": with_stat(AverageConcurrentRequests=math.inf),
    "negative concurrency": with_stat(AverageConcurrentRequests=-1.0),
    "infinite requests": with_stat(RequestCount=math.inf),
    "negative requests": with_stat(RequestCount=-1.0),
}


@pytest.mark.parametrize("frame", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_frame_is_refused(frame: bytes | str) -> None:
    """What is no StatMessage raises ValueError, however large or deep it claims to be."""
    for minor in SHAPES:
        with pytest.raises(ValueError, match=r"."):
            GobCodec(minor).decode(frame)


@pytest.mark.parametrize("key", ["", "hello", "a/b/c", "/b", "A/b"])
def test_a_key_that_is_no_revision_is_refused(key: str) -> None:
    """A frame whose Key names no Revision raises ValueError."""
    schema = Schema.of({"StatMessage": {"Key": "string", "Stat": "Stat"}, "Stat": {"PodName": "string"}})
    with pytest.raises(ValueError, match="not"):
        GobCodec(7).decode(schema.encode({"Key": key, "Stat": {}}))


def test_fields_that_are_absent_are_zero() -> None:
    """A Stat without fields is a StatMessage of zeros, and a fraction of a request is not counted."""
    revision = Revision("default", "hello-00001")
    assert GobCodec(16).decode(with_stat()) == [StatMessage(revision, "", 0.0, 0)]
    assert GobCodec(16).decode(with_stat(RequestCount=2.75)) == [StatMessage(revision, "", 0.0, 2)]


frames_of_go = st.sampled_from([bytes.fromhex(vector["frame"]) for vector in VECTORS])
damages = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 4), st.binary(max_size=4)), min_size=1, max_size=4)


def damaged(frame: bytes, damage: list[tuple[int, int, bytes]]) -> bytes:
    """Cut some bytes out of a frame at some places, and put others in."""
    for at, cut, put in damage:
        frame = frame[:at] + put + frame[at + cut :]
    return frame


@settings(max_examples=1000)
@given(minor=st.sampled_from(list(SHAPES)), frame=st.binary(max_size=600) | st.builds(damaged, frames_of_go, damages))
def test_a_malformed_frame_raises_only_value_error(minor: int, frame: bytes) -> None:
    """Whatever the bytes, decode gives one StatMessage or raises ValueError, and takes little of the processor."""
    began = time.thread_time()
    with contextlib.suppress(ValueError):
        messages = GobCodec(minor).decode(frame)
        assert len(messages) == 1
    assert time.thread_time() - began < 1


def test_the_depth_of_a_value_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A type that contains itself is read to DEEPEST levels and no further."""
    schema = Schema.of({"T": {"X": "int"}})
    description = struct_message(MINUS_65, (b"Y", ID_65))
    frame = description + message_of(ID_65, b"\1" * 5, b"\0" * 6)
    assert schema.decode(frame) == {"Y": {"Y": {"Y": {"Y": {"Y": {}}}}}}
    monkeypatch.setattr(gobwire, "DEEPEST", 4)
    with pytest.raises(ValueError, match="nested too deep"):
        schema.decode(frame)
