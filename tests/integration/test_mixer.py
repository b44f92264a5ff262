"""Mixer's templates, through a real front, Redis and worker, to the stat server."""

import json
import subprocess
from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from support.installation import Installation
from support.mixer import field, read_answer
from support.processes import BIN
from support.protobuf import fields
from support.stat_server import StatServer
from support.templates import BACKEND, CHECKS, METHODS, NAME, SESSION_TYPE, any_of, asked, grants, message, naming, params, said
from support.waiting import wait_until


@pytest.fixture
def channel(installation: Installation) -> Iterator[grpc.Channel]:
    """A connection to a front whose worker is at work."""
    hook, _ = installation.hook(), installation.worker()
    with grpc.insecure_channel(hook.grpc_address) as opened:
        yield opened


def ask(channel: grpc.Channel, method: str, data: bytes) -> bytes:
    """Make one call, and return its answer. Fails where gRPC does."""
    answer: bytes = channel.unary_unary(method)(data, timeout=10)
    return answer


def test_every_template_wakes_its_revision(channel: grpc.Channel, stat_server: StatServer) -> None:
    """One request of each template is answered as Mixer expects, and its Revision is reported as any other: (1, 1)."""
    for template, method in METHODS.items():
        instance, config = naming(template, b"shop", template.encode())
        rest = asked({NAME: 3}) if template == "quota" else b""
        answer = ask(channel, method, message([instance], config, rest))
        if template in CHECKS:
            assert (read_answer(answer).code, read_answer(answer).uses) == (0, 0)
        else:
            assert grants(answer) == ({NAME: (3, 0.001)} if template == "quota" else {})
    for template in METHODS:
        stat = stat_server.wait_for(f"shop/{template}")[0].stat
        assert (stat.concurrency, stat.requests) == (1, 1)
    assert set(stat_server.requests()) == {f"shop/{template}" for template in METHODS}


def test_a_batch_is_many_calls(channel: grpc.Channel, stat_server: StatServer) -> None:
    """Each instance of a report counts, for its own Revision."""
    texts = [{b"namespace": b"shop", b"service": name} for name in (b"a", b"b", b"a", b"", b"a")]
    assert ask(channel, METHODS["metric"], message([said("metric", one) for one in texts])) == b""
    wait_until(lambda: stat_server.requests() == {"shop/a": 3, "shop/b": 1}, what="both Revisions reported")


def test_a_session_holds_for_every_front(installation: Installation, channel: grpc.Channel, stat_server: StatServer) -> None:
    """A session that one front opened is understood by another: its id says all; and its style of reports reaches the worker."""
    data = field(1, any_of(params(b"shop", b"cart", style=2)))
    answer = dict(fields(ask(channel, f"{BACKEND}CreateSession", data)))
    session = answer[1]
    assert isinstance(session, bytes)
    other = installation.hook()
    request = message([field(72295727, NAME)], any_of(session, SESSION_TYPE))
    with grpc.insecure_channel(other.grpc_address) as opened:
        for _ in range(3):
            ask(opened, METHODS["checknothing"], request)
    stats = [one.stat for one in stat_server.wait_for("shop/cart", reports=2)]
    assert {stat.concurrency for stat in stats} == {1}
    assert {stat.requests for stat in stats} == {1}


def test_every_service_is_listed_and_healthy(channel: grpc.Channel) -> None:
    """Reflection names each of Mixer's services, and each is SERVING."""
    asked_for = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
    listed = next(iter(reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(asked_for, timeout=5)))
    names = {service.name for service in listed.list_services_response.service}
    ours = {method.split("/")[1] for method in (*METHODS.values(), BACKEND)}
    assert ours <= names
    health = health_pb2_grpc.HealthStub(channel)
    for name in ours:
        assert health.Check(health_pb2.HealthCheckRequest(service=name), timeout=5).status == health_pb2.HealthCheckResponse.SERVING


def test_the_manifests_are_printed() -> None:
    """`wakequeue mixer manifests` needs nothing that runs, and no setting."""
    command = [BIN / "wakequeue", "mixer", "manifests", "--template", "quota"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert printed.stderr == ""
    assert json.dumps("wakequeue-hook.wakequeue.svc.cluster.local:6100") in printed.stdout
    assert printed.stdout.count("\nkind: ") == 7
