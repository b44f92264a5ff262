"""Envoy's side of its protocols, from the field numbers alone: nothing of the front's own protocol code is used."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as field_of
from typing import Any, Final

from support.mixer import field, varint
from support.protobuf import fields

CHECK: Final = "/envoy.service.auth.v3.Authorization/Check"
STREAM: Final = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs"

#: ResponseFlags, by number; `unauthorized_details` (13) is a message.
FLAGS: Final = {
    "failed_local_healthcheck": 1,
    "no_healthy_upstream": 2,
    "upstream_request_timeout": 3,
    "local_reset": 4,
    "upstream_remote_reset": 5,
    "upstream_connection_failure": 6,
    "upstream_connection_termination": 7,
    "upstream_overflow": 8,
    "no_route_found": 9,
    "delay_injected": 10,
    "fault_injected": 11,
    "rate_limited": 12,
    "rate_limit_service_error": 14,
    "downstream_connection_termination": 15,
    "upstream_retry_limit_exceeded": 16,
    "stream_idle_timeout": 17,
    "invalid_envoy_request_headers": 18,
    "downstream_protocol_error": 19,
    "upstream_max_stream_duration_reached": 20,
    "response_from_cache_filter": 21,
    "no_filter_config_found": 22,
    "duration_timeout": 23,
    "upstream_protocol_error": 24,
    "no_cluster_found": 25,
    "overload_manager": 26,
    "dns_resolution_failure": 27,
    "downstream_remote_reset": 28,
}
#: AccessLogType.
START, PERIODIC, END, POOL_READY, TRY = 4, 5, 6, 7, 9

Pairs = Mapping[bytes, bytes]


def number(field_number: int, value: int) -> bytes:
    """A field of a whole number, or of a bool."""
    return varint(field_number << 3) + varint(value)


def pairs(field_number: int, entries: Pairs) -> bytes:
    """map<string, string> {1 key, 2 value}."""
    return b"".join(field(field_number, field(1, key) + field(2, value)) for key, value in entries.items())


def metadata(filters: Mapping[bytes, Pairs]) -> bytes:
    """Metadata {1 map<string, Struct {1 map<string, Value {3 string_value}>}>}, among values of other kinds."""
    others = ((b"count", varint(2 << 3 | 1) + b"\0" * 8), (b"on", number(4, 1)))

    def struct(said: Pairs) -> bytes:
        values = [*others, *((key, field(3, value)) for key, value in said.items())]
        return b"".join(field(1, field(1, key) + field(2, value)) for key, value in values)

    return b"".join(field(1, field(1, name) + field(2, struct(said))) for name, said in filters.items())


@dataclass(frozen=True, kw_only=True)
class Check:
    """What a CheckRequest says."""

    extensions: Pairs = field_of(default_factory=dict)
    route: Mapping[bytes, Pairs] = field_of(default_factory=dict)
    headers: Pairs = field_of(default_factory=dict)
    raw_headers: Pairs = field_of(default_factory=dict)
    method: bytes = b"GET"
    path: bytes = b"/"
    host: bytes = b"hello.example.com"

    def __bytes__(self) -> bytes:
        """CheckRequest {1 attributes {1 source, 4 request {2 http}, 10 context_extensions, 13 route_metadata_context}}.

        HttpRequest {1 id, 2 method, 3 headers, 4 path, 5 host, 10 protocol, 13 header_map {1 headers {1 key, 3 raw_value}}}.
        """
        raw = b"".join(field(1, field(1, key) + field(3, value)) for key, value in self.raw_headers.items())
        http = field(1, b"1-2-3") + field(2, self.method) + pairs(3, self.headers) + field(4, self.path) + field(5, self.host)
        http += field(10, b"HTTP/2") + (field(13, raw) if raw else b"")
        request = field(1, number(1, 1_800_000_000)) + field(2, http)
        route = field(13, metadata(self.route)) if self.route else b""
        return field(1, field(1, field(4, b"spiffe://someone")) + field(4, request) + pairs(10, self.extensions) + route)


def check_request(**said: Any) -> bytes:  # noqa: ANN401  fields of Check
    """A CheckRequest."""
    return bytes(Check(**said))


def headers_added(answer: bytes) -> tuple[int, dict[str, tuple[str, int]]]:
    """The status of a CheckResponse, and the headers that it adds: value and append action, by name.

    {1 status {1 code}, 3 ok_response {2 headers {1 header {1 key, 2 value}, 3 append_action}}}.
    """
    code, added = 0, {}
    for part, value in fields(answer):
        assert isinstance(value, bytes)
        if part == 1:
            code = int(dict(fields(value)).get(1, 0))
        elif part == 3:
            for _, option in fields(value):
                assert isinstance(option, bytes)
                read = dict(fields(option))
                header = dict(fields(bytes(read[1])))
                added[bytes(header[1]).decode()] = (bytes(header[2]).decode(), int(read.get(3, 0)))
    return code, added


@dataclass(frozen=True, kw_only=True)
class Entry:
    """What an HTTPAccessLogEntry says."""

    flags: Iterable[str] = ()
    kind: int = 0
    cluster: bytes = b""
    tags: Pairs = field_of(default_factory=dict)
    filters: Mapping[bytes, Pairs] = field_of(default_factory=dict)
    attempts: int = 0
    answered: bool = False
    headers: Pairs = field_of(default_factory=dict)
    request_id: bytes = b""
    stream_id: bytes = b""
    details: bytes = b""
    code: int = 0
    host: bytes = b"hello.example.com"
    method: int = 1
    path: bytes = b"/"
    agent: bytes = b"curl/8"

    def __bytes__(self) -> bytes:
        """HTTPAccessLogEntry {1 common_properties, 2 protocol_version, 3 request, 4 response {1 response_code, 6 ..._details}}."""
        response = field(1, number(1, self.code)) + field(6, self.details)
        return field(1, self._common()) + number(2, 2) + field(3, self._request()) + field(4, response)

    def _common(self) -> bytes:
        """AccessLogCommon, by its numbers.

        {5 start_time, 9 time_to_first_upstream_rx_byte, 15 upstream_cluster, 16 response_flags, 17 metadata, 19 route_name,
        22 custom_tags, 24 upstream_request_attempt_count, 26 stream_id, 33 access_log_type}
        """
        common = field(5, number(1, 1_800_000_000)) + field(19, b"a-route") + pairs(22, self.tags)
        common += field(9, number(2, 5_000_000)) if self.answered else b""
        common += field(15, self.cluster) if self.cluster else b""
        common += field(16, b"".join(number(FLAGS[flag], 1) for flag in self.flags)) if self.flags else b""
        common += field(17, metadata(self.filters)) if self.filters else b""
        common += number(24, self.attempts) if self.attempts else b""
        common += field(26, self.stream_id) if self.stream_id else b""
        return common + (number(33, self.kind) if self.kind else b"")

    def _request(self) -> bytes:
        """HTTPRequestProperties {1 request_method, 3 authority, 5 path, 6 user_agent, 9 request_id, 13 request_headers}."""
        who = field(3, self.host) + field(5, self.path) + field(6, self.agent) + field(9, self.request_id)
        return number(1, self.method) + who + pairs(13, self.headers)


def log_entry(**said: Any) -> bytes:  # noqa: ANN401  fields of Entry
    """An HTTPAccessLogEntry."""
    return bytes(Entry(**said))


def log_message(*entries: bytes, node: bytes = b"") -> bytes:
    """StreamAccessLogsMessage {1 identifier {1 node {1 id}, 2 log_name}, 2 http_logs {1 log_entry}}."""
    identifier = field(1, field(1, field(1, node)) + field(2, b"wakequeue")) if node else b""
    return identifier + field(2, b"".join(field(1, entry) for entry in entries))


def tcp_message(*entries: bytes) -> bytes:
    """StreamAccessLogsMessage {3 tcp_logs {1 log_entry}}."""
    return field(3, b"".join(field(1, entry) for entry in entries))
