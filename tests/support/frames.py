"""Reads Knative's frames from their bytes alone, by the field numbers of its stat.proto: nothing of our encoder is used."""

import json
from dataclasses import dataclass

from support.protobuf import fields


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
