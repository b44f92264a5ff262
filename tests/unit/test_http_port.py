"""The HTTP port in this process: where it can't listen, and how long it has patience."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import pytest
from support.processes import free_port

from gateway_hook.hook import Hook
from gateway_hook.http import port as http_port
from gateway_hook.http.port import HttpPort
from gateway_hook.recorder import Recorder
from wakequeue.cluster.knowledge import Unknown
from wakequeue.errors import CannotStart, SettingsError
from wakequeue.setting_sources import load

T = TypeVar("T")
PROBE = b"GET / HTTP/1.1\r\nhost: x\r\nk-network-probe: activator\r\n\r\n"


def served(talk: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[T]]) -> T:
    """Return what a talk with a port comes to that has nothing to record."""
    settings = load({"WAKEQUEUE_HTTP_ADDRESS": f"127.0.0.1:{free_port()}"})

    async def run() -> T:
        port = HttpPort(Hook(cast("Recorder", None), settings, Unknown()), settings)
        await port.open()
        reader, writer = await asyncio.open_connection(settings.http_address.host, settings.http_address.port)
        try:
            async with asyncio.timeout(10):
                return await talk(reader, writer)
        finally:
            writer.close()
            await port.close(1)

    return asyncio.run(run())


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nhost:", PROBE, PROBE + b"GET /", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"])
def test_an_idle_connection_is_ended(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends no whole request for a while, before or after another one, is not waited for."""
    monkeypatch.setattr(http_port, "IDLE_SECONDS", 0.1)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(sent)
        return await reader.read()

    answered = served(talk)
    assert answered.endswith(b"activator") == sent.startswith(PROBE)


def test_a_connection_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as whole requests come."""
    monkeypatch.setattr(http_port, "IDLE_SECONDS", 3.0)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> int:
        for _ in range(12):
            writer.write(PROBE)
            assert (await reader.readuntil(b"activator")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.3)
        return 12

    assert served(talk) == 12


@pytest.mark.parametrize("address", ["192.0.2.1:8012", "nowhere.invalid:8012"])
def test_an_address_that_is_not_here(address: str) -> None:
    """The refusal names the address and the setting."""
    settings = load({"WAKEQUEUE_HTTP_ADDRESS": address})

    async def run() -> None:
        await HttpPort(Hook(cast("Recorder", None), settings, Unknown()), settings).open()

    with pytest.raises(CannotStart, match=rf"{address} \(WAKEQUEUE_HTTP_ADDRESS\)"):
        asyncio.run(run())


def test_tokens_that_cannot_be_used() -> None:
    """The port isn't made without them."""
    settings = load({"WAKEQUEUE_GRPC_TOKEN_FILE": "/nowhere/token"})

    async def run() -> None:
        HttpPort(Hook(cast("Recorder", None), settings, Unknown()), settings)

    with pytest.raises(SettingsError, match="WAKEQUEUE_GRPC_TOKEN_FILE"):
        asyncio.run(run())
