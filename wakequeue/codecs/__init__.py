"""Codecs turn a StatMessage into a WebSocket frame and back, one module for each of Knative's three formats."""

from typing import ClassVar, Protocol

from wakequeue.release import Release
from wakequeue.stat import StatMessage

Frame = bytes | str
"""One WebSocket message: binary or text."""


class Codec(Protocol):
    """One frame format."""

    #: Whether frames put end to end are one frame of all their messages.
    joins: ClassVar[bool]

    def encode(self, message: StatMessage, now: float) -> Frame:
        """One frame of one message; `now` is Unix time in seconds. Raises ValueError where the format can't hold it."""
        ...

    def decode(self, frame: Frame) -> list[StatMessage]:
        """The messages of a frame. Raises ValueError for any other bytes."""
        ...


def whole(count: float) -> int:
    """A request count as it was sent. Raises ValueError where it is no number."""
    try:
        return int(count)
    except OverflowError as error:
        raise ValueError(str(error)) from error


def codec_for(release: Release) -> Codec:
    """The codec of a release's format."""
    if release.format == "protobuf":
        from wakequeue.codecs.protobuf import ProtobufCodec  # noqa: PLC0415  one format a process: load no other

        return ProtobufCodec()
    if release.format == "json":
        from wakequeue.codecs.jsontext import JsonCodec  # noqa: PLC0415  as above

        return JsonCodec()
    from wakequeue.codecs.gob import GobCodec  # noqa: PLC0415  as above

    return GobCodec(release.minor)
