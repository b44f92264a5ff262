"""What the doctor finds of places that answer, or don't."""

import asyncio
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health, health_pb2_grpc
from support.certificates import Authority, Pair

from wakequeue.doctor import autoscaler, causes, grpc_port, ports
from wakequeue.doctor import command as command_module
from wakequeue.doctor.aside import aside
from wakequeue.doctor.finding import Finding
from wakequeue.doctor.grpc_port import Seen
from wakequeue.doctor.places import beyond_loopback, reached_at
from wakequeue.setting_sources import load
from wakequeue.setting_types import Address
from wakequeue.settings import Settings

TOKEN = {"WAKEQUEUE_GRPC_TOKEN": "let-me-in"}


def untrusted() -> ssl.SSLError:
    """What ssl raises."""
    error = ssl.SSLCertVerificationError(1, "verify failed")
    error.verify_message = "unable to get local issuer certificate"
    return error


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ConnectionRefusedError(111, "refused"), "refused"),
        (socket.gaierror(-2, "Name or service not known"), "name"),
        (untrusted(), "certificate"),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), "tls"),
        (TimeoutError(), "silent"),
        (FileNotFoundError(2, "No such file", "/a"), "missing"),
        (PermissionError(13, "Permission denied", "/a"), "forbidden"),
    ],
)
def test_causes_are_found_where_libraries_wrap_them(error: Exception, cause: str) -> None:
    """Each has its words, and what to do."""
    wrapped = ValueError("something")
    wrapped.__context__ = error
    found = causes.why(wrapped)
    assert found is not None
    assert found.cause == cause
    finding = causes.finding("redis", "Redis at redis://a", found, "redis")
    assert finding.grade == "error"
    assert "{" not in finding.remedy


def test_a_cause_that_is_none_of_these() -> None:
    """Nothing is made up."""
    assert causes.why(OSError(113, "No route to host")) is None


@pytest.mark.parametrize(
    ("address", "reached", "beyond"),
    [
        ("127.0.0.1:1", "127.0.0.1:1", False),
        ("0.0.0.0:1", "127.0.0.1:1", True),
        ("[::]:1", "[::1]:1", True),
        ("[::1]:1", "[::1]:1", False),
        ("localhost:1", "localhost:1", False),
        ("10.0.0.7:1", "10.0.0.7:1", True),
    ],
)
def test_where_this_machine_reaches_it(address: str, reached: str, beyond: bool) -> None:  # noqa: FBT001  an example
    """What listens everywhere is here, and elsewhere."""
    assert (reached_at(Address(address)), beyond_loopback(Address(address))) == (reached, beyond)


@pytest.mark.parametrize(
    ("answer", "grade"),
    [((200, "ok"), "ok"), ((503, "draining\n"), "warning"), ((404, ""), "error"), (TimeoutError(), "error")],
)
def test_http(answer: ports.Answer | Exception, grade: str) -> None:
    """A probe is answered; where nothing listens is well."""
    assert ports.http(answer, Settings()).grade == grade
    assert ports.http(ConnectionRefusedError(), Settings()).grade == "ok"


def test_admin() -> None:
    """What isn't ready is named."""
    assert ports.admin((200, "redis: ok\n"), Settings()).grade == "ok"
    finding = ports.admin((503, "grpc: ok\nredis: failed\n"), Settings())
    assert (finding.grade, finding.words.rpartition(": ")[2]) == ("error", "redis")


@pytest.mark.parametrize(
    ("answer", "grade"),
    [((200, "OK"), "ok"), (ConnectionRefusedError(), "ok"), ((404, ""), "error"), (TimeoutError(), "error")],
)
def test_flower(answer: ports.Answer | Exception, grade: str) -> None:
    """It answers, or isn't here, which is well where the doctor runs elsewhere; its password is its own affair."""
    assert ports.flower(answer, load({"WAKEQUEUE_FLOWER_ADDRESS": "0.0.0.0:5555"})).grade == grade


@pytest.mark.parametrize(
    ("seen", "environ", "grade"),
    [
        (Seen("SERVING"), {}, "ok"),
        (Seen("NOT_SERVING"), {}, "error"),
        (Seen("UNAVAILABLE", "Socket closed"), {}, "error"),
        (Seen("SERVING", without_token=grpc.StatusCode.UNAUTHENTICATED), TOKEN, "ok"),
        (Seen("SERVING", without_token=grpc.StatusCode.PERMISSION_DENIED), TOKEN, "ok"),
        (Seen("SERVING", without_token=grpc.StatusCode.OK), TOKEN, "error"),
        (Seen("SERVING", without_token=grpc.StatusCode.OK), {}, "ok"),
        (Seen("SERVING", without_token=grpc.StatusCode.DEADLINE_EXCEEDED), TOKEN, "ok"),
    ],
)
def test_grpc(seen: Seen, environ: dict[str, str], grade: str) -> None:
    """It serves; and where a token is set, refuses who has none."""
    (finding,) = grpc_port.health(seen, load(environ))
    assert finding.grade == grade
    assert "let-me-in" not in finding.text


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a server that answers answer in time, however slow the machine is."""
    monkeypatch.setattr(grpc_port, "SECONDS", 10.0)


@contextmanager
def serving(pair: Pair, *, client_ca: Path | None = None) -> Iterator[Settings]:
    """A gRPC server that says that it serves, and what a front as that one would be set to."""
    server = grpc.server(ThreadPoolExecutor(2))
    health_pb2_grpc.add_HealthServicer_to_server(health.HealthServicer(), server)
    shown = [(pair.key.read_bytes(), pair.certificate.read_bytes())]
    credentials = grpc.ssl_server_credentials(shown, client_ca and client_ca.read_bytes(), client_ca is not None)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    files = {"certificate": pair.certificate, "key": pair.key} | ({"client_ca": client_ca} if client_ca else {})
    try:
        yield load(
            {"WAKEQUEUE_GRPC_ADDRESS": f"127.0.0.1:{port}"}
            | {f"WAKEQUEUE_GRPC_{name.upper()}_FILE": str(file) for name, file in files.items()}
        )
    finally:
        server.stop(None)


@pytest.mark.parametrize("hosts", [("hook.shop.svc",), ("*.shop.svc",), ("10.0.0.7",), ("fd00::7",), ("10.0.0.7", "a.b")])
def test_whatever_host_a_certificate_is_for_it_is_asked(tmp_path: Path, hosts: tuple[str, ...]) -> None:
    """Not as what it was called: another machine calls it otherwise."""
    with serving(Authority(tmp_path).issue("front", hosts=hosts, days=30)) as settings:
        found = grpc_port.examine(settings)
    assert [one.grade for one in found] == ["ok", "ok"]
    assert found[0].words == f"{settings.grpc_address} serves"


def test_a_certificate_for_no_host(tmp_path: Path) -> None:
    """Such as a SPIFFE id's: gRPC would call no port that shows it, and TLS alone is seen."""
    with serving(Authority(tmp_path).issue("front", hosts=(), uris=("spiffe://a/front",), days=30)) as settings:
        found = grpc_port.examine(settings)
    assert [one.grade for one in found] == ["ok", "ok"]
    assert "can't be asked whether it serves: its certificate names no host" in found[0].words


def test_clients_of_another_authority(tmp_path: Path) -> None:
    """The front's own certificate is none of theirs, which is well; it is asked where it is."""
    authority, other = Authority(tmp_path), Authority(tmp_path, "clients")
    pair = authority.issue("front", days=30)
    with serving(pair, client_ca=authority.certificate) as settings:
        assert grpc_port.examine(settings)[0].words == f"{settings.grpc_address} serves"
    with serving(pair, client_ca=other.certificate) as settings:
        found = grpc_port.examine(settings)
    assert [one.grade for one in found] == ["ok", "ok"]
    assert "can't be asked whether it serves: clients need a certificate" in found[0].words


def test_an_authority_that_does_not_say_what_its_key_is_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.13 would refuse it."""
    make = ssl.create_default_context

    def strict(**options: Any) -> ssl.SSLContext:  # noqa: ANN401  whatever that takes
        context = make(**options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    authority = Authority(tmp_path)
    pair = authority.issue("front", days=30)
    pair.certificate.write_bytes(pair.certificate.read_bytes() + authority.certificate.read_bytes())
    with serving(pair) as settings:
        assert [one.grade for one in grpc_port.examine(settings)] == ["ok", "ok"]


@pytest.mark.parametrize(("days", "grade"), [(13, "warning"), (15, "ok")])
def test_a_certificate_ends(days: int, grade: str) -> None:
    """It is said two weeks before."""
    now = time.time()
    until = time.strftime("%b %d %H:%M:%S %Y GMT", time.gmtime(now + days * 86_400 + 60))
    (finding,) = grpc_port.expiry({"notAfter": until, "subjectAltName": (("DNS", "hook.wakequeue"),)}, now)
    assert finding.grade == grade
    assert f"for hook.wakequeue, is valid for {days} days more" in finding.words


def test_a_slow_pong() -> None:
    """It is said what it costs."""
    settings = load({"WAKEQUEUE_AUTOSCALER_ENDPOINT": "ws://ann:hunter2@a:1"})
    assert [autoscaler.answered(seconds, settings).grade for seconds in (0.01, 0.2)] == ["ok", "warning"]
    assert "hunter2" not in autoscaler.answered(0.01, settings).text


def test_no_endpoint_is_set() -> None:
    """Nothing is opened, and that is a warning."""
    (finding,) = asyncio.run(autoscaler.examine(Settings()))
    assert finding.grade == "warning"


def test_what_blocks_keeps_nobody_waiting() -> None:
    """Not even the end of the loop; what it returns or raises is told to who waits."""
    released = threading.Event()

    async def ask() -> None:
        assert await aside(lambda: 7) == 7
        with pytest.raises(ZeroDivisionError):
            await aside(lambda: 1 // 0)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await aside(lambda: released.wait(60))

    began = time.monotonic()
    asyncio.run(ask())
    released.set()
    assert time.monotonic() - began < 30


def test_an_examination_that_fails_or_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is one error, and the others are told."""

    async def fails(_settings: Settings) -> list[Finding]:
        raise ZeroDivisionError

    async def hangs(_settings: Settings) -> list[Finding]:
        await asyncio.sleep(60)
        return []

    async def goes_well(_settings: Settings) -> list[Finding]:
        return [Finding.ok("c", "well")]

    monkeypatch.setattr(command_module, "WITHIN", 0.01)
    monkeypatch.setattr(command_module, "EXAMINATIONS", {"a": fails, "b": hangs, "c": goes_well})
    found = asyncio.run(command_module.examine({}))
    assert [(one.subject, one.grade) for one in found] == [("settings", "ok"), ("a", "error"), ("b", "error"), ("c", "ok")]
