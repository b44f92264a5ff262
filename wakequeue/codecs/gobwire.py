"""Go's gob wire format, as far as structs of numbers, texts and times need it; a frame holds one value.

A frame is what a fresh Go encoder writes: a message that describes each type of the value, then one with the value. Such
a description is itself a gob value, of type `WIRE_TYPE`, which is why types and values share one module of this length.
Source: the documentation of Go's package `encoding/gob`, "Encoding Details". Left out, because no StatMessage has them:
lists, maps, interfaces and complex numbers as values.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn, Self

#: The id of the first type that a program describes, up to Go 1.19, with which Knative 0.1 to 0.16 were built; 64 in
#: newer ones. A decoder takes the ids that the frame itself gives.
FIRST_ID: Final = 65
#: Values nested deeper than this are refused: a received type may contain itself.
DEEPEST: Final = 8
#: A number below this is one byte; any other is its length, negated, then that many bytes, at most 8.
ONE_BYTE: Final = 0x80
UINT_BYTES: Final = 8


def refuse(reason: str) -> NoReturn:
    """Raise the ValueError of a frame that cannot be read."""
    msg = f"not a gob frame of the expected shape: {reason}"
    raise ValueError(msg)


def _uint(number: int) -> bytes:
    if number < ONE_BYTE:
        return bytes((number,))
    digits = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return bytes((0x100 - len(digits),)) + digits


def _sint(number: int) -> bytes:
    return _uint(~number << 1 | 1 if number < 0 else number << 1)


def _real(number: float) -> bytes:
    return _uint(int.from_bytes(struct.pack("<d", number), "big"))


def _chunk(data: bytes) -> bytes:
    return _uint(len(data)) + data


def _text(text: str) -> bytes:
    return _chunk(text.encode())


class _Reader:
    """Takes values off the front of `data`. Raises ValueError where they are not gob."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        start, self.at = self.at, self.at + size
        if self.at > len(self.data):
            refuse("it ends too early")
        return self.data[start : self.at]

    def end(self) -> None:
        if self.at < len(self.data):
            refuse("bytes are left over")

    def uint(self) -> int:
        first = self.take(1)[0]
        if first < ONE_BYTE:
            return first
        if (size := 0x100 - first) > UINT_BYTES:
            refuse(f"a number of {size} bytes")
        return int.from_bytes(self.take(size), "big")

    def sint(self) -> int:
        bits = self.uint()
        return ~(bits >> 1) if bits & 1 else bits >> 1

    def real(self) -> float:
        (number,) = struct.unpack("<d", self.uint().to_bytes(UINT_BYTES, "big"))
        return float(number)

    def chunk(self) -> bytes:
        return self.take(self.uint())

    def text(self) -> str:
        return self.chunk().decode()


@dataclass(frozen=True, slots=True)
class Basic:
    """A type without parts."""

    name: str
    write: Callable[[Any], bytes]
    read: Callable[[_Reader], object]


@dataclass(frozen=True, slots=True)
class Slice:
    """A list of one type, by its id. Only descriptions have one."""

    element: int


@dataclass(frozen=True, slots=True)
class Struct:
    """Fields in the order in which they are numbered: name and type id."""

    fields: tuple[tuple[str, int], ...]


Types = Mapping[int, Basic | Slice | Struct]
#: Types by name, each with its fields (name: name of the type), or None for one that marshals itself. The first is the
#: value's own. A leading * marks a pointer: the same value under another description.
Shape = Mapping[str, Mapping[str, str] | None]

#: Any type that writes itself as bytes (Go's GobEncoder); its id is the frame's to choose.
MARSHALED: Final = Basic("a GobEncoder", _chunk, _Reader.chunk)
WIRE_TYPE: Final = 16
#: The types that gob knows without a description; arrays, slices and maps (17, 19, 23) are left out, and so refused.
BUILTIN: Final[Types] = {
    1: Basic("bool", _uint, _Reader.uint),
    2: Basic("int", _sint, _Reader.sint),
    3: Basic("uint", _uint, _Reader.uint),
    4: Basic("float", _real, _Reader.real),
    5: Basic("bytes", _chunk, _Reader.chunk),
    6: Basic("string", _text, _Reader.text),
    WIRE_TYPE: Struct((("ArrayT", 17), ("SliceT", 19), ("StructT", 20), ("MapT", 23), ("GobEncoderT", 24))),
    18: Struct((("Name", 6), ("Id", 2))),
    20: Struct((("CommonType", 18), ("Field", 22))),
    21: Struct((("Name", 6), ("Id", 2))),
    22: Slice(21),
    24: Struct((("CommonType", 18),)),
}


@dataclass(frozen=True, slots=True)
class Schema:
    """One shape ready for use: its types under their ids, and the messages that describe them."""

    types: Types
    descriptions: bytes

    @classmethod
    def of(cls, shape: Shape) -> Self:
        """Give the types ids and descriptions in Go's order: each before the types of its fields."""
        names = tuple(_in_order(shape, next(iter(shape))))
        ids = {kind.name: number for number, kind in BUILTIN.items() if isinstance(kind, Basic)}
        ids |= {name: number for number, name in enumerate(names, start=FIRST_ID)}
        types, descriptions = dict(BUILTIN), b""
        for name in names:
            types[ids[name]], description = _described(name, shape[name], ids)
            descriptions += _message(-ids[name], _written(BUILTIN, WIRE_TYPE, description))
        return cls(types, descriptions)

    def encode(self, value: Mapping[str, object]) -> bytes:
        """Write one frame. A field that `value` lacks is zero; what the shape lacks is not sent."""
        return self.descriptions + _message(FIRST_ID, _written(self.types, FIRST_ID, value))

    def decode(self, frame: bytes) -> dict[str, Any]:
        """Read one frame by its own descriptions; fields that are zero are absent.

        As in Go, fields are matched by name, one of the frame alone is kept as it is, and one that both have must have the
        same type. Raises ValueError otherwise, and for bytes after the value, at which Go does not look. The work and the
        memory are in proportion to the frame.
        """
        types = dict(BUILTIN)
        messages = _Reader(frame)
        while (number := (message := _Reader(messages.chunk())).sint()) < 0:
            if -number in types:
                refuse(f"type {-number} is described twice")
            types[-number] = _understood(_value(BUILTIN, WIRE_TYPE, message))
            message.end()
        self._agree("the value", FIRST_ID, number, types)
        value: dict[str, Any] = _value(types, number, message)
        message.end()
        messages.end()
        return value

    def _agree(self, where: str, ours: int, theirs: int, types: Types) -> None:
        match self.types[ours], _known(types, theirs):
            case Struct(wanted), Struct(sent):
                ids = dict(wanted)
                for name, number in sent:
                    if name in ids:
                        self._agree(name, ids[name], number, types)
            case wanted, sent if wanted != sent:
                refuse(f"{where} has another type")


def _in_order(shape: Shape, name: str) -> Iterator[str]:
    if name in shape:
        yield name
        for kind in (shape[name] or {}).values():
            yield from _in_order(shape, kind)


def _described(name: str, fields: Mapping[str, str] | None, ids: Mapping[str, int]) -> tuple[Basic | Struct, object]:
    common = {"Name": name, "Id": ids[name]}
    if fields is None:
        if name.startswith("*"):
            # Go's buildTypeInfo makes a pointer one more type, without a name, but announces it under its target's id.
            common = {"Name": "", "Id": ids[name] + 1}
        return MARSHALED, {"GobEncoderT": {"CommonType": common}}
    kind = Struct(tuple((field, ids[kind]) for field, kind in fields.items()))
    return kind, {"StructT": {"CommonType": common, "Field": [{"Name": field, "Id": i} for field, i in kind.fields]}}


def _understood(description: Mapping[str, Any]) -> Basic | Struct:
    match description:
        case {"StructT": {"Field": listed}}:
            fields = tuple((field.get("Name", ""), field.get("Id", 0)) for field in listed)
            if len(dict(fields)) < len(fields):
                refuse("a struct with two fields of one name")
            return Struct(fields)
        case {"GobEncoderT": _}:
            return MARSHALED
        case _:
            refuse("a type that is neither a struct with fields nor a GobEncoder")


def _message(number: int, value: bytes) -> bytes:
    return _chunk(_sint(number) + value)


def _written(types: Types, number: int, value: Any) -> bytes:  # noqa: ANN401  what types[number] says
    match types[number]:
        case Struct(fields):
            parts, last = [], -1
            for index, (name, kind) in enumerate(fields):
                part = value.get(name)
                if part or part == {}:  # zero values are left out, structs never are
                    parts += [_uint(index - last), _written(types, kind, part)]
                    last = index
            return b"".join(parts) + b"\0"
        case Slice(element):
            return _uint(len(value)) + b"".join(_written(types, element, part) for part in value)
        case basic:
            return basic.write(value)


def _known(types: Types, number: int) -> Basic | Slice | Struct:
    if number not in types:
        refuse(f"type {number} is unknown")
    return types[number]


def _value(types: Types, number: int, reader: _Reader, depth: int = 0) -> Any:  # noqa: ANN401  as above
    match _known(types, number):
        case Struct(fields):
            if depth > DEEPEST:
                refuse("structs nested too deep")
            value: dict[str, object] = {}
            index = -1
            while delta := reader.uint():
                index += delta
                if index >= len(fields):
                    refuse("a field number out of bounds")
                name, part = fields[index]
                value[name] = _value(types, part, reader, depth + 1)
            return value
        case Slice(element):
            return [_value(types, element, reader, depth) for _ in range(reader.uint())]
        case basic:
            return basic.read(reader)
