"""JSON text frames, which Knative reads from 0.16 to 0.19.

Source: knative.dev/serving pkg/autoscaler/metrics/stats.go of 0.16 (StatMessage, and the JSON names of Stat).
"""

from typing import ClassVar

import msgspec

from wakequeue.codecs import Frame, whole
from wakequeue.revision import Revision
from wakequeue.stat import StatMessage


class _Key(msgspec.Struct, rename="pascal"):
    namespace: str
    name: str


class _Stat(msgspec.Struct, omit_defaults=True):
    pod_name: str = ""
    average_concurrent_requests: float = 0.0
    request_count: int | float = 0


class _Message(msgspec.Struct, rename="pascal"):
    key: _Key
    stat: _Stat


class JsonCodec:
    """One object a frame, with zero fields left out."""

    joins: ClassVar[bool] = False

    def encode(self, message: StatMessage, now: float) -> Frame:  # noqa: ARG002  the shape has no time
        """One text frame."""
        key = _Key(message.revision.namespace, message.revision.name)
        stat = _Stat(message.pod_name, message.concurrency, message.requests)
        return msgspec.json.encode(_Message(key, stat)).decode()

    def decode(self, frame: Frame) -> list[StatMessage]:
        """The one message."""
        if isinstance(frame, bytes):
            msg = "a JSON frame is text, this one is binary"
            raise ValueError(msg)  # noqa: TRY004  a peer's bad frame, not a programming error
        try:
            wire = msgspec.json.decode(frame, type=_Message)
        except (msgspec.DecodeError, RecursionError) as error:
            raise ValueError(str(error)) from error
        revision = Revision(wire.key.namespace, wire.key.name)
        return [StatMessage(revision, wire.stat.pod_name, wire.stat.average_concurrent_requests, whole(wire.stat.request_count))]
