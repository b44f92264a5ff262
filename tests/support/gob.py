"""Reads gob's wire format from its bytes alone: numbers, bytes, and structs by the numbers of their fields, whatever they mean."""

import struct
from collections.abc import Callable
from io import BytesIO
from typing import Any

Read = Callable[[BytesIO], Any]


def value(frame: bytes, read: Read) -> Any:  # noqa: ANN401  a struct's fields have no one type
    """The value of a frame. The descriptions of types come before it: their ids are negative, as the last bit says."""
    messages = BytesIO(frame)
    while uint(message := BytesIO(chunk(messages))) & 1:
        pass
    return read(message)


def uint(data: BytesIO) -> int:
    """A whole number from 0 up."""
    first = data.read(1)[0]
    return first if first < 0x80 else int.from_bytes(data.read(0x100 - first), "big")


def real(data: BytesIO) -> float:
    """A float, which is written from its last byte to its first."""
    (number,) = struct.unpack("<d", uint(data).to_bytes(8, "big"))
    return float(number)


def chunk(data: BytesIO) -> bytes:
    """Bytes, or text."""
    return data.read(uint(data))


def fields(*reads: Read) -> Read:
    """A struct whose fields are read so: number -> value; those that are zero are absent."""

    def read(data: BytesIO) -> dict[int, Any]:
        values, number = {}, -1
        while delta := uint(data):
            number += delta
            values[number] = reads[number](data)
        return values

    return read
