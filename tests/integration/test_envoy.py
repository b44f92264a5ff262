"""From Envoy's checks and access logs to the Autoscaler: a real front, Redis and worker, called over gRPC as Envoy calls."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from support.envoy_caller import LogStream, check
from support.envoy_messages import END, START, TRY, check_request, headers_added, log_entry, log_message, tcp_message
from support.installation import Installation, Running
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.waiting import wait_until

SERVICES = "envoy.service.auth.v3.Authorization", "envoy.service.accesslog.v3.AccessLogService"

#: A waking with more repeats than are waited for, of which one that is late takes the place of another.
LONG_WAKING = {"WAKEQUEUE_WAKING_FOR": "10s"}


@pytest.fixture
def streams() -> Iterator[ExitStack]:
    """Whatever streams a test opens, until it ends."""
    with ExitStack() as stack:
        yield stack


def cold(name: str, **said: Any) -> bytes:  # noqa: ANN401  fields of an entry
    """Return an entry of a try of a request that found no upstream."""
    tags = {b"x-wakequeue-cluster": f"default/{name}".encode()}
    return log_entry(**{"flags": ["upstream_connection_failure"], "kind": TRY, "tags": tags, "cluster": b"placeholder", **said})


def looked_at(hook: Running) -> float:
    """Return how many entries the front has looked at."""
    return hook.metric("wakequeue_log_entries_total")


def test_a_check_becomes_a_stat(installation: Installation, stat_server: StatServer) -> None:
    """A check is answered OK, and its Revision is reported as a plain call: (1, 1), then (1, 0)."""
    hook, _ = installation.hook(**LONG_WAKING, WAKEQUEUE_ANSWER_WITHIN="5s"), installation.worker(**LONG_WAKING)
    assert headers_added(check(hook.grpc_address, check_request(), "default/hello-00001")) == (0, {})
    reports = stat_server.wait_for("default/hello-00001", reports=3)
    assert [(one.stat.concurrency, one.stat.requests) for one in reports[:3]] == [(1, 1), (1, 0), (1, 0)]
    assert hook.metric("wakequeue_calls_total", protocol="envoy_ext_authz", outcome="recorded") == 1


def test_forged_and_broken_checks_wake_nothing(installation: Installation, stat_server: StatServer) -> None:
    """What clients can send, and what can't be read, is answered OK; it wakes nothing."""
    hook, _ = installation.hook(), installation.worker()
    forged = {
        b"knative-serving-namespace": b"default",
        b"knative-serving-revision": b"victim",
        b"x-wakequeue-cluster": b"default/victim",
        b"wakequeue.namespace": b"default",
        b"wakequeue.revision": b"victim",
    }
    host = b"victim.default.svc.cluster.local"
    requests = [check_request(headers=forged, host=host), check_request(raw_headers=forged, host=host), b"\xff", b""]
    for request in requests:
        assert headers_added(check(hook.grpc_address, request)) == (0, {})
    check(hook.grpc_address, check_request(headers={b"user-agent": b"kube-probe/1.29"}), "default/probed")
    check(hook.grpc_address, check_request(path=b"/\xff"), "default/good")
    stat_server.wait_for("default/good")
    assert set(stat_server.requests()) == {"default/good"}


def test_a_log_entry_becomes_a_stat(installation: Installation, stat_server: StatServer, streams: ExitStack) -> None:
    """However many entries tell of a request, tries on two streams and its end, it is reported once, and no warm one is."""
    hook, _ = installation.hook(**LONG_WAKING), installation.worker(**LONG_WAKING)
    tries, ends = (streams.enter_context(LogStream(hook.grpc_address)) for _ in range(2))
    tries.send([log_message(cold("hello", request_id=b"one"), node=b"n" * 50_000)])
    stat_server.wait_for("default/hello")
    tries.send([log_message(*[cold("hello", request_id=b"one")] * 5), b"\xff", tcp_message(b"")])
    ends.send(
        [
            log_message(
                cold("hello", request_id=b"one", kind=END, attempts=7, host=b"h"), log_entry(code=200, cluster=b"default/warm")
            )
        ]
    )
    tries.send([log_message(cold("hello", request_id=b"two"), cold("other", request_id=b"one"))])
    wait_until(lambda: stat_server.requests() == {"default/hello": 2, "default/other": 1}, what="three requests")
    wait_until(lambda: hook.metric("wakequeue_calls_total", outcome="waiting") == 6, what="their further tries")
    stat_server.wait_for("default/hello", reports=4)
    assert stat_server.requests() == {"default/hello": 2, "default/other": 1}


def test_a_beginning_is_told_from_a_refusal(installation: Installation, stat_server: StatServer, streams: ExitStack) -> None:
    """A request that began and is held is reported once; one that is refused at once, never."""
    hook, _ = installation.hook(), installation.worker()
    stream = streams.enter_context(LogStream(hook.grpc_address))
    held, refused = ({"flags": [], "request_id": name, "kind": START, "cluster": b""} for name in (b"held", b"refused"))
    stream.send([log_message(cold("refused", **refused)), log_message(cold("refused", **refused | {"kind": END}, code=403))])
    stream.send([log_message(cold("held", **held))])
    stat_server.wait_for("default/held")
    stream.send(
        [log_message(cold("held", request_id=b"held", kind=END, attempts=9)), log_message(cold("last", request_id=b"last"))]
    )
    stat_server.wait_for("default/last")
    assert stat_server.requests() == {"default/held": 1, "default/last": 1}


def test_a_long_stream_is_taken_whole(installation: Installation, stat_server: StatServer, streams: ExitStack) -> None:
    """Of 10,000 entries, most of them warm, each cold request is reported once, and the others cost no call."""
    hook, _ = installation.hook(), installation.worker()
    stream = streams.enter_context(LogStream(hook.grpc_address))
    warm = log_entry(kind=END, code=200, cluster=b"default/warm", attempts=1, request_id=b"warm")
    for number in range(100):
        colds = [cold(f"app-{one}", request_id=f"{number}-{one}".encode()) for one in range(10)]
        stream.send([log_message(*[warm] * 90, *colds)])
    wait_until(lambda: looked_at(hook) == 10_000, 30, "10,000 entries")
    expected = {f"default/app-{one}": 100 for one in range(10)}
    wait_until(lambda: stat_server.requests() == expected, what="each cold request")
    assert hook.metric("wakequeue_calls_total") == 1_000
    assert hook.metric("wakequeue_log_entries_total", kind="other") == 9_000


@pytest.mark.parametrize("count", [1, 20])
def test_open_streams_end_when_the_front_does(
    installation: Installation, stat_server: StatServer, streams: ExitStack, count: int
) -> None:
    """A front that is told to stop takes what was sent, answers each open stream OK, and ends long before it would have to."""
    hook, _ = installation.hook(WAKEQUEUE_DRAIN_WITHIN="30s"), installation.worker()
    opened = [streams.enter_context(LogStream(hook.grpc_address)) for _ in range(count)]
    for number, stream in enumerate(opened):
        stream.send([log_message(cold(f"app-{number}", request_id=b"one"), node=b"node")])
    wait_until(lambda: looked_at(hook) == count, what="the first message of each")
    for number, stream in enumerate(opened):
        stream.send([log_message(cold(f"app-{number}", request_id=b"two"))])
    began = time.monotonic()
    assert hook.process.stop() == 0
    assert time.monotonic() - began < 10
    assert [stream.answer(5) for stream in opened] == [b""] * count
    expected = {f"default/app-{number}": 2 for number in range(count)}
    wait_until(lambda: stat_server.requests() == expected, what="all that was sent")
    assert "Traceback" not in hook.process.output


def test_clients_that_vanish_leave_nothing(installation: Installation, stat_server: StatServer, streams: ExitStack) -> None:
    """Streams whose connection is gone cost nothing: the front says nothing of them, serves others, and ends at once."""
    hook, _ = installation.hook(WAKEQUEUE_DRAIN_WITHIN="30s"), installation.worker()
    for number in range(20):
        with LogStream(hook.grpc_address) as stream:
            stream.send([log_message(cold("hello", request_id=str(number).encode()))])
            wait_until(lambda number=number: looked_at(hook) > number, what="the message")
    streams.enter_context(LogStream(hook.grpc_address)).send([log_message(cold("other"))])
    wait_until(lambda: stat_server.requests() == {"default/hello": 20, "default/other": 1}, what="the calls")
    began = time.monotonic()
    assert hook.process.stop() == 0
    assert time.monotonic() - began < 10
    assert "Traceback" not in hook.process.output
    assert "rror" not in hook.process.output


def test_redis_that_is_away_holds_the_stream_back(redis_server: RedisServer, stat_server: StatServer, streams: ExitStack) -> None:
    """While the ledger is slow the front reads no further than it can take, and loses nothing of what it took."""
    with Installation(redis_server.url, stat_server.url) as installation:
        hook, _ = installation.hook(WAKEQUEUE_ANSWER_WITHIN="1s"), installation.worker()
        stream = streams.enter_context(LogStream(hook.grpc_address))
        redis_server.client.execute_command("CLIENT", "PAUSE", "2500", "ALL")
        stream.send([log_message(cold("hello", request_id=str(number).encode())) for number in range(6)])
        wait_until(lambda: looked_at(hook) >= 1, what="the first message")
        assert looked_at(hook) < 6
        wait_until(lambda: stat_server.requests() == {"default/hello": 6}, 20, "all of it")


def test_the_services_are_listed(installation: Installation) -> None:
    """Health and reflection know both by their real names."""
    hook = installation.hook()
    with grpc.insecure_channel(hook.grpc_address) as channel:
        assert set(SERVICES) <= set(ProtoReflectionDescriptorDatabase(channel).get_services())
        for service in SERVICES:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
