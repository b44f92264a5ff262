"""Our protos as Mixer's configuration has them: sets of descriptors, with upstream's own types. Pure.

Ours differ from upstream's in two ways (see protos/README.md), which are undone here: text is `bytes`, and maps are the entries
that they are on the wire. And Mixer 1.1 looks for each field's JSON name, which Python's copies leave out.

Source: istio.io/istio mixer/pkg/runtime/config/descriptorUtil.go, mixer/pkg/protobuf/yaml/resolver.go.
"""

from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.descriptor_pb2 import DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet

#: Where our own files are.
OURS: Final = "gateway_hook/wire/"

#: What is bytes upstream too.
BINARY: Final = frozenset({"IPAddress"})


def descriptor_set(file: Any) -> bytes:  # noqa: ANN401  a FileDescriptor, of either implementation
    """A serialized FileDescriptorSet of a file and all that it imports, those first."""
    files: dict[str, FileDescriptorProto] = {}
    _gather(file, files)
    return FileDescriptorSet(file=files.values()).SerializeToString(deterministic=True)


def _gather(file: Any, files: dict[str, FileDescriptorProto]) -> None:  # noqa: ANN401  as above
    for needed in file.dependencies:
        _gather(needed, files)
    if file.name not in files:
        copy = files[file.name] = FileDescriptorProto()
        file.CopyToProto(copy)
        _name(copy.extension)
        for message in copy.message_type:
            _restore(message, ours=file.name.startswith(OURS))


def _name(fields: Iterable[FieldDescriptorProto]) -> None:
    for field in fields:
        first, *others = field.name.split("_")
        field.json_name = first + "".join(part[:1].upper() + part[1:] for part in others)


def _restore(message: DescriptorProto, *, ours: bool) -> None:
    _name(message.field)
    for field in message.field:
        if ours and field.type == FieldDescriptorProto.TYPE_BYTES and message.name not in BINARY:
            field.type = FieldDescriptorProto.TYPE_STRING
    for nested in message.nested_type:
        if ours and nested.name.endswith("Entry"):
            nested.options.map_entry = True
        _restore(nested, ours=ours)
