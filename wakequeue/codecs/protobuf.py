"""Protobuf frames, which Knative reads since 0.17 and alone since 0.20.

Source: knative.dev/serving pkg/autoscaler/metrics/stat.proto (WireStatMessages) and pkg/autoscaler/statserver/server.go.
"""

from typing import ClassVar

from google.protobuf.message import DecodeError

from wakequeue.codecs import Frame, whole
from wakequeue.revision import Revision
from wakequeue.stat import StatMessage
from wakequeue.wire.stat_pb2 import WireStatMessages


class ProtobufCodec:
    """Frames join, because a repeated field put end to end is one longer repeated field."""

    joins: ClassVar[bool] = True

    def encode(self, message: StatMessage, now: float) -> Frame:  # noqa: ARG002  the timestamp stays 0, which means on arrival
        """One binary frame."""
        wires = WireStatMessages()
        wire = wires.messages.add(namespace=message.revision.namespace, name=message.revision.name)
        stat = wire.stat  # made in its place: to fill it is half the work of making it aside
        stat.pod_name = message.pod_name
        stat.average_concurrent_requests = message.concurrency
        stat.request_count = message.requests
        return wires.SerializeToString()

    def decode(self, frame: Frame) -> list[StatMessage]:
        """The messages that carry a stat; the Autoscaler skips the others too."""
        if isinstance(frame, str):
            msg = "a protobuf frame is binary, this one is text"
            raise ValueError(msg)  # noqa: TRY004  a peer's bad frame, not a programming error
        try:
            wires = WireStatMessages.FromString(frame).messages
        except DecodeError as error:
            raise ValueError(str(error)) from error
        return [
            StatMessage(
                Revision(wire.namespace, wire.name),
                wire.stat.pod_name,
                wire.stat.average_concurrent_requests,
                whole(wire.stat.request_count),
            )
            for wire in wires
            if wire.HasField("stat")
        ]
