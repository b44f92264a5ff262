"""How a server on an event loop of a test's own is ended, so that nothing is left of what was just being accepted."""

import asyncio
from collections.abc import Iterable
from typing import Protocol

from support.waiting import all_closed, wait_until_async


class Listening(Protocol):
    """An asyncio server, or one of websockets."""

    @property
    def sockets(self) -> Iterable[asyncio.trsock.TransportSocket]:
        """Those that it listens on."""
        ...


async def stop_accepting(server: Listening) -> None:
    """Accept nothing more, and have the handlers begin of what just was: CPython fails to make such a connection after `close`."""
    loop = asyncio.get_running_loop()
    for one in server.sockets:
        loop.remove_reader(one.fileno())
    for _ in ("the transport", "its protocol", "the handler"):
        await asyncio.sleep(0)


async def end_all(within: float = 5.0) -> None:
    """End this loop's connections, also those in a handshake, and wait for all that uses them."""
    loop = asyncio.get_running_loop()

    def ended() -> bool:
        for transport in list(loop._transports.values()):  # type: ignore[attr-defined]  # asyncio itself doesn't tell
            transport.abort()
        return asyncio.all_tasks() == {asyncio.current_task()}

    await wait_until_async(ended, within, "the end of the connections")
    await all_closed(within)
