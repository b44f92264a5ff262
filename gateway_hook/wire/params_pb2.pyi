import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Params(_message.Message):
    __slots__ = ("namespace", "service", "report_style", "awake_cache")
    class ReportStyle(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        SETTINGS: _ClassVar[Params.ReportStyle]
        ACTIVATOR: _ClassVar[Params.ReportStyle]
        ORIGINAL: _ClassVar[Params.ReportStyle]
    SETTINGS: Params.ReportStyle
    ACTIVATOR: Params.ReportStyle
    ORIGINAL: Params.ReportStyle
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    REPORT_STYLE_FIELD_NUMBER: _ClassVar[int]
    AWAKE_CACHE_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    service: str
    report_style: Params.ReportStyle
    awake_cache: _duration_pb2.Duration
    def __init__(self, namespace: _Optional[str] = ..., service: _Optional[str] = ..., report_style: _Optional[_Union[Params.ReportStyle, str]] = ..., awake_cache: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...
