"""Spans by OpenTelemetry, sent by OTLP over HTTP, as its own variables say (`OTEL_...`); see `wakequeue.traces`.

Nothing waits for it: spans are sent in batches, from a thread of the SDK's, and those that its queue can't hold are dropped. What
the SDK complains of is logged as `spans_lost`, at most once in a minute.

Source: opentelemetry-python 1.45, sdk/_shared_internal/__init__.py (the queue) and exporter/otlp/common/http.py (retries).
"""

import logging
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import get_global_textmap
from opentelemetry.propagators.b3 import B3MultiFormat
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    INVALID_SPAN,
    INVALID_TRACE_ID,
    Link,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
    get_current_span,
)
from opentelemetry.trace import Span as OtelSpan
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from wakequeue import __version__
from wakequeue.events import Bounded, Event
from wakequeue.traces import Fields, Report, Said, Span, Traces

#: How long a process that ends may take to send its last spans.
FLUSH_SECONDS: Final = 2.0

#: How spans are sent.
PROTOCOL: Final = "http/protobuf"

#: The logger that warns of what it can't read of OTEL_EXPORTER_OTLP_HEADERS, which may hold a token, with all of it.
SECRETIVE: Final = "opentelemetry.util.re"

#: The id of a wake-up, which a trace can have.
WAKEUP: Final = re.compile("[0-9a-f]{32}")

#: What this process's own messages, and the ledger, name a trace by, whatever its gateway does.
W3C: Final = TraceContextTextMapPropagator()


class OpenTelemetry(Traces):
    """Makes the spans of one process; safe to share between threads. Without an `exporter` they go where the variables say."""

    def __init__(self, role: str, instance: str, exporter: SpanExporter | None = None) -> None:
        logger = logging.getLogger("opentelemetry")
        logger.handlers, logger.propagate = [_Complaints()], False
        self._ids = _Ids()
        self._provider = TracerProvider(resource=_resource(role, instance), id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or _exporter()))
        self._tracer = self._provider.get_tracer("wakequeue", __version__)
        self._gateways = _gateways()

    def trace_of(self, *headers: Fields) -> str:
        """See `Traces.trace_of`."""
        try:
            read = (get_current_span(self._gateways.extract(dict(some), Context())) for some in headers)
            return next((_text(one) for span in read if (one := span.get_span_context()).is_valid), "")
        except Exception:  # noqa: BLE001  whatever a client wrote, and a propagator makes of that, its call is one all the same
            return ""

    def call(self, protocol: str) -> Span:
        """See `Traces.call`."""
        return _Call(self._tracer, protocol)

    @contextmanager
    def publish(self, task: str, queue: str, traces: Sequence[str] = (), *, begin: bool = False) -> Iterator[dict[str, str]]:
        """See `Traces.publish`."""
        parent = _context(traces[0]) if traces else None
        headers: dict[str, str] = {}
        if not begin and not _text(get_current_span(parent).get_span_context()):
            yield headers
            return
        with self._tracer.start_as_current_span(
            task,
            parent,
            SpanKind.PRODUCER,
            {"messaging.system": "celery", "messaging.destination.name": queue},
            _links(traces[1:]),
            record_exception=False,
        ):
            W3C.inject(headers)
            yield headers

    @contextmanager
    def run(self, task: str, headers: Mapping[str, object]) -> Iterator[None]:
        """See `Traces.run`."""
        context = W3C.extract({name: str(value) for name, value in headers.items()}, Context())
        if not _text(get_current_span(context).get_span_context()):
            yield
            return
        with self._tracer.start_as_current_span(
            task, context, SpanKind.CONSUMER, {"messaging.system": "celery"}, record_exception=False
        ):
            yield

    def report(self, report: Report) -> None:
        """See `Traces.report`."""
        with self._ids.next_is(report.wakeup if report.waking else ""):
            span = self._tracer.start_span(
                "wakequeue.report",
                Context(),
                SpanKind.CLIENT,
                _attributes({**report.said, "wakeup": report.wakeup}),
                _links(report.traces),
                _nanoseconds(report.began_at),
            )
        for stage, at in report.stages.items():
            span.add_event(stage, timestamp=_nanoseconds(at))
        if report.error:
            span.set_status(Status(StatusCode.ERROR, report.error))
        span.end(_nanoseconds(report.ended_at))

    def close(self) -> None:
        """See `Traces.close`."""
        # The SDK's own shutdown waits 30 s for a receiver that is away.
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(FLUSH_SECONDS)


class _Call(Span):
    """A call's span; it begins when its trace is known, and then had begun when this was made."""

    __slots__ = ("_began_at", "_protocol", "_span", "_tracer")

    def __init__(self, tracer: Tracer, protocol: str) -> None:
        self._tracer, self._protocol, self._began_at = tracer, protocol, time.time_ns()
        self._span: OtelSpan = INVALID_SPAN
        super().__init__()

    def join(self, trace: str) -> None:
        if trace:
            about = _attributes({"protocol": self._protocol})
            self._span = self._tracer.start_span(
                "wakequeue.call", _context(trace), SpanKind.SERVER, about, start_time=self._began_at
            )
            self.context = _text(self._span.get_span_context()) if self._span.is_recording() else ""

    def tell(self, **said: Said) -> None:
        if self._span.is_recording():
            self._span.set_attributes(_attributes(said))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._span.is_recording():
            self._span.end()


class _Ids(RandomIdGenerator):
    """Random ids; but a trace that begins meanwhile has the one that was asked for."""

    def __init__(self) -> None:
        self._next: ContextVar[int] = ContextVar("trace id", default=INVALID_TRACE_ID)

    @contextmanager
    def next_is(self, trace_id: str) -> Iterator[None]:
        """Have it, in this thread, for as long."""
        token = self._next.set(int(trace_id, 16) if WAKEUP.fullmatch(trace_id) else INVALID_TRACE_ID)
        try:
            yield
        finally:
            self._next.reset(token)

    def generate_trace_id(self) -> int:
        return self._next.get() or super().generate_trace_id()


class _Complaints(logging.Handler):
    """Logs what the SDK complains of as an event of ours."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._said = Bounded(Event.SPANS_LOST, every=60.0)

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler.emit`."""
        self._said.warning(error=_shown(record))


def _shown(record: logging.LogRecord) -> str:
    """A complaint, without what may hold a token: a header that can't be read, and the words of errors."""
    if record.name == SECRETIVE or not isinstance(record.args, tuple):
        return str(record.msg)
    return str(record.msg) % tuple(type(one).__name__ if isinstance(one, BaseException) else one for one in record.args)


def _resource(role: str, instance: str) -> Resource:
    """Who makes the spans; what the variables say of that goes before what we say."""
    own = {SERVICE_NAME: f"wakequeue-{role}", SERVICE_VERSION: __version__, SERVICE_INSTANCE_ID: instance}
    return Resource.create({**own, **OTELResourceDetector().detect().attributes})


def _exporter() -> SpanExporter:
    """Sends where the variables say. Raises ValueError where they want another protocol."""
    protocol = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or os.environ.get("OTEL_EXPORTER_OTLP_PROTOCOL") or PROTOCOL
    if protocol != PROTOCOL:
        msg = f"OTEL_EXPORTER_OTLP_PROTOCOL is {protocol!r}, and must be {PROTOCOL}"
        raise ValueError(msg)
    return OTLPSpanExporter()


def _gateways() -> TextMapPropagator:
    """Reads what gateways send: as the variable says, else what Istio and Envoy may be configured to send; W3C's goes before B3."""
    return get_global_textmap() if os.environ.get("OTEL_PROPAGATORS") else CompositePropagator([B3MultiFormat(), W3C])


def _context(trace: str) -> Context:
    return W3C.extract({"traceparent": trace}, Context())


def _text(context: SpanContext) -> str:
    """A span's context as a `traceparent`; empty where it isn't sampled."""
    if not (context.is_valid and context.trace_flags.sampled):
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def _links(traces: Sequence[str]) -> list[Link]:
    return [Link(get_current_span(_context(trace)).get_span_context()) for trace in traces]


def _attributes(said: Mapping[str, Said]) -> dict[str, Said]:
    return {f"wakequeue.{name}": value for name, value in said.items()}


def _nanoseconds(seconds: float) -> int:
    return int(seconds * 1e9)
