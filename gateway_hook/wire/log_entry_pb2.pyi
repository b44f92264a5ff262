import datetime

from gateway_hook.wire import envoy_core_pb2 as _envoy_core_pb2
from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AccessLogType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    NotSet: _ClassVar[AccessLogType]
    DownstreamStart: _ClassVar[AccessLogType]
    DownstreamEnd: _ClassVar[AccessLogType]
    UpstreamEnd: _ClassVar[AccessLogType]
NotSet: AccessLogType
DownstreamStart: AccessLogType
DownstreamEnd: AccessLogType
UpstreamEnd: AccessLogType

class HTTPAccessLogEntry(_message.Message):
    __slots__ = ("common_properties", "request", "response")
    COMMON_PROPERTIES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    common_properties: AccessLogCommon
    request: HTTPRequestProperties
    response: HTTPResponseProperties
    def __init__(self, common_properties: _Optional[_Union[AccessLogCommon, _Mapping]] = ..., request: _Optional[_Union[HTTPRequestProperties, _Mapping]] = ..., response: _Optional[_Union[HTTPResponseProperties, _Mapping]] = ...) -> None: ...

class AccessLogCommon(_message.Message):
    __slots__ = ("time_to_first_upstream_rx_byte", "upstream_cluster", "response_flags", "metadata", "custom_tags", "upstream_request_attempt_count", "stream_id", "access_log_type")
    TIME_TO_FIRST_UPSTREAM_RX_BYTE_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_CLUSTER_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FLAGS_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    CUSTOM_TAGS_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_REQUEST_ATTEMPT_COUNT_FIELD_NUMBER: _ClassVar[int]
    STREAM_ID_FIELD_NUMBER: _ClassVar[int]
    ACCESS_LOG_TYPE_FIELD_NUMBER: _ClassVar[int]
    time_to_first_upstream_rx_byte: _duration_pb2.Duration
    upstream_cluster: bytes
    response_flags: ResponseFlags
    metadata: _envoy_core_pb2.Metadata
    custom_tags: _containers.RepeatedCompositeFieldContainer[_envoy_core_pb2.Pair]
    upstream_request_attempt_count: int
    stream_id: bytes
    access_log_type: AccessLogType
    def __init__(self, time_to_first_upstream_rx_byte: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., upstream_cluster: _Optional[bytes] = ..., response_flags: _Optional[_Union[ResponseFlags, _Mapping]] = ..., metadata: _Optional[_Union[_envoy_core_pb2.Metadata, _Mapping]] = ..., custom_tags: _Optional[_Iterable[_Union[_envoy_core_pb2.Pair, _Mapping]]] = ..., upstream_request_attempt_count: _Optional[int] = ..., stream_id: _Optional[bytes] = ..., access_log_type: _Optional[_Union[AccessLogType, str]] = ...) -> None: ...

class ResponseFlags(_message.Message):
    __slots__ = ("no_healthy_upstream", "upstream_connection_failure", "no_route_found", "no_cluster_found")
    NO_HEALTHY_UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_CONNECTION_FAILURE_FIELD_NUMBER: _ClassVar[int]
    NO_ROUTE_FOUND_FIELD_NUMBER: _ClassVar[int]
    NO_CLUSTER_FOUND_FIELD_NUMBER: _ClassVar[int]
    no_healthy_upstream: bool
    upstream_connection_failure: bool
    no_route_found: bool
    no_cluster_found: bool
    def __init__(self, no_healthy_upstream: _Optional[bool] = ..., upstream_connection_failure: _Optional[bool] = ..., no_route_found: _Optional[bool] = ..., no_cluster_found: _Optional[bool] = ...) -> None: ...

class HTTPRequestProperties(_message.Message):
    __slots__ = ("request_method", "authority", "path", "user_agent", "request_id", "request_headers")
    REQUEST_METHOD_FIELD_NUMBER: _ClassVar[int]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    USER_AGENT_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_HEADERS_FIELD_NUMBER: _ClassVar[int]
    request_method: _envoy_core_pb2.RequestMethod
    authority: bytes
    path: bytes
    user_agent: bytes
    request_id: bytes
    request_headers: _containers.RepeatedCompositeFieldContainer[_envoy_core_pb2.Pair]
    def __init__(self, request_method: _Optional[_Union[_envoy_core_pb2.RequestMethod, str]] = ..., authority: _Optional[bytes] = ..., path: _Optional[bytes] = ..., user_agent: _Optional[bytes] = ..., request_id: _Optional[bytes] = ..., request_headers: _Optional[_Iterable[_Union[_envoy_core_pb2.Pair, _Mapping]]] = ...) -> None: ...

class HTTPResponseProperties(_message.Message):
    __slots__ = ("response_code_details",)
    RESPONSE_CODE_DETAILS_FIELD_NUMBER: _ClassVar[int]
    response_code_details: bytes
    def __init__(self, response_code_details: _Optional[bytes] = ...) -> None: ...
