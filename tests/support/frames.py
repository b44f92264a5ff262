"""Reads Knative's frames from their bytes alone, by the numbers of their fields: nothing of our encoders is used."""

import json
import struct
from dataclasses import dataclass

from support import gob
from support.protobuf import fields

#: StatMessage {0 Key {0 Namespace, 1 Name}, 1 Stat {0 Time, 1 PodName, 2 AverageConcurrentRequests, 4 RequestCount, ...}}.
GOB = gob.fields(gob.fields(gob.chunk, gob.chunk), gob.fields(gob.chunk, gob.chunk, *[gob.real] * 5))

YEAR_1_TO_1970_SECONDS = 62_135_596_800


@dataclass(frozen=True, slots=True)
class Stat:
    """What the Autoscaler would learn from one message.

    `decided_at_ms` is when it was decided by the ledger's clock, since 1970, where the release has such a field.
    """

    key: str
    pod_name: str
    concurrency: float
    requests: float
    others: tuple[int, ...] = ()
    decided_at_ms: int | None = None


def read_protobuf(frame: bytes | str) -> list[Stat]:
    """WireStatMessages {repeated 1: {1 namespace, 2 name, 3: {1 pod, 2 concurrency, 4 requests, ...}}}."""
    assert isinstance(frame, bytes), "a protobuf frame is binary"
    stats = []
    for number, message in fields(frame):
        assert number == 1
        parts = dict(fields(message))
        stat = dict(fields(parts[3]))
        others = tuple(sorted(set(stat) - {1, 2, 4}))
        key = f"{parts[1].decode()}/{parts[2].decode()}"
        stats.append(Stat(key, stat[1].decode(), stat.get(2, 0.0), stat.get(4, 0.0), others))
    return stats


def read_json(frame: bytes | str) -> list[Stat]:
    """{"Key": {"Namespace", "Name"}, "Stat": {"pod_name", "average_concurrent_requests", "request_count"}}."""
    assert isinstance(frame, str), "a JSON frame is text"
    message = json.loads(frame)
    key, stat = message["Key"], message["Stat"]
    numbers = stat.get("average_concurrent_requests", 0.0), stat.get("request_count", 0.0)
    return [Stat(f"{key['Namespace']}/{key['Name']}", stat["pod_name"], *numbers)]


def read_gob(frame: bytes | str) -> list[Stat]:
    """One StatMessage, as 0.12 to 0.15 have it; its Time is 15 bytes: version, seconds since year 1, nanoseconds, zone."""
    assert isinstance(frame, bytes), "a gob frame is binary"
    message = gob.value(frame, GOB)
    key, stat = message[0], message[1]
    _, seconds, nanoseconds, _ = struct.unpack(">bqih", stat[0])
    decided_at_ms = (seconds - YEAR_1_TO_1970_SECONDS) * 1000 + round(nanoseconds / 1e6)
    others = tuple(sorted(set(stat) - {0, 1, 2, 4}))
    name = f"{key[0].decode()}/{key[1].decode()}"
    return [Stat(name, stat[1].decode(), stat.get(2, 0.0), stat.get(4, 0.0), others, decided_at_ms)]
