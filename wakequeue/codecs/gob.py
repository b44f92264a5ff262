"""Gob frames, which Knative reads from 0.1 to 0.16, in the shape of each release.

Source: knative.dev/serving pkg/autoscaler, StatMessage and Stat in autoscaler.go, later collector.go (metrics/ since 0.12).
Its statserver/server.go reads each frame with a fresh decoder of Go's `encoding/gob`, which passes over a field that it
does not know and refuses a frame with a field of another type, int for float included.
"""

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import ClassVar, Final

from wakequeue.codecs import Frame
from wakequeue.codecs.gobwire import Schema, refuse
from wakequeue.revision import Revision
from wakequeue.stat import StatMessage

NEWEST_MINOR: Final = 16
#: Far above any frame of one StatMessage, which takes some hundreds.
LONGEST_FRAME_BYTES: Final = 1 << 16
#: Up to this release a stat wakes only from a pod whose name begins so: 0.5 drops any other, and earlier ones take it for a pod
#: of the Revision (isActivator in their autoscaler.go).
_LAST_TO_KNOW_THE_ACTIVATOR: Final = 5
_ACTIVATOR: Final = "activator"
#: The largest RequestCount: Go's field is an int32 there, and a float counts one by one up to here.
_MOST_REQUESTS: Final = {"int": 2**31 - 1, "float": 2**53}
_YEAR_1_TO_1970_SECONDS: Final = 62_135_596_800

_PLAIN: Final = "PodName string, AverageConcurrentRequests float"
_PROXIED: Final = f"{_PLAIN}, AverageProxiedConcurrentRequests float"
_INTS: Final = f"{_PROXIED}, RequestCount int, ProxiedRequestCount int"
_FLOATS: Final = f"{_PROXIED}, RequestCount float, ProxiedRequestCount float"
#: By the minor release that brought it: the type of Key, and Stat's fields in Go's order. (That 0.1 names its string
#: RevisionKey is nothing to gob.)
_SHAPES: Final = {
    1: ("string", f"Time *Time, {_PLAIN}, RequestCount int"),
    2: ("string", f"Time *Time, {_PLAIN}, RequestCount int, LameDuck bool"),
    5: ("string", f"Time *Time, {_INTS}"),
    7: ("string", f"Time *Time, {_FLOATS}"),
    8: ("NamespacedName", f"Time *Time, {_FLOATS}"),
    10: ("NamespacedName", f"Time Time, {_FLOATS}"),
    12: ("NamespacedName", f"Time Time, {_FLOATS}, ProcessUptime float"),
    16: ("NamespacedName", f"{_FLOATS}, ProcessUptime float"),
}


@dataclass(frozen=True, slots=True)
class GobCodec:
    """Writes and reads the StatMessages of Knative 0.`minor`. Raises ValueError for a release that takes no gob."""

    minor: int
    #: A frame holds one message, so frames cannot be joined.
    joins: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if not 1 <= self.minor <= NEWEST_MINOR:
            msg = f"Knative 0.{self.minor} takes no gob; 0.1 to 0.{NEWEST_MINOR} do"
            raise ValueError(msg)

    def encode(self, message: StatMessage, now: float) -> bytes:
        """Write one frame. `now`, in Unix seconds, is the Time of a release that has one: 0.2 to 0.5 drop a stat without."""
        shape = _shape(self.minor)
        pod_name = message.pod_name
        if self.minor <= _LAST_TO_KNOW_THE_ACTIVATOR and not pod_name.startswith(_ACTIVATOR):
            pod_name = f"{_ACTIVATOR}-{pod_name}"
        stat = {
            "Time": _time(now),
            "PodName": pod_name,
            "AverageConcurrentRequests": message.concurrency,
            "RequestCount": min(message.requests, shape.most_requests),
        }
        return shape.schema.encode({"Key": shape.key(message.revision), "Stat": stat})

    def decode(self, frame: Frame) -> list[StatMessage]:
        """Read one frame as the Autoscaler of this release does: by the descriptions in it.

        Raises ValueError for all but a whole frame of one StatMessage with a valid Revision and finite numbers from 0 up.
        """
        if isinstance(frame, str):
            refuse("it is text")
        if len(frame) > LONGEST_FRAME_BYTES:
            refuse(f"{len(frame)} bytes")
        value = _shape(self.minor).schema.decode(frame)
        key, stat = value.get("Key", ""), value.get("Stat", {})
        concurrency, requests = stat.get("AverageConcurrentRequests", 0.0), stat.get("RequestCount", 0)
        if not (0 <= concurrency < math.inf and 0 <= requests < math.inf):
            refuse(f"concurrency {concurrency}, {requests} requests")
        return [StatMessage(_revision(key), stat.get("PodName", ""), concurrency, int(requests))]


@dataclass(frozen=True, slots=True)
class _Shape:
    schema: Schema
    key: Callable[[Revision], object]
    most_requests: int


@cache
def _shape(minor: int) -> _Shape:
    key, fields = _SHAPES[max(first for first in _SHAPES if first <= minor)]
    stat = dict(field.split() for field in fields.split(", "))
    schema = Schema.of(
        {
            "StatMessage": {"Key": key, "Stat": "Stat"},
            "NamespacedName": {"Namespace": "string", "Name": "string"},
            "Stat": stat,
            "*Time": None,
            "Time": None,
        }
    )
    return _Shape(schema, _KEYS[key], _MOST_REQUESTS[stat["RequestCount"]])


def _namespaced_name(revision: Revision) -> dict[str, str]:
    return {"Namespace": revision.namespace, "Name": revision.name}


def _revision(key: str | Mapping[str, str]) -> Revision:
    if isinstance(key, str):
        return Revision.parse(key)
    return Revision(key.get("Namespace", ""), key.get("Name", ""))


_KEYS: Final[Mapping[str, Callable[[Revision], object]]] = {"string": str, "NamespacedName": _namespaced_name}


def _time(now: float) -> bytes:
    # Go's Time.MarshalBinary: version 1, seconds since year 1, nanoseconds, minutes east of UTC (-1 is UTC itself).
    seconds, fraction = divmod(now, 1)
    return struct.pack(">bqih", 1, int(seconds) + _YEAR_1_TO_1970_SECONDS, int(fraction * 1e9), -1)
