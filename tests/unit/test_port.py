"""The gRPC port in this process: where its address is taken, for good or for a while."""

import asyncio
import socket
from typing import cast

import pytest
from support.processes import free_port

from gateway_hook.hook import Hook
from gateway_hook.port import Port
from gateway_hook.recorder import Recorder
from wakequeue.cluster.knowledge import Unknown
from wakequeue.errors import CannotStart
from wakequeue.setting_sources import load


async def open_beside(other: socket.socket, within: float, freed_after: float) -> None:
    """Open a port whose address another one frees after so many seconds."""
    host, number = other.getsockname()
    settings = load({"WAKEQUEUE_GRPC_ADDRESS": f"{host}:{number}"})
    port = Port(Hook(cast("Recorder", None), settings, Unknown()), {}, settings)
    asyncio.get_running_loop().call_later(freed_after, other.close)
    await port.open(within)
    await port.close(0)


def test_a_taken_address() -> None:
    """The refusal names the address and the setting."""
    with socket.create_server(("127.0.0.1", free_port())) as other:
        address = ":".join(map(str, other.getsockname()))
        with pytest.raises(CannotStart, match=rf"{address} \(WAKEQUEUE_GRPC_ADDRESS\)"):
            asyncio.run(open_beside(other, within=0, freed_after=60))


def test_an_address_that_is_let_go() -> None:
    """The port waits for it: a server that has ended lets go of its address a little later."""
    with socket.create_server(("127.0.0.1", free_port())) as other:
        asyncio.run(open_beside(other, within=10, freed_after=0.2))
