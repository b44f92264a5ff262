"""What an instance says, by name. Pure.

A name is compared without regard to case and to `_`, `-` and `.`, for the same attribute is `destination.service.name`,
`destination_service_name` and `destinationServiceName`, depending on whose instance it is; and a header that is mapped to a
property may be `user-agent` or `user_agent`. What is said is kept as bytes: it may be invalid UTF-8.
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Protocol

from gateway_hook.wire.value_pb2 import Value

Names = dict[str, bytes]
"""By plain name."""

#: What says nothing: Istio's own instances say `unknown` where an attribute is missing.
SILENT: Final = frozenset({b"", b"unknown"})

_IGNORED: Final = str.maketrans("", "", "_-.")


class Entry(Protocol):
    """An entry of a map<string, Value>."""

    key: bytes
    value: Value


@lru_cache(maxsize=1024)
def plain(name: str | bytes) -> str:
    """A name as it is compared."""
    text = name if isinstance(name, str) else name.decode(errors="replace")
    return text.lower().translate(_IGNORED)


def says(text: bytes) -> bool:
    """Whether a text says something."""
    return text.strip() not in SILENT


def first(names: Names, wanted: Iterable[str]) -> bytes:
    """What is said under the first of these plain names that says something."""
    for name in wanted:
        text = names.get(name)
        if text and text.strip() not in SILENT:
            return text
    return b""


def entries(*maps: Iterable[Entry]) -> Names:
    """What the entries of maps say, the last that has a name."""
    names = {}
    for properties in maps:
        for one in properties:
            names[plain(one.key)] = text_of(one.value)
    return names


def text_of(value: Value) -> bytes:
    """A value as text, whatever its type; empty for a time, a duration or a map, which name nothing."""
    match value.WhichOneof("value"):
        case "string_value":
            return value.string_value
        case "dns_name_value" | "uri_value" | "email_address_value" as arm:
            return bytes(getattr(value, arm).value)
        case "int64_value" | "double_value" as arm:
            return repr(getattr(value, arm)).encode()
        case "bool_value":
            return b"true" if value.bool_value else b"false"
        case "ip_address_value":
            return _address(value.ip_address_value.value)
    return b""


def _address(packed: bytes) -> bytes:
    """An IP address; Go keeps an IPv4 one in 16 bytes too."""
    try:
        address = ipaddress.ip_address(packed)
    except ValueError:
        return b""
    return str(getattr(address, "ipv4_mapped", None) or address).encode()
