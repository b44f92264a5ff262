"""Reads protobuf's wire format from its bytes alone: the numbers and values of a message's fields, whatever they mean."""

import struct
from collections.abc import Iterator

Value = bytes | float | int


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Number and value of each field: bytes where it has a length, a float of 8 bytes, or a whole number."""
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
