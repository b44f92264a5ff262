"""The words by which a gateway's configuration names a Revision; other people's configurations rely on them. Pure."""

from collections.abc import Iterable, Mapping
from typing import Final

from gateway_hook.call import Cluster, Exact
from gateway_hook.wire.envoy_core_pb2 import Metadata, Pair

#: The gRPC metadata of a check, or the custom tag of an entry, that has the cluster which the route chose.
CLUSTER: Final = "x-wakequeue-cluster"

#: The context extensions of a check, or the custom tags of an entry, that name a Revision.
NAMESPACE: Final = b"wakequeue.namespace"
REVISION: Final = b"wakequeue.revision"

#: The metadata that names one: its filter, and the keys.
FILTER: Final = b"wakequeue"
METADATA_NAMESPACE: Final = b"namespace"
METADATA_REVISION: Final = b"revision"


def pairs(entries: Iterable[Pair]) -> dict[bytes, bytes]:
    """A map of strings, by key."""
    return {one.key: one.value for one in entries}


def named(said: Mapping[bytes, bytes], namespace: bytes = NAMESPACE, revision: bytes = REVISION) -> tuple[Exact, ...]:
    """What context extensions or custom tags name, or whatever has these keys; nothing where no Revision is said."""
    return (Exact(said.get(namespace, b""), said[revision]),) if said.get(revision) else ()


def clusters(*names: bytes) -> tuple[Cluster, ...]:
    """Those of these clusters that have a name."""
    return tuple(Cluster(name) for name in names if name)


def named_by_metadata(metadata: Metadata) -> tuple[Exact, ...]:
    """What a route's metadata, or a filter's, name."""
    ours = (one.value for one in metadata.filter_metadata if one.key == FILTER)
    said = {field.key: field.value.string_value for fields in ours for field in fields.fields}
    return named(said, METADATA_NAMESPACE, METADATA_REVISION)
