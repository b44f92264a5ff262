"""Spans by OpenTelemetry: which trace they belong to, what they say, and that nothing about them can do harm."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from support.spans import SPAN, TRACE, traceparent

from wakequeue.otel import OpenTelemetry
from wakequeue.traces import Report

WAKEUP = "0af7651916cd43dd8448eb211c80319c"


class Made:
    """The spans that were made."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.traces = OpenTelemetry("hook", "pod:1", self._exporter)

    def spans(self) -> list[ReadableSpan]:
        """All of them, the first that ended first."""
        self.traces.close()
        return list(self._exporter.get_finished_spans())


@pytest.fixture
def made() -> Iterator[Made]:
    """What makes spans, and keeps them."""
    made = Made()
    yield made
    made.traces.close()


def ids(span: Any) -> tuple[str, str]:  # noqa: ANN401  a span's context, or None
    """Return the ids of a context, as hex digits."""
    return f"{span.trace_id:032x}", f"{span.span_id:016x}"


@pytest.mark.parametrize(
    "headers",
    [
        {"traceparent": traceparent()},
        {"b3": f"{TRACE}-{SPAN}-1"},
        {"b3": f"{TRACE}-{SPAN}-d-{'1' * 16}"},
        {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "1"},
        {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-flags": "1"},
        {"traceparent": traceparent(), "b3": f"{'f' * 32}-{SPAN}-1"},
    ],
)
def test_what_a_gateway_names_a_trace_by(made: Made, headers: dict[str, str]) -> None:
    """W3C's header, and both forms of B3; where both are there, W3C's."""
    assert made.traces.trace_of(headers.items()) == traceparent()


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"traceparent": traceparent(sampled=False)},
        {"b3": f"{TRACE}-{SPAN}-0"},
        {"b3": "0"},
        {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-sampled": "0"},
        {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN},
        {"traceparent": ""},
        {"traceparent": traceparent().upper()},
        {"traceparent": traceparent() + "-more"},
        {"traceparent": traceparent(trace="0" * 32)},
        {"traceparent": traceparent("0" * 16)},
        {"traceparent": "ff" + traceparent()[2:]},
        {"traceparent": f"{traceparent()},{traceparent()}"},
        {"traceparent": "0" * 10_000},
        {"traceparent": b"\xff"},
        {"x-b3-traceid": "x", "x-b3-spanid": SPAN, "x-b3-sampled": "1"},
    ],
)
def test_what_is_no_trace(made: Made, headers: dict[str, str | bytes]) -> None:
    """An unsampled one, or what can't be read, is as if there was none."""
    assert made.traces.trace_of(headers.items()) == ""


def test_the_first_headers_that_name_a_trace_count(made: Made) -> None:
    """Whatever those after them say, even where the first isn't sampled; those without one are passed over."""
    mine, other = {"b3": f"{TRACE}-{SPAN}-1"}.items(), {"traceparent": traceparent("00000000000000ff")}.items()
    assert made.traces.trace_of({}.items(), mine, other) == traceparent()
    assert made.traces.trace_of({"b3": f"{TRACE}-{SPAN}-0"}.items(), other) == ""


@given(text=st.text(max_size=80), state=st.text(max_size=80))
def test_no_header_does_harm(text: str, state: str) -> None:
    """Whatever a client sends, nothing is raised."""
    for name in ("traceparent", "b3", "x-b3-traceid"):
        headers = {"traceparent": traceparent(), "x-b3-spanid": SPAN, "tracestate": state} | {name: text}
        assert isinstance(ANY.traces.trace_of(headers.items()), str)


def test_a_call(made: Made) -> None:
    """It is a server's span, a child of the gateway's, and lasts until it is left."""
    with made.traces.call("envoy_ext_authz") as call:
        assert call.context == ""
        call.join(traceparent())
        call.tell(revision="shop/cart")
        context = call.context
        call.tell(outcome="recorded", wakeup=WAKEUP)
    call.tell(wakeup="too late")
    (span,) = made.spans()
    assert (span.name, span.kind, ids(span.parent)) == ("wakequeue.call", SpanKind.SERVER, (TRACE, SPAN))
    assert context == traceparent(ids(span.context)[1])
    assert dict(span.attributes or {}) == {
        "wakequeue.protocol": "envoy_ext_authz",
        "wakequeue.revision": "shop/cart",
        "wakequeue.outcome": "recorded",
        "wakequeue.wakeup": WAKEUP,
    }
    assert span.start_time
    assert span.end_time
    assert span.start_time <= span.end_time


def test_a_call_of_no_trace(made: Made) -> None:
    """It makes no span."""
    with made.traces.call("http_cold") as call:
        call.join("")
        call.tell(outcome="recorded")
        assert call.context == ""
    assert made.spans() == []


def test_a_message_and_its_task(made: Made) -> None:
    """A message continues the first of the traces, with links to the others; its task goes on, and what that publishes, too."""
    others = [traceparent(f"{number:016x}") for number in (5, 6)]
    with made.traces.publish("wakequeue.deliver", "wakequeue", [traceparent(), *others]) as headers:
        pass
    with made.traces.run("wakequeue.deliver", {"lang": "py", **headers}), made.traces.publish("x", "wakequeue") as more:
        pass
    sent, then, done = made.spans()
    assert (sent.kind, ids(sent.parent)) == (SpanKind.PRODUCER, (TRACE, SPAN))
    assert [ids(link.context) for link in sent.links] == [(TRACE, f"{number:016x}") for number in (5, 6)]
    assert (done.name, done.kind, ids(done.parent)) == ("wakequeue.deliver", SpanKind.CONSUMER, ids(sent.context))
    assert ids(then.parent) == ids(done.context)
    assert headers == {"traceparent": traceparent(ids(sent.context)[1])}
    assert more["traceparent"] == traceparent(ids(then.context)[1])


def test_a_message_that_continues_nothing(made: Made) -> None:
    """It says nothing of a trace, and its task makes no span; one that begins a trace does."""
    with made.traces.publish("wakequeue.deliver", "wakequeue") as headers, made.traces.run("wakequeue.deliver", headers):
        assert headers == {}
    with made.traces.publish("wakequeue.start", "wakequeue.starts", begin=True), made.traces.publish("x", "wakequeue"):
        pass
    child, root = made.spans()
    assert (root.name, root.parent) == ("wakequeue.start", None)
    assert ids(child.parent) == ids(root.context)


def test_a_task_that_fails(made: Made) -> None:
    """Its span has the error, and no stack."""
    with pytest.raises(OSError, match="gone"), made.traces.run("wakequeue.deliver", {"traceparent": traceparent()}):
        raise OSError("gone")
    (span,) = made.spans()
    assert (span.status.status_code, span.status.description, list(span.events)) == (StatusCode.ERROR, "OSError: gone", [])


def report(**changed: Any) -> Report:  # noqa: ANN401  any field
    """Return a report of two calls."""
    traces = [traceparent(f"{number:016x}", trace=f"{number:032x}") for number in (1, 2)]
    fields = {
        "wakeup": WAKEUP,
        "waking": True,
        "traces": traces,
        "began_at": 100.0,
        "ended_at": 100.5,
        "stages": {"encoded": 100.25},
    }
    return Report(**{**fields, "said": {"calls": 2}, **changed})


def test_a_report(made: Made) -> None:
    """Its trace is the wake-up's own, and has its id, whatever goes on in its thread; it has a link to each call."""
    with made.traces.run("wakequeue.deliver", {"traceparent": traceparent()}):
        made.traces.report(report())
    span, _ = made.spans()
    assert (span.name, span.kind, span.parent, ids(span.context)[0]) == ("wakequeue.report", SpanKind.CLIENT, None, WAKEUP)
    assert [ids(link.context) for link in span.links] == [(f"{number:032x}", f"{number:016x}") for number in (1, 2)]
    assert dict(span.attributes or {}) == {"wakequeue.calls": 2, "wakequeue.wakeup": WAKEUP}
    assert [(one.name, one.timestamp) for one in span.events] == [("encoded", 100_250_000_000)]
    assert (span.start_time, span.end_time, span.status.status_code) == (100_000_000_000, 100_500_000_000, StatusCode.UNSET)


def test_a_report_that_failed(made: Made) -> None:
    """It says why."""
    made.traces.report(report(error="buried: expired"))
    (span,) = made.spans()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "buried: expired")


@pytest.mark.parametrize("changed", [{"wakeup": ""}, {"wakeup": "0" * 32}, {"traces": ["nonsense", traceparent()]}])
def test_a_report_that_another_version_left(made: Made, changed: dict[str, Any]) -> None:
    """Without an id, or with what is no trace, there is a span all the same."""
    made.traces.report(report(**changed))
    (span,) = made.spans()
    assert span.context
    assert span.context.is_valid


@pytest.mark.parametrize("changed", [{"waking": False}, {"wakeup": ""}, {"wakeup": "damaged"}])
def test_a_report_by_itself(made: Made, changed: dict[str, Any]) -> None:
    """Of an awake Revision, of whose reports there is no end, or without an id that a trace can have: a trace of its own."""
    made.traces.report(report(**changed))
    made.traces.report(report(**changed))
    one, other = (span.context.trace_id for span in made.spans())
    assert len({one, other, int(WAKEUP, 16)}) == 3


class Failing(InMemorySpanExporter):
    """Can't send anything."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Fail."""
        logging.getLogger("opentelemetry.exporter.any").error("Failed to export %d spans", len(spans))
        return SpanExportResult.FAILURE


def test_what_it_complains_of_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    """However much is lost, as an event of ours, at most once in a minute; what may be a token isn't."""
    traces = OpenTelemetry("hook", "pod:1", Failing())
    logging.getLogger("opentelemetry.util.re").warning("Header format invalid! %s", "authorization=Bearer hunter2")
    for _ in range(5_000):
        with traces.call("http_cold") as call:
            call.join(traceparent())
    traces.close()
    (said,) = (record for record in caplog.records if record.name == "wakequeue")
    assert said.getMessage().startswith("spans_lost error='Header format invalid! ")
    assert "hunter2" not in said.getMessage()
    assert not logging.getLogger("opentelemetry").propagate, "what it says is in the log once, as that"


def test_the_words_of_an_error_are_not_said(caplog: pytest.LogCaptureFixture) -> None:
    """They may hold a header's value, or an address with a token: its kind has to do."""
    traces = OpenTelemetry("hook", "pod:1", InMemorySpanExporter())
    logging.getLogger("opentelemetry.exporter.any").error("Failed: %s, reason: %s", 401, ValueError("Bearer hunter2"))
    traces.close()
    (said,) = (record.getMessage() for record in caplog.records if record.name == "wakequeue")
    assert said == "spans_lost error='Failed: 401, reason: ValueError'"


def test_another_protocol_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is sent is HTTP: a receiver of gRPC would understand none of it."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with pytest.raises(ValueError, match="OTEL_EXPORTER_OTLP_PROTOCOL is 'grpc', and must be http/protobuf"):
        OpenTelemetry("hook", "pod:1")


ANY = Made()
