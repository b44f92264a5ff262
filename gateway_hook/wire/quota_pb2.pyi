from gateway_hook.wire import extensions_pb2 as _extensions_pb2
from gateway_hook.wire import quota_model_pb2 as _quota_model_pb2
from gateway_hook.wire import value_pb2 as _value_pb2
from google.protobuf import any_pb2 as _any_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class HandleQuotaRequest(_message.Message):
    __slots__ = ("instance", "adapter_config", "dedup_id", "quota_request")
    INSTANCE_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_CONFIG_FIELD_NUMBER: _ClassVar[int]
    DEDUP_ID_FIELD_NUMBER: _ClassVar[int]
    QUOTA_REQUEST_FIELD_NUMBER: _ClassVar[int]
    instance: InstanceMsg
    adapter_config: _any_pb2.Any
    dedup_id: bytes
    quota_request: _quota_model_pb2.QuotaRequest
    def __init__(self, instance: _Optional[_Union[InstanceMsg, _Mapping]] = ..., adapter_config: _Optional[_Union[_any_pb2.Any, _Mapping]] = ..., dedup_id: _Optional[bytes] = ..., quota_request: _Optional[_Union[_quota_model_pb2.QuotaRequest, _Mapping]] = ...) -> None: ...

class InstanceMsg(_message.Message):
    __slots__ = ("name", "dimensions")
    class DimensionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: bytes
        value: _value_pb2.Value
        def __init__(self, key: _Optional[bytes] = ..., value: _Optional[_Union[_value_pb2.Value, _Mapping]] = ...) -> None: ...
    NAME_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    name: bytes
    dimensions: _containers.RepeatedCompositeFieldContainer[InstanceMsg.DimensionsEntry]
    def __init__(self, name: _Optional[bytes] = ..., dimensions: _Optional[_Iterable[_Union[InstanceMsg.DimensionsEntry, _Mapping]]] = ...) -> None: ...
