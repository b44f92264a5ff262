"""Spans of real fronts and workers, as a receiver of OTLP gets them, and what becomes of calls where there is none."""

import signal
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import grpc
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from support.bootstrap import FRONT_GRPC, all_of, nodes, patient
from support.envoy import Envoy, needs_envoy
from support.envoy_caller import LogStream
from support.envoy_messages import CHECK, check_request, log_entry, log_message
from support.http import Http1, routed
from support.installation import Installation, Running
from support.mixer import METHOD, check, check_all, request
from support.processes import BIN, Process, free_port
from support.redis_server import RedisServer
from support.spans import SPAN, TRACE, Receiver, sending_to, traceparent
from support.stat_server import StatServer
from support.waiting import wait_until

from wakequeue.broker import make_app, send_start
from wakequeue.otel import OpenTelemetry

SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5
NAMED: Final = {b"wakequeue.namespace": b"default", b"wakequeue.revision": b"hello"}
REVISION: Final = "default/hello"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A receiver of spans."""
    with Receiver() as receiver:
        yield receiver


def ask(hook: Running, method: str, data: bytes, *metadata: tuple[str, str]) -> None:
    """Make one gRPC call."""
    with grpc.insecure_channel(hook.grpc_address) as channel:
        channel.unary_unary(method)(data, timeout=20, metadata=metadata)


def ext_authz(hook: Running, trace: str) -> None:
    """Make a check of a request that carries a trace."""
    ask(hook, CHECK, check_request(extensions=NAMED, headers={b"traceparent": trace.encode()}))


def ext_authz_itself(hook: Running, trace: str) -> None:
    """Make a check that is itself a part of a trace, of a request whose client sent another one."""
    other = traceparent("00000000000000ff", trace="f" * 32).encode()
    ask(hook, CHECK, check_request(extensions=NAMED, headers={b"traceparent": other}), ("traceparent", trace))


def access_log(hook: Running, trace: str) -> None:
    """Tell of a request that found no upstream."""
    entry = log_entry(flags=["no_healthy_upstream"], tags=NAMED, headers={b"traceparent": trace.encode()})
    before = hook.metric("wakequeue_recorded_total")
    with LogStream(hook.grpc_address) as stream:
        stream.send([log_message(entry)])
        wait_until(lambda: hook.metric("wakequeue_recorded_total") > before, what="the call")


def http_cold(hook: Running, trace: str) -> None:
    """Send a request that found no upstream."""
    with Http1(hook.http_address) as connection:
        connection.ask("GET", "/", routed("hello", ("traceparent", trace)))


def http_wake(hook: Running, trace: str) -> None:
    """Call /wake."""
    with Http1(hook.http_address) as connection:
        assert connection.ask("POST", f"/wake/{REVISION}", (("host", "x"), ("traceparent", trace))).status == 202


def mixer(hook: Running, trace: str) -> None:
    """Make a check as a Mixer does that traces its own calls."""
    ask(hook, METHOD, request(b"default", b"hello"), ("traceparent", trace))


#: How each protocol's call is made, and what it is counted as.
CALLS: Final[dict[Callable[[Running, str], None], str]] = {
    ext_authz: "envoy_ext_authz",
    ext_authz_itself: "envoy_ext_authz",
    access_log: "envoy_access_log",
    http_cold: "http_cold",
    http_wake: "http_wake",
    mixer: "mixer_authorization",
}


def test_a_call_is_a_part_of_its_gateways_trace(installation: Installation, receiver: Receiver) -> None:
    """Whatever the protocol: its span is a child of the gateway's, and says what became of it; an unsampled one makes none."""
    hook = installation.hook(**receiver.variables, WAKEQUEUE_ANSWER_WITHIN="10s")
    for number, call in enumerate(CALLS, 1):
        call(hook, traceparent(f"{number + 100:016x}", sampled=False))
        call(hook, traceparent(f"{number:016x}"))
    assert hook.process.stop() == 0
    spans = sorted(receiver.spans, key=lambda span: span.parent)
    assert [(span.name, span.kind, span.trace, span.parent) for span in spans] == [
        ("wakequeue.call", SERVER, TRACE, f"{number:016x}") for number in range(1, len(CALLS) + 1)
    ]
    assert [span.said["wakequeue.protocol"] for span in spans] == list(CALLS.values())
    assert {span.said["wakequeue.outcome"] for span in spans} == {"recorded"}
    assert {span.said["wakequeue.revision"] for span in spans} == {REVISION}
    assert {len(str(span.said["wakequeue.wakeup"])) for span in spans} == {32}
    assert {span.process["service.name"] for span in spans} == {"wakequeue-hook"}


def test_from_the_call_to_the_report(
    installation: Installation, receiver: Receiver, stat_server: StatServer, redis_server: RedisServer
) -> None:
    """A report of three calls has links to all, and the wake-up's id; a call's doorbell and its task go on in its own trace.

    So does the task that makes the start of a schedule, in that of the beat. Whatever wakes that nobody traces makes no span.
    """
    hook = installation.hook(**receiver.variables, WAKEQUEUE_ANSWER_WITHIN="10s")
    for number in range(1, 4):
        ext_authz(hook, traceparent(f"{number:016x}", trace=f"{number:032x}"))
    check(hook.grpc_address, "default", "hello")  # which nobody traced
    worker = installation.worker(**receiver.variables)
    stat_server.wait_for(REVISION)
    ask(hook, CHECK, check_request(extensions=NAMED | {b"wakequeue.revision": b"second"}), ("traceparent", traceparent()))
    check_all(hook.grpc_address, [request(b"default", b"app-%d" % number) for number in range(50)])
    wait_until(lambda: len(stat_server.requests()) == 52, what="all of them reported")
    beat = OpenTelemetry("beat", "pod", begun := InMemorySpanExporter())
    send_start(make_app(redis_server.reach), "nobody@1a2b3c4d", datetime.now(UTC), beat)
    receiver.wait_for(1, "wakequeue.start")
    beat.close()
    receiver.wait_for(2, "wakequeue.deliver", lambda span: span.trace == TRACE)
    stop(hook, worker)

    *calls, second = sorted(receiver.named("wakequeue.call"), key=lambda span: span.trace)
    report, other = receiver.named("wakequeue.report")
    assert {one.said["wakequeue.wakeup"] for one in calls} == {report.trace} == {report.said["wakequeue.wakeup"]}
    assert sorted(report.links) == sorted((one.trace, one.id) for one in calls)
    assert (report.kind, report.parent, report.error, report.events) == (CLIENT, "", "", ["encoded", "confirmed"])
    assert {name: report.said[f"wakequeue.{name}"] for name in ("revision", "calls", "attempts", "phase")} == {
        "revision": REVISION,
        "calls": 4,
        "attempts": 1,
        "phase": "asleep",
    }
    assert report.process["service.name"] == "wakequeue-worker"

    assert (other.trace, other.links) == (second.said["wakequeue.wakeup"], [(second.trace, second.id)])
    sent, done = sorted((one for one in receiver.named("wakequeue.deliver") if one.trace == TRACE), key=lambda span: span.kind)
    assert (sent.kind, sent.parent, sent.process["service.name"]) == (PRODUCER, second.id, "wakequeue-hook")
    assert (done.kind, done.parent, done.process["service.name"]) == (CONSUMER, sent.id, "wakequeue-worker")

    (start,), (begin,) = receiver.named("wakequeue.start"), begun.get_finished_spans()
    assert begin.context
    assert (start.kind, start.trace, start.parent) == (CONSUMER, f"{begin.context.trace_id:032x}", f"{begin.context.span_id:016x}")


def test_opentelemetrys_own_variables(installation: Installation, receiver: Receiver) -> None:
    """Who sends, what with, in which form, how gateways name traces, and which are sampled, are as its variables say."""
    variables = receiver.variables | {
        "OTEL_SERVICE_NAME": "wake",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=test,service.instance.id=one",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20hunter2",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_PROPAGATORS": "b3multi",
    }
    hook = installation.hook(**variables)
    b3 = {b"x-b3-traceid": TRACE.encode(), b"x-b3-spanid": SPAN.encode(), b"x-b3-sampled": b"1"}
    ext_authz(hook, traceparent("00000000000000ff"))
    ask(hook, CHECK, check_request(extensions=NAMED, headers=b3))
    (span,) = receiver.wait_for(1, "wakequeue.call")
    assert (span.trace, span.parent) == (TRACE, SPAN)
    who = {"service.name": "wake", "deployment.environment.name": "test", "service.instance.id": "one"}
    assert {name: span.process[name] for name in who} == who
    assert span.process["service.version"]
    assert (receiver.headers["authorization"], receiver.headers["content-encoding"]) == ("Bearer hunter2", "gzip")
    assert "hunter2" not in hook.process.output

    never = installation.hook(**receiver.variables, OTEL_TRACES_SAMPLER="always_off")
    ext_authz(never, traceparent())
    assert never.process.stop() == 0
    assert len(receiver.named("wakequeue.call")) == 1


def stop(*running: Running) -> float:
    """Have processes end at the same time, and return how many seconds that took."""
    began = time.monotonic()
    for one in running:
        one.process.send_signal(signal.SIGTERM)
    assert [one.process.wait() for one in running] == [0] * len(running)
    return time.monotonic() - began


def median(hook: Running, name: str, calls: int = 50) -> float:
    """In how many seconds traced calls of so many Revisions are answered, one after the other."""
    took = []
    with grpc.insecure_channel(hook.grpc_address) as channel:
        check = channel.unary_unary(CHECK)
        for number in range(calls):
            named = NAMED | {b"wakequeue.revision": f"{name}-{number}".encode()}
            began = time.perf_counter()
            check(check_request(extensions=named, headers={b"traceparent": traceparent().encode()}), timeout=5)
            took.append(time.perf_counter() - began)
    return statistics.median(took)


@needs_envoy
def test_a_trace_that_envoy_begins(installation: Installation, receiver: Receiver, tmp_path: Path) -> None:
    """A request that came without a trace is in one: Envoy's span of it, that of its check, and ours, each a child of the last."""

    def traced(bootstrap: object) -> None:
        for node in nodes(bootstrap):
            if "http_filters" in node:
                node["tracing"] = {"provider": {"name": "envoy.tracers.opentelemetry", "typed_config": tracer}}
            if "static_resources" in node:
                node["layered_runtime"] = {
                    "layers": [{"name": "at once", "static_layer": {"tracing.opentelemetry.flush_interval_ms": 50}}]
                }
            if "listeners" in node:
                node["clusters"] = [*node["clusters"], cluster]

    uri = f"http://127.0.0.1:{receiver.port}/v1/traces"
    address = {"socket_address": {"address": "127.0.0.1", "port_value": receiver.port}}
    endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    cluster = {"name": "receiver", "type": "STATIC", "load_assignment": {"cluster_name": "receiver", "endpoints": endpoints}}
    tracer = {
        "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
        "service_name": "gateway",
        "http_service": {"http_uri": {"uri": uri, "cluster": "receiver", "timeout": "20s"}},
    }
    hook = installation.hook(**receiver.variables)
    with Envoy(tmp_path, "ext-authz.yaml", {FRONT_GRPC: hook.grpc_address}, all_of(traced, patient)) as envoy:
        envoy.up("hello-00001")
        with Http1(f"127.0.0.1:{envoy.port}") as connection:
            assert connection.ask("GET", "/", (("host", "hello.default.example.com"),)).status == 200
        (ours,) = receiver.wait_for(1, "wakequeue.call")
        gateways = receiver.wait_for(2, which=lambda span: span.process["service.name"] == "gateway" and span.trace == ours.trace)
    (asked,) = (span for span in gateways if span.id == ours.parent)
    assert asked.parent in {span.id for span in gateways}


@pytest.mark.alone
def test_without_a_receiver(installation: Installation, stat_server: StatServer) -> None:
    """Calls are answered as fast, and reported; what is lost is said, once; and processes stop in time."""
    plain, variables = installation.hook(), sending_to(free_port())
    hook, worker = installation.hook(**variables), installation.worker(**variables)
    median(plain, "warm-up")
    without, traced = median(plain, "plain"), median(hook, "traced")
    assert traced < 3 * without + 0.005
    wait_until(lambda: {f"default/traced-{number}" for number in range(50)} <= set(stat_server.requests()), what="all reported")
    for one in (hook, worker):
        one.process.wait_for_line("spans_lost")
    assert stop(hook, worker) < 10
    for one in (hook, worker):
        assert sum("spans_lost" in line for line in one.process.lines) == 1, one.process.output
        assert "opentelemetry" not in one.process.output


def test_a_receiver_that_hangs(installation: Installation, stat_server: StatServer) -> None:
    """One that takes spans and never answers keeps neither a call, nor a report, nor the end of a process waiting."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        variables = sending_to(silent.getsockname()[1])
        hook, worker = installation.hook(**variables), installation.worker(**variables)
        began = time.monotonic()
        median(hook, "app")
        stat_server.wait_for("default/app-49")
        assert time.monotonic() - began < 5
        assert stop(hook, worker) < 10


def test_a_propagator_that_isnt_there() -> None:
    """A front doesn't start with it, and says what is wrong."""
    env = {"WAKEQUEUE_TRACES": "true", "WAKEQUEUE_REDIS_URL": f"redis://127.0.0.1:{free_port()}/0", "OTEL_PROPAGATORS": "jaegr"}
    with Process([str(BIN / "wakequeue"), "hook"], env) as hook:
        assert hook.wait() == 1
    assert "OTEL_" in hook.lines[-1]
    assert "jaegr" in hook.lines[-1]
