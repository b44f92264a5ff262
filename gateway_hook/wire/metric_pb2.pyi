from gateway_hook.wire import extensions_pb2 as _extensions_pb2
from gateway_hook.wire import report_pb2 as _report_pb2
from gateway_hook.wire import value_pb2 as _value_pb2
from google.protobuf import any_pb2 as _any_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HandleMetricRequest(_message.Message):
    __slots__ = ("instances", "adapter_config", "dedup_id")
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_CONFIG_FIELD_NUMBER: _ClassVar[int]
    DEDUP_ID_FIELD_NUMBER: _ClassVar[int]
    instances: _containers.RepeatedCompositeFieldContainer[InstanceMsg]
    adapter_config: _any_pb2.Any
    dedup_id: bytes
    def __init__(self, instances: _Optional[_Iterable[_Union[InstanceMsg, _Mapping]]] = ..., adapter_config: _Optional[_Union[_any_pb2.Any, _Mapping]] = ..., dedup_id: _Optional[bytes] = ...) -> None: ...

class InstanceMsg(_message.Message):
    __slots__ = ("name", "value", "dimensions", "monitored_resource_type", "monitored_resource_dimensions")
    class DimensionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: bytes
        value: _value_pb2.Value
        def __init__(self, key: _Optional[bytes] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    class MonitoredResourceDimensionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: bytes
        value: _value_pb2.Value
        def __init__(self, key: _Optional[bytes] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    MONITORED_RESOURCE_TYPE_FIELD_NUMBER: _ClassVar[int]
    MONITORED_RESOURCE_DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    name: bytes
    value: _value_pb2.Value
    dimensions: _containers.RepeatedCompositeFieldContainer[InstanceMsg.DimensionsEntry]
    monitored_resource_type: bytes
    monitored_resource_dimensions: _containers.RepeatedCompositeFieldContainer[InstanceMsg.MonitoredResourceDimensionsEntry]
    def __init__(self, name: _Optional[bytes] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ..., dimensions: _Optional[_Iterable[_Union[InstanceMsg.DimensionsEntry, _Mapping]]] = ..., monitored_resource_type: _Optional[bytes] = ..., monitored_resource_dimensions: _Optional[_Iterable[_Union[InstanceMsg.MonitoredResourceDimensionsEntry, _Mapping]]] = ...) -> None: ...
