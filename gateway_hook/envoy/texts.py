"""What Envoy's messages say in texts: pairs, headers, and a Revision by the names that wakequeue gives it. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from gateway_hook.call import Named
from gateway_hook.wire.core_pb2 import HeaderValue, Metadata, TextEntry

#: The names by which a route's own configuration says which Revision it leads to: as context extensions or tags, and as the
#: metadata of this filter, with the names `namespace` and `revision`.
NAMESPACE: Final = b"wakequeue.namespace"
REVISION: Final = b"wakequeue.revision"
FILTER: Final = b"wakequeue"

#: The name by which the gateway says which cluster its route chose.
CLUSTER: Final = b"x-wakequeue-cluster"


def pairs(entries: Iterable[TextEntry]) -> dict[bytes, bytes]:
    """The texts by their names."""
    return {entry.key: entry.value for entry in entries}


def headers(entries: Iterable[TextEntry | HeaderValue]) -> dict[str, str]:
    """Request headers, with names in lower case; of several values of one name, the last."""
    return {
        entry.key.decode(errors="replace").lower(): (getattr(entry, "raw_value", b"") or entry.value).decode(errors="replace")
        for entry in entries
    }


def named(texts: Mapping[bytes, bytes]) -> Named:
    """The Revision that context extensions or tags name."""
    return Named(texts.get(NAMESPACE, b""), texts.get(REVISION, b""))


def named_by(metadata: Metadata) -> Named:
    """The Revision that a route's metadata name."""
    fields = next((one.value.fields for one in metadata.filter_metadata if one.key == FILTER), ())
    texts = {field.key: field.value.string_value for field in fields}
    return Named(texts.get(b"namespace", b""), texts.get(b"revision", b""))
