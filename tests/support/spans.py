"""Traces as gateways name them, and a real receiver of spans: OTLP over HTTP, on loopback."""

import gzip
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Final, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from support.processes import free_port
from support.waiting import wait_until

TRACE: Final = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN: Final = "00f067aa0ba902b7"


def traceparent(span: str = SPAN, *, trace: str = TRACE, sampled: bool = True) -> str:
    """W3C's header (https://www.w3.org/TR/trace-context)."""
    return f"00-{trace}-{span}-{sampled:02x}"


@dataclass(frozen=True, slots=True)
class Received:
    """A span: its ids as hex digits, and each link as a pair of them."""

    name: str
    kind: int
    trace: str
    id: str
    parent: str
    links: list[tuple[str, str]]
    said: dict[str, str | int | float | bool]
    process: dict[str, str | int | float | bool]
    events: list[str]
    error: str
    seconds: float


@dataclass
class Receiver:
    """Listens where `variables` have a process send its spans; `headers` are those of the last request."""

    spans: list[Received] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)

    def named(self, name: str) -> list[Received]:
        """The spans of this name."""
        return [one for one in list(self.spans) if one.name == name]

    def wait_for(self, count: int, name: str = "", which: Callable[[Received], bool] = lambda _: True) -> list[Received]:
        """So many spans of this name, or of any, once they have come."""

        def found() -> list[Received]:
            these = [one for one in list(self.spans) if name in {one.name, ""} and which(one)]
            return these if len(these) >= count else []

        return wait_until(found, what=f"{count} spans {name}")

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._server.server_port

    @property
    def variables(self) -> dict[str, str]:
        """What a process is to be started with."""
        return sending_to(self.port)

    def __enter__(self) -> Self:
        receiver = self

        class Post(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = self.headers["content-length"]
                body = self.rfile.read(int(length)) if length else b"".join(self._chunks())
                receiver.headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.spans += read(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
                self.send_response(200 if self.path == "/v1/traces" else 404)
                self.end_headers()

            def _chunks(self) -> Iterator[bytes]:
                while length := int(self.rfile.readline(), 16):
                    yield self.rfile.read(length)
                    self.rfile.readline()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", free_port()), Post)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def sending_to(port: int) -> dict[str, str]:
    """What has a process send its spans to a port of this machine, at once."""
    return {
        "WAKEQUEUE_TRACES": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    }


def read(body: bytes) -> list[Received]:
    """The spans of an ExportTraceServiceRequest."""
    return [
        Received(
            span.name,
            span.kind,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
            _values(span.attributes),
            _values(resource.resource.attributes),
            [event.name for event in span.events],
            span.status.message if span.status.code == span.status.STATUS_CODE_ERROR else "",
            (span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
        )
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def _values(pairs: "list[KeyValue]") -> dict[str, str | int | float | bool]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in pairs}
