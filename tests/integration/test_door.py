"""The front's doors in a real process: TLS, mutual TLS and tokens, their replacement under traffic, and limits."""

import asyncio
import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2
from support.caller import HELLO, Caller
from support.certificates import Authority, Pair
from support.installation import Installation, Running
from support.mixer import METHOD, Answer, request
from support.processes import BIN, Process, free_port
from support.redis_server import RedisServer
from support.waiting import wait_until

WAKEQUEUE: Final = str(BIN / "wakequeue")
MIXER: Final = "spiffe://cluster.local/ns/istio-system/sa/istio-mixer-service-account"
TOKEN: Final = "hunter2-the-right-one"
HEALTH: Final = "/grpc.health.v1.Health/Check"
REFLECTION: Final = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
OK: Final = 0
UNAVAILABLE, EXHAUSTED = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED
UNAUTHENTICATED, PERMISSION_DENIED = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED


@pytest.fixture
def installation(shared_redis: RedisServer) -> Iterator[Installation]:
    """Fronts to be started, and no Autoscaler: what is recorded is looked for in the ledger."""
    with Installation(shared_redis.url, f"ws://127.0.0.1:{free_port()}") as started:
        yield started


@dataclass(frozen=True, slots=True)
class Files:
    """An authority, and the front's own certificate."""

    authority: Authority
    front: Pair

    def tls(self) -> dict[str, str]:
        """The front's settings for TLS."""
        return {
            "WAKEQUEUE_GRPC_CERTIFICATE_FILE": str(self.front.certificate),
            "WAKEQUEUE_GRPC_KEY_FILE": str(self.front.key),
        }

    def mutual_tls(self) -> dict[str, str]:
        """The front's settings for mutual TLS."""
        return {**self.tls(), "WAKEQUEUE_GRPC_CLIENT_CA_FILE": str(self.authority.certificate)}

    def client(self, *uris: str) -> Pair:
        """A client's certificate with these URIs."""
        return self.authority.issue("client", uris=uris)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Certificates of this test's own."""
    authority = Authority(tmp_path)
    return Files(authority, authority.issue("front"))


def outcome(caller: Caller, data: bytes = HELLO) -> int | grpc.StatusCode:
    """Return the status in the answer to one check, or how the check failed."""
    answer = caller.check([data])[0]
    return answer.code if isinstance(answer, Answer) else answer


def recorded(hook: Running) -> float:
    """Return how many calls the front has made durable."""
    return hook.metric("wakequeue_recorded_total")


def has_recorded(hook: Running, calls: int) -> None:
    """Wait until the front has made so many calls durable: a slow one answers sooner."""
    wait_until(lambda: recorded(hook) == calls, what=f"{calls} calls recorded")


def is_healthy(caller: Caller) -> bool:
    """Return whether the front says over gRPC that it serves."""
    answer = caller.call(b"", HEALTH)
    return isinstance(answer, bytes) and health_pb2.HealthCheckResponse.FromString(answer).status == 1


# Certificates.


def test_tls(installation: Installation, files: Files, tmp_path: Path) -> None:
    """Whoever trusts the front's authority is answered; whoever doesn't, or speaks plainly, is not, and does no harm."""
    hook = installation.hook(**files.tls())
    caller = Caller(hook.grpc_address, ca=files.authority.certificate)
    assert outcome(caller) == OK
    assert outcome(caller.but(ca=None)) is UNAVAILABLE
    assert outcome(caller.but(ca=Authority(tmp_path, "other").certificate)) is UNAVAILABLE
    assert outcome(caller) == OK
    assert is_healthy(caller)
    has_recorded(hook, 2)


def test_mutual_tls(installation: Installation, files: Files, tmp_path: Path) -> None:
    """Only a client whose certificate the authority has signed gets as far as a call."""
    hook = installation.hook(**files.mutual_tls())
    caller = Caller(hook.grpc_address, ca=files.authority.certificate)
    assert outcome(caller) is UNAVAILABLE
    assert outcome(caller.but(pair=Authority(tmp_path, "other").issue("stranger", uris=(MIXER,)))) is UNAVAILABLE
    assert not is_healthy(caller)
    assert outcome(caller.but(pair=files.client())) == OK
    has_recorded(hook, 1)


def test_clients_are_known_by_their_uris(installation: Installation, files: Files) -> None:
    """A client of the authority that isn't one of those allowed is denied, and counted; health it may ask."""
    allowed = "spiffe://cluster.local/ns/istio-system/sa/*"
    hook = installation.hook(**files.mutual_tls(), WAKEQUEUE_GRPC_ALLOWED_CLIENTS=allowed)
    caller = Caller(hook.grpc_address, ca=files.authority.certificate)
    assert outcome(caller.but(pair=files.client(MIXER))) == OK
    assert outcome(caller.but(pair=files.client("https://example.com", MIXER))) == OK
    for uris in ((), ("spiffe://cluster.local/ns/default/sa/istio-mixer-service-account",), (f"{MIXER}/x",)):
        stranger = caller.but(pair=files.client(*uris))
        assert outcome(stranger) is PERMISSION_DENIED
        assert is_healthy(stranger)
    has_recorded(hook, 2)
    assert hook.metric("wakequeue_refused_total", reason="client_not_allowed") == 3
    hook.process.wait_for_line("refused reason=client_not_allowed peer=127.0.0.1")


def test_the_original_adapters_variables(installation: Installation, files: Files) -> None:
    """The names of 2019 for certificate, key and clients' authority make a front with mutual TLS."""
    hook = installation.hook(
        GRPC_ADAPTER_CREDENTIAL=str(files.front.certificate),
        GRPC_ADAPTER_PRIVATE_KEY=str(files.front.key),
        GRPC_ADAPTER_CERTIFICATE=str(files.authority.certificate),
    )
    caller = Caller(hook.grpc_address, ca=files.authority.certificate)
    assert outcome(caller) is UNAVAILABLE
    assert outcome(caller.but(pair=files.client())) == OK


def test_certificates_are_replaced_under_traffic(installation: Installation, files: Files, tmp_path: Path) -> None:
    """New connections see the new certificate, in force without a restart; those that are there lose no call."""
    hook = installation.hook(**files.tls())
    before, after = tmp_path / "before.pem", Authority(tmp_path, "after")
    before.write_bytes(files.authority.certificate.read_bytes())
    caller = Caller(hook.grpc_address, ca=before)
    with _Traffic(caller) as traffic:
        traffic.wait_for_calls(50)
        fresh = after.issue("fresh")
        fresh.key.replace(files.front.key)
        assert outcome(caller) == OK, "the new key doesn't fit the old certificate, so both of old are kept"
        fresh.certificate.replace(files.front.certificate)
        assert outcome(caller.but(ca=after.certificate)) == OK
        assert outcome(caller) is UNAVAILABLE
        traffic.wait_for_calls(50)
    assert set(traffic.outcomes) == {OK}
    hook.process.wait_for_line(f" renewed files={files.front.certificate},{files.front.key}")
    assert len([line for line in hook.process.lines if " not_renewed " in line]) == 1


@pytest.mark.parametrize("broken", ["half", "empty", "missing", "other"])
def test_a_broken_certificate_changes_nothing(installation: Installation, files: Files, broken: str) -> None:
    """The one before it is kept and the reason is logged, without what is in the file; a good one that follows is used."""
    hook = installation.hook(**files.mutual_tls())
    caller = Caller(hook.grpc_address, ca=files.authority.certificate, pair=files.client())
    content = files.front.certificate.read_bytes()
    match broken:
        case "missing":
            files.front.certificate.unlink()
        case "other":
            files.front.certificate.write_bytes(files.client().certificate.read_bytes())
        case _:
            files.front.certificate.write_bytes(content[:200] if broken == "half" else b"")
    assert [outcome(caller) for _ in range(3)] == [OK] * 3
    line = hook.process.wait_for_line("not_renewed error=")
    assert "WAKEQUEUE_GRPC_" in line
    assert "BEGIN" not in hook.process.output
    assert len([line for line in hook.process.lines if "not_renewed" in line]) == 1
    files.authority.issue("front")
    assert outcome(caller) == OK
    hook.process.wait_for_line(" renewed files=")


def test_the_clients_authority_is_replaced(installation: Installation, files: Files, tmp_path: Path) -> None:
    """From then on clients of the new one are let in, and new connections of the old one's are not."""
    hook = installation.hook(**files.mutual_tls())
    server_ca = tmp_path / "server-ca.pem"
    server_ca.write_bytes(files.authority.certificate.read_bytes())
    caller, after = Caller(hook.grpc_address, ca=server_ca), Authority(tmp_path, "after")
    old, new = caller.but(pair=files.client()), caller.but(pair=after.issue("new"))
    assert (outcome(old), outcome(new)) == (OK, UNAVAILABLE)
    after.certificate.replace(files.authority.certificate)
    assert (outcome(old), outcome(new)) == (UNAVAILABLE, OK)


# Tokens.


def test_a_token(installation: Installation) -> None:
    """With the token a call is answered and recorded; without, or with another, it is neither, and counted."""
    hook = installation.hook(WAKEQUEUE_GRPC_TOKEN=TOKEN)
    caller = Caller(hook.grpc_address)
    shown: list[tuple[tuple[str, str | bytes], ...]] = [
        (),
        (("authorization", f"Basic {TOKEN}"),),
        (("authorization", TOKEN),),
        (("x-token", TOKEN),),
        (("authorization-bin", b"\xff\x00\xfe"),),
    ]
    assert [outcome(caller.but(metadata=one)) for one in shown] == [UNAUTHENTICATED] * 5
    wrong = ("", "x", TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), f"{TOKEN} {TOKEN}", "~" * 4096)
    assert [outcome(caller.but(token=token)) for token in wrong] == [UNAUTHENTICATED] * 7
    assert caller.call(b"", REFLECTION) is UNAUTHENTICATED
    assert is_healthy(caller)
    assert recorded(hook) == hook.metric("wakequeue_calls_total") == 0
    assert [outcome(caller.but(token=token)) for token in (TOKEN, f" {TOKEN} ")] == [OK] * 2
    assert outcome(caller.but(metadata=(("authorization", "Bearer x"), ("authorization", f"bearer {TOKEN}")))) == OK
    has_recorded(hook, 3)
    counts = {reason: hook.metric("wakequeue_refused_total", reason=reason) for reason in ("no_token", "wrong_token")}
    assert counts == {"no_token": 6, "wrong_token": 7}
    hook.process.wait_for_line(" refused ")
    assert len([line for line in hook.process.lines if " refused " in line]) == 1


def test_any_bytes_may_come_as_a_token(installation: Installation) -> None:
    """A header that no client of gRPC would send, as Mixer's new line was, is judged as another is, and the front goes on."""
    hook = installation.hook(WAKEQUEUE_GRPC_TOKEN=TOKEN)
    good = f"Bearer {TOKEN}", f"Bearer {TOKEN}\n", f"Bearer {TOKEN}\r\n"
    bad = "Bearer \u00e9", "Bearer \udcff\udcfe", "\udcff\udcfe", "Bearer \0"
    calls = 0
    for value in (*good, *bad):
        _raw_call(hook.grpc_address, value.encode(errors="surrogateescape"))
        calls += value in good
        has_recorded(hook, calls)
        assert outcome(Caller(hook.grpc_address, token=TOKEN)) == OK
        calls += 1
        has_recorded(hook, calls)
    assert recorded(hook) == calls
    assert "Traceback" not in hook.process.output


def test_a_header_of_its_own(installation: Installation) -> None:
    """The token stands alone in another header; `authorization` then means nothing."""
    hook = installation.hook(WAKEQUEUE_GRPC_TOKEN=f"{TOKEN}\n", WAKEQUEUE_GRPC_TOKEN_HEADER="X-Wakequeue-Token")
    caller = Caller(hook.grpc_address)
    assert outcome(caller.but(token=TOKEN)) is UNAUTHENTICATED
    assert outcome(caller.but(metadata=(("x-wakequeue-token", f"Bearer {TOKEN}"),))) is UNAUTHENTICATED
    assert outcome(caller.but(metadata=(("x-wakequeue-token", TOKEN),))) == OK


def test_a_token_is_replaced_under_traffic(installation: Installation, tmp_path: Path) -> None:
    """While the file holds both, callers with either lose no call; once the old one has gone, it is refused."""
    path = tmp_path / "token"
    _replace(path, f"{TOKEN}\n")
    hook = installation.hook(WAKEQUEUE_GRPC_TOKEN_FILE=str(path))
    old, new = (Caller(hook.grpc_address, token=token) for token in (TOKEN, "hunter3-its-successor"))
    assert outcome(new) is UNAUTHENTICATED
    with _Traffic(old) as traffic:
        traffic.wait_for_calls(20)
        _replace(path, f"{TOKEN}\nhunter3-its-successor\n")
        with _Traffic(new) as newer:
            newer.wait_for_calls(20)
            traffic.wait_for_calls(20)
            assert set(traffic.outcomes) == {OK}
            _replace(path, "")
            newer.wait_for_calls(20)
            _replace(path, "hunter3-its-successor\n")
            wait_until(lambda: UNAUTHENTICATED in traffic.outcomes, what="the old token to be refused")
            newer.wait_for_calls(20)
        assert set(newer.outcomes) == {OK}
    refused_from = traffic.outcomes.index(UNAUTHENTICATED)
    assert set(traffic.outcomes[refused_from:]) == {UNAUTHENTICATED}
    hook.process.wait_for_line("not_renewed error=")


# What may be said.


def test_a_namespace_that_is_not_allowed(installation: Installation) -> None:
    """A call for a Revision of another namespace is answered OK, is never cached, records nothing, and is counted."""
    hook = installation.hook(WAKEQUEUE_NAMESPACES='["shop", "team-*"]')
    caller = Caller(hook.grpc_address)
    names = [(b"shop", b"a"), (b"team-1", b"a"), (b"default", b"a"), (b"shop", b"a.default.svc"), (b"default", b"a.shop.svc")]
    answers = [answer for answer in caller.check([request(*name) for name in names]) if isinstance(answer, Answer)]
    assert [(answer.code, answer.uses) for answer in answers] == [(0, 0)] * 5
    has_recorded(hook, 3)
    assert hook.metric("wakequeue_ignored_total", reason="namespace") == 2


def test_too_much_is_refused_and_harms_nobody(installation: Installation) -> None:
    """An over-sized message or header is refused by gRPC itself, while others, also on the same connection, are answered."""
    hook = installation.hook(WAKEQUEUE_GRPC_MESSAGE_BYTES="4096", WAKEQUEUE_GRPC_METADATA_BYTES="4096")
    caller = Caller(hook.grpc_address)
    large = request(b"default", b"hello", path=b"/" * 5000)
    with _Traffic(caller) as traffic:
        traffic.wait_for_calls(20)
        answers = caller.check([HELLO, large] * 20)
        assert [one.code if isinstance(one, Answer) else one for one in answers] == [OK, EXHAUSTED] * 20
        assert outcome(caller.but(metadata=(("x", "y" * 5000),))) is EXHAUSTED
        assert outcome(caller.but(metadata=(("x", "y" * 3000),))) == OK
        traffic.wait_for_calls(20)
    assert set(traffic.outcomes) == {OK}


@pytest.mark.parametrize("limit", [10, 1000])
def test_calls_beyond_those_in_flight_wait(installation: Installation, limit: int) -> None:
    """With fewer calls at a time on one connection, the rest of a burst waits at the caller, and each is answered."""
    hook = installation.hook(WAKEQUEUE_GRPC_CALLS_IN_FLIGHT=str(limit))
    answers = Caller(hook.grpc_address, within=60).check([HELLO] * 2_000)
    assert [answer for answer in answers if isinstance(answer, grpc.StatusCode)] == []
    wait_until(lambda: recorded(hook) == 2_000, what="2,000 calls recorded")


# What refuses to start.


@pytest.mark.parametrize("command", ["hook", "call"])
def test_files_that_can_not_be_used_refuse_to_start(files: Files, tmp_path: Path, command: str) -> None:
    """Exit code 2 and one line: the setting, its value, and what is allowed."""
    missing = str(tmp_path / "missing")
    for name in (*files.tls(), "WAKEQUEUE_GRPC_TOKEN_FILE"):
        arguments = [WAKEQUEUE, command] + ["shop/cart"] * (command == "call")
        with Process(arguments, {**files.tls(), name: missing}) as process:
            assert process.wait() == 2
            assert len(process.lines) == 1, process.output
            assert process.output.startswith(f"wakequeue: {name} = '{missing}': No such file or directory; allowed is a readable ")


def test_a_key_that_does_not_match_refuses_to_start(files: Files) -> None:
    """It isn't taken for a port in use."""
    with Process([WAKEQUEUE, "hook"], {**files.tls(), "WAKEQUEUE_GRPC_KEY_FILE": str(files.client().key)}) as hook:
        assert hook.wait() == 2
        assert ": holds the key of another one; allowed is " in hook.lines[0]
        assert len(hook.lines) == 1


def test_a_port_in_use_is_still_told_from_a_wrong_file(installation: Installation, files: Files) -> None:
    """With TLS too a taken port is what it is."""
    address = installation.hook(**files.tls()).grpc_address
    with Process([WAKEQUEUE, "hook"], {**files.tls(), "WAKEQUEUE_GRPC_ADDRESS": address}) as hook:
        assert hook.wait() == 1
        assert "WAKEQUEUE_GRPC_ADDRESS" in hook.lines[-1]


# `wakequeue call`, and what is never shown.


def test_call_has_the_fronts_settings(installation: Installation, files: Files, tmp_path: Path) -> None:
    """With them `call` gets in without an option: by the front's own certificate, and by the token from a file or not."""
    path = tmp_path / "token"
    _replace(path, f"{TOKEN}\nanother\n")
    doors: list[dict[str, str]] = [
        files.tls(),
        files.mutual_tls(),
        {"WAKEQUEUE_GRPC_TOKEN": TOKEN, "WAKEQUEUE_GRPC_TOKEN_HEADER": "x-token"},
        {**files.mutual_tls(), "WAKEQUEUE_GRPC_TOKEN_FILE": str(path)},
    ]
    for door in doors:
        hook = installation.hook(**door)
        call = installation.start([WAKEQUEUE, "call", "shop/cart"], WAKEQUEUE_GRPC_ADDRESS=hook.grpc_address, **door)
        assert call.wait() == 0, call.output
        assert "shop/cart: 1 call answered OK" in call.output


def test_call_can_be_somebody_else(installation: Installation, files: Files, tmp_path: Path) -> None:
    """Without the front's files it brings its own; a client that isn't allowed is told so."""
    hook = installation.hook(**files.mutual_tls(), WAKEQUEUE_GRPC_ALLOWED_CLIENTS=MIXER)
    allowed, other = files.authority.issue("allowed", uris=(MIXER,)), files.authority.issue("other")

    def call(*options: str) -> Process:
        process = installation.start([WAKEQUEUE, "call", "shop/cart", *options], WAKEQUEUE_GRPC_ADDRESS=hook.grpc_address)
        process.wait()
        return process

    def identity(pair: Pair) -> list[str]:
        return ["--ca", str(files.authority.certificate), "--identity", str(pair.certificate), str(pair.key)]

    assert call(*identity(allowed)).returncode == 0
    assert call(*identity(allowed), "--server-name", "localhost").returncode == 0
    for process, says in (
        (call(*identity(allowed), "--server-name", "elsewhere"), "UNAVAILABLE"),
        (call(*identity(other)), "PERMISSION_DENIED, client_not_allowed"),
        (call("--ca", str(Authority(tmp_path, "strange").certificate)), "UNAVAILABLE"),
        (call("--ca", "/dev/null"), "UNAVAILABLE"),
    ):
        assert process.returncode == 1
        assert says in process.lines[-1]


def test_secrets_are_never_shown(installation: Installation, files: Files, tmp_path: Path) -> None:
    """Neither the token nor a key is in any output, metric or command line, whoever calls and whatever is wrong."""
    path = tmp_path / "token"
    _replace(path, TOKEN)
    doors: list[dict[str, str]] = [{"WAKEQUEUE_GRPC_TOKEN": TOKEN}, {"WAKEQUEUE_GRPC_TOKEN_FILE": str(path)}]
    for door in doors:
        hook = installation.hook(**files.tls(), **door)
        caller = Caller(hook.grpc_address, ca=files.authority.certificate)
        assert outcome(caller.but(token=TOKEN)) == OK
        assert outcome(caller.but(token=f"{TOKEN}-hunter2")) is UNAUTHENTICATED
        environ = {"WAKEQUEUE_GRPC_ADDRESS": hook.grpc_address, **files.tls(), **door}
        calls = [
            installation.start([WAKEQUEUE, "call", "shop/cart", "--count", "2000", "--timeout", "60"], **environ),
            installation.start([WAKEQUEUE, "call", "shop/cart"], **environ | {"WAKEQUEUE_GRPC_TOKEN_HEADER": "x-other"}),
        ]
        shown = _command_lines(lambda calls=calls: all(call.returncode is not None for call in calls))
        assert [call.wait() for call in calls] == [0, 1]
        assert "UNAUTHENTICATED, no_token" in calls[1].output
        shown += [hook.get("/metrics")[1], *(" ".join(call.command) for call in calls)]
        files.front.key.write_bytes(files.front.key.read_bytes()[:-20])
        _replace(path, f"{TOKEN}\u20ac")
        outcome(caller.but(token=TOKEN))
        assert hook.process.stop() == 0
        shown += [hook.process.output, *(call.output for call in calls)]
        assert "wakequeue_refused_total" in "".join(shown)
        assert "not_renewed" in hook.process.output
        secrets = ["hunter2", *files.front.key.read_text().splitlines()[1:]]
        assert not [secret for secret in secrets if any(secret in text for text in shown)]
        files.authority.issue("front")
        _replace(path, TOKEN)


def _replace(path: Path, text: str) -> None:
    """Put another file in a file's place at once."""
    fresh = path.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(path)


def _command_lines(until: Callable[[], bool]) -> list[str]:
    """What `ps` shows of this test's processes, until something holds."""
    seen: set[str] = set()
    while not until():
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.Error):
                seen.add(" ".join(process.cmdline()))
    return list(seen)


def _raw_call(address: str, authorization: bytes) -> bytes:
    """One check as bytes on the wire (RFC 9113, RFC 7541), with any bytes in its header; returns all that is answered."""

    def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload

    headers = {
        b":method": b"POST",
        b":scheme": b"http",
        b":path": METHOD.encode(),
        b":authority": address.encode(),
        b"te": b"trailers",
        b"content-type": b"application/grpc",
        b"authorization": authorization,
    }
    block = b"".join(b"\0" + bytes([len(key)]) + key + bytes([len(value)]) + value for key, value in headers.items())
    message = frame(0, 1, 1, b"\0" + struct.pack(">I", len(HELLO)) + HELLO)
    host, port = address.split(":")
    received = b""
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(4, 0, 0, b"") + frame(1, 4, 1, block) + message)
        while b"grpc-status" not in received and (data := connection.recv(65536)):
            received += data
    return received


class _Traffic:
    """Calls one after the other, on one connection, until it is left; `outcomes` are theirs, in order."""

    def __init__(self, caller: Caller) -> None:
        self.outcomes: list[int | grpc.StatusCode] = []
        self._caller = caller
        self._ending = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def wait_for_calls(self, number: int) -> None:
        """Wait until so many more calls were made."""
        before = len(self.outcomes)
        wait_until(lambda: len(self.outcomes) >= before + number, 20, f"{number} more calls")

    async def _run(self) -> None:
        async with self._caller.channel() as channel:
            for number in itertools.count():
                if self._ending.is_set():
                    return
                answer = await self._caller.ask(channel, request(b"default", f"app-{number}".encode()))
                self.outcomes.append(answer if isinstance(answer, grpc.StatusCode) else OK)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
