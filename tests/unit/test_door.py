"""The door before real gRPC connections in this process: who is let in, how others are refused, and who each one is."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from support.caller import Caller
from support.certificates import Authority

from gateway_hook.credentials import server_credentials
from gateway_hook.door import Door, identity_by
from wakequeue.errors import SettingsError
from wakequeue.setting_sources import load
from wakequeue.settings import Settings
from wakequeue.telemetry import FRONT, REFUSED

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[bytes, bytes]

T = TypeVar("T")
MIXER: Final = "spiffe://cluster.local/ns/istio-system/sa/mixer"
UNAUTHENTICATED, PERMISSION_DENIED = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED


class Service:
    """One method of each kind; each says who called, and how many calls came so far."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.identity = identity_by(Settings())

    def handler(self) -> grpc.GenericRpcHandler:
        """What a server serves, under `/test/`."""
        kinds: dict[str, Any] = {
            "unary_unary": self._one_for_one,
            "stream_unary": self._one_for_many,
            "unary_stream": self._many_for_one,
            "stream_stream": self._many_for_many,
        }
        methods = {kind: getattr(grpc, f"{kind}_rpc_method_handler")(behaviour) for kind, behaviour in kinds.items()}
        return grpc.method_handlers_generic_handler("test", methods)

    async def _one_for_one(self, request: bytes, context: "Context") -> bytes:
        self.names.append(self.identity(context))
        return request + request

    async def _one_for_many(self, requests: AsyncIterator[bytes], context: "Context") -> bytes:
        return await self._one_for_one(b"".join([request async for request in requests]), context)

    async def _many_for_one(self, request: bytes, context: "Context") -> AsyncIterator[bytes]:
        for _ in range(2):
            yield await self._one_for_one(request, context)

    async def _many_for_many(self, requests: AsyncIterator[bytes], context: "Context") -> AsyncIterator[bytes]:
        async for request in requests:
            yield await self._one_for_one(request, context)


def served(talk: Callable[[Caller], Awaitable[T]], service: Service, address: str = "127.0.0.1:0", **settings: str) -> T:
    """Return what a talk with a server behind a door comes to."""
    read = load({f"WAKEQUEUE_{name.upper()}": text for name, text in settings.items()})
    service.identity = identity_by(read)

    async def run() -> T:
        server = grpc.aio.server(interceptors=Door(read).interceptors)
        server.add_generic_rpc_handlers([service.handler()])
        health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
        credentials = server_credentials(read)
        port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
        await server.start()
        try:
            return await talk(Caller(address.removesuffix(":0") + (f":{port}" if address.endswith(":0") else "")))
        finally:
            await server.stop(None)

    return asyncio.run(run())


async def say(caller: Caller, kind: str = "unary_unary", parts: Sequence[bytes] = (b"a", b"b")) -> list[bytes] | grpc.StatusCode:
    """Return what one call of a kind is answered, or how it fails.

    A stream that is refused is to send no parts: gRPC's client calls a write to a call that has ended an internal error.
    """
    metadata = [("authorization", f"Bearer {caller.token}")] if caller.token else []
    async with caller.channel() as channel:
        method: Any = getattr(channel, kind)(f"/test/{kind}")
        if not kind.startswith("stream"):
            called = method(b"ab", metadata=metadata, timeout=10)
        else:
            called = method(metadata=metadata, timeout=10)
            for part in parts:
                await called.write(part)
            if parts:
                await called.done_writing()
        try:
            return [one async for one in called] if kind.endswith("stream") else [await called]
        except grpc.aio.AioRpcError as error:
            return error.code()


@pytest.fixture(autouse=True)
def _from_zero() -> None:
    """Have each test count from zero."""
    REFUSED.clear()


def refused(reason: str) -> float:
    """Return how many calls were refused for a reason."""
    return FRONT.get_sample_value("wakequeue_refused_total", {"reason": reason}) or 0.0


KINDS: Final = {
    "unary_unary": [b"abab"],
    "stream_unary": [b"abab"],
    "unary_stream": [b"abab", b"abab"],
    "stream_stream": [b"aa", b"bb"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_method_is_behind_the_door(kind: str) -> None:
    """With the token a method answers as it would without a door; without it, it isn't called."""

    async def talk(caller: Caller) -> None:
        assert await say(caller.but(token="hunter2"), kind) == KINDS[kind]
        service.names.clear()
        assert await say(caller, kind, ()) is UNAUTHENTICATED
        assert await say(caller.but(token="wrong"), kind, ()) is UNAUTHENTICATED
        assert service.names == []

    service = Service()
    served(talk, service, grpc_token="hunter2")
    assert (refused("no_token"), refused("wrong_token")) == (1, 1)


def test_health_is_open_and_what_is_unknown_stays_unknown() -> None:
    """A kubelet has no token; a method that isn't there is UNIMPLEMENTED with or without one."""

    async def talk(caller: Caller) -> None:
        async with caller.channel() as channel:
            answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)  # type: ignore[misc]
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
            for token in (None, "hunter2"):
                assert await caller.but(token=token).ask(channel, method="/test/other") is grpc.StatusCode.UNIMPLEMENTED

    served(talk, Service(), grpc_token="hunter2")


def test_a_refusal_is_logged_without_what_was_shown(caplog: pytest.LogCaptureFixture) -> None:
    """The first of many is a line with the reason and the caller, and with no token, neither the right one nor the wrong."""

    async def talk(caller: Caller) -> None:
        for _ in range(5):
            assert await say(caller.but(token="hunter3")) is UNAUTHENTICATED

    caplog.set_level(logging.INFO, logger="wakequeue")
    served(talk, Service(), grpc_token="hunter2")
    assert caplog.messages == ["refused reason=wrong_token peer=127.0.0.1"]
    assert refused("wrong_token") == 5


def test_tokens_are_read_again_when_they_change(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each of those in the file will do; one that has gone will not; a file that can't be used leaves them as they were."""
    path = tmp_path / "token"

    async def talk(caller: Caller) -> list[str]:
        words = ("one", "two", "three")
        return [word for word in words if not isinstance(await say(caller.but(token=word)), grpc.StatusCode)]

    async def all_of_it(caller: Caller) -> None:
        assert await talk(caller) == ["one"]
        for content, accepted in {
            "one\ntwo\n": ["one", "two"],
            " two\r\nthree": ["two", "three"],
            "": ["two", "three"],
            "three\u20ac": ["two", "three"],
            "three": ["three"],
        }.items():
            path.write_text(content)
            assert await talk(caller) == accepted
        path.unlink()
        assert await talk(caller) == ["three"]

    path.write_text("one\n")
    caplog.set_level(logging.INFO, logger="wakequeue")
    served(all_of_it, Service(), grpc_token_file=str(path))
    assert sum(message.startswith("not_renewed") for message in caplog.messages) == 3
    assert not any(word in caplog.text.replace(str(path), "") for word in ("one\n", "two", "three"))


@pytest.mark.parametrize(("content", "says"), [("", "holds none"), (" \n", "holds none"), ("\u20ac", "holds something else")])
def test_a_file_without_tokens_refuses_to_start(tmp_path: Path, content: str, says: str) -> None:
    """An empty file must not open the door."""
    path = tmp_path / "token"
    path.write_text(content)
    with pytest.raises(SettingsError) as caught:
        Door(load({"WAKEQUEUE_GRPC_TOKEN_FILE": str(path)}))
    assert str(caught.value).startswith(
        f"WAKEQUEUE_GRPC_TOKEN_FILE = '{path}': {says}; allowed is a readable file with one or more"
    )


@pytest.mark.parametrize(
    ("uris", "allowed", "name"),
    [
        ((MIXER,), True, MIXER),
        (("https://example.com/x", MIXER), True, MIXER),
        ((), False, "127.0.0.1"),
        (("spiffe://cluster.local/ns/default/sa/mixer",), False, "spiffe://cluster.local/ns/default/sa/mixer"),
    ],
)
def test_a_client_is_known_by_its_certificate(tmp_path: Path, uris: tuple[str, ...], allowed: bool, name: str) -> None:  # noqa: FBT001
    """Its URIs decide whether it is let in, be they one or many, and name it; a host's name in it counts for nothing."""
    authority = Authority(tmp_path)
    front, client = authority.issue("front"), authority.issue("client", uris=uris)
    files = {"grpc_certificate_file": front.certificate, "grpc_key_file": front.key, "grpc_client_ca_file": authority.certificate}
    mine = {name: str(path) for name, path in files.items()}

    async def talk(caller: Caller) -> list[bytes] | grpc.StatusCode:
        return await say(caller.but(ca=authority.certificate, pair=client))

    service = Service()
    assert served(talk, service, **mine) == [b"abab"]
    assert service.names == [name]
    answer = served(talk, service, **mine, grpc_allowed_clients='["spiffe://cluster.local/ns/istio-system/sa/*", "localhost:*"]')
    assert answer == ([b"abab"] if allowed else PERMISSION_DENIED)
    assert refused("client_not_allowed") == (not allowed)


@pytest.mark.parametrize(
    ("address", "name"), [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "::1"), ("[::]:0", "127.0.0.1"), ("unix:", "unix")]
)
def test_a_plain_caller_is_its_address(tmp_path: Path, address: str, name: str) -> None:
    """Without a certificate it is the address that it calls from, as gRPC knows it; a socket has none."""
    place = f"unix:{tmp_path}/front.sock" if address == "unix:" else address

    async def talk(caller: Caller) -> list[bytes] | grpc.StatusCode:
        return await say(caller.but(address=caller.address.replace("[::]", "127.0.0.1")))

    service = Service()
    assert served(talk, service, place) == [b"abab"]
    assert service.names == [name]
