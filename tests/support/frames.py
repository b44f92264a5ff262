"""Reads Knative's frames from their bytes alone, by the field numbers of its stat.proto: nothing of our encoder is used."""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stat:
    """What the Autoscaler would learn from one message."""

    key: str
    pod_name: str
    concurrency: float
    requests: float
    others: tuple[int, ...] = ()


def read_protobuf(frame: bytes | str) -> list[Stat]:
    """WireStatMessages {repeated 1: {1 namespace, 2 name, 3: {1 pod, 2 concurrency, 4 requests, ...}}}."""
    assert isinstance(frame, bytes), "a protobuf frame is binary"
    stats = []
    for number, message in _fields(frame):
        assert number == 1
        fields = dict(_fields(message))
        stat = dict(_fields(fields[3]))
        others = tuple(sorted(set(stat) - {1, 2, 4}))
        key = f"{fields[1].decode()}/{fields[2].decode()}"
        stats.append(Stat(key, stat[1].decode(), stat.get(2, 0.0), stat.get(4, 0.0), others))
    return stats


def read_json(frame: bytes | str) -> list[Stat]:
    """{"Key": {"Namespace", "Name"}, "Stat": {"pod_name", "average_concurrent_requests", "request_count"}}."""
    assert isinstance(frame, str), "a JSON frame is text"
    message = json.loads(frame)
    key, stat = message["Key"], message["Stat"]
    numbers = stat.get("average_concurrent_requests", 0.0), stat.get("request_count", 0.0)
    return [Stat(f"{key['Namespace']}/{key['Name']}", stat["pod_name"], *numbers)]


def _fields(data: bytes) -> Iterator[tuple[int, "bytes | float | int"]]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
            case 1:
                (value,) = struct.unpack_from("<d", data, at)
                at += 8
            case 2:
                length, at = _varint(data, at)
                value, at = data[at : at + length], at + length
            case wire_type:
                raise AssertionError(f"wire type {wire_type}")
        yield tag >> 3, value


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
