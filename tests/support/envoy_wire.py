"""Envoy's side of its protocols, from the field numbers alone: nothing of the front's own protocol code is used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from support.mixer import field, varint
from support.protobuf import fields

CHECK = "/envoy.service.auth.v3.Authorization/Check"
STREAM = "/envoy.service.accesslog.v3.AccessLogService/StreamAccessLogs"

#: AccessLogType.
START, PERIODIC, END, ATTEMPT = 4, 5, 6, 9

#: ResponseFlags.
UH, LR, UF, UO, NR, NC, DF = 2, 4, 6, 8, 9, 25, 27

Texts = Mapping[bytes, bytes]


def number(at: int, value: int) -> bytes:
    """A varint field."""
    return varint(at << 3) + varint(value)


def texts(at: int, pairs: Texts) -> bytes:
    """A map<string, string>."""
    return b"".join(field(at, field(1, key) + field(2, value)) for key, value in pairs.items())


def metadata(at: int, filters: Mapping[bytes, Texts]) -> bytes:
    """config.core.v3.Metadata {1 filter_metadata: map<string, Struct {1 fields: map<string, Value {3 string_value}>}>}."""
    parts = b""
    for name, pairs in filters.items():
        struct = b"".join(field(1, field(1, key) + field(2, field(3, value))) for key, value in pairs.items())
        parts += field(1, field(1, name) + field(2, struct))
    return field(at, parts)


def check_request(  # noqa: PLR0913  they are what a check says
    *,
    method: bytes = b"GET",
    path: bytes = b"/",
    host: bytes = b"hello.example.com",
    headers: Texts | None = None,
    raw_headers: Texts | None = None,
    extensions: Texts | None = None,
    route: Mapping[bytes, Texts] | None = None,
) -> bytes:
    """CheckRequest {1 attributes {4 request {2 http}, 10 context_extensions, 13 route_metadata_context}}."""
    http = (
        field(1, b"an id") + field(2, method) + texts(3, headers or {}) + field(4, path) + field(5, host) + field(10, b"HTTP/1.1")
    )
    if raw_headers is not None:
        http += field(13, b"".join(field(1, field(1, key) + field(3, value)) for key, value in raw_headers.items()))
    attributes = field(1, field(2, b"source")) + field(4, field(2, http)) + texts(10, extensions or {}) + metadata(13, route or {})
    return field(1, attributes)


def log_entry(  # noqa: PLR0913  they are what an entry says
    *,
    kind: int = ATTEMPT,
    flags: Sequence[int] = (UF,),
    tags: Texts | None = None,
    cluster: bytes = b"",
    attempts: int = 0,
    route: Mapping[bytes, Texts] | None = None,
    request_id: bytes = b"",
    host: bytes = b"hello.example.com",
    path: bytes = b"/",
    user_agent: bytes = b"curl/8",
    headers: Texts | None = None,
) -> bytes:
    """HTTPAccessLogEntry {1 common_properties, 2 protocol_version, 3 request, 4 response}."""
    common = field(15, cluster) + field(16, b"".join(number(flag, 1) for flag in flags)) + metadata(17, route or {})
    common += texts(22, tags or {}) + number(24, attempts) + number(33, kind)
    request = (
        number(1, 1) + field(3, host) + field(5, path) + field(6, user_agent) + field(9, request_id) + texts(13, headers or {})
    )
    return field(1, common) + number(2, 2) + field(3, request) + field(4, field(1, number(1, 503)))


def log_message(*entries: bytes, node: bytes = b"") -> bytes:
    """StreamAccessLogsMessage {1 identifier {1 node {1 id}, 2 log_name}, 2 http_logs {1 log_entry}}."""
    identifier = field(1, field(1, field(1, node)) + field(2, b"wakequeue")) if node else b""
    return identifier + field(2, b"".join(field(1, entry) for entry in entries))


@dataclass(frozen=True, slots=True)
class Checked:
    """A CheckResponse, read from its bytes: whether the request may pass, and the headers that it is given, with how."""

    passes: bool
    headers: dict[bytes, tuple[bytes, int]]


def read_check_response(data: bytes) -> Checked:
    """CheckResponse {1 status {1 code}, 3 ok_response {2 headers {1 header {1 key, 2 value}, 3 append_action}}}."""
    parts = list(fields(data))
    status = [value for at, value in parts if at == 1]
    given: dict[bytes, tuple[bytes, int]] = {}
    for ok in (value for at, value in parts if at == 3):
        for option in (value for at, value in fields(_bytes(ok)) if at == 2):
            inner = dict(fields(_bytes(option)))
            header = dict(fields(_bytes(inner[1])))
            given[_bytes(header[1])] = _bytes(header[2]), int(str(inner.get(3, 0)))
    code = dict(fields(_bytes(status[0]))).get(1, 0) if status else 0
    return Checked(code == 0 and 2 not in dict(parts), given)


def _bytes(value: object) -> bytes:
    assert isinstance(value, bytes)
    return value
