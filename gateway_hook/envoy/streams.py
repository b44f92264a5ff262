"""The messages of a stream that its client never ends: until the front is told to stop, and for a little longer what still comes.

gRPC's server, when it is stopped, waits for open streams as long as it may, so they have to be answered.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

#: Once told, a stream is done when nothing came for so long, in seconds, or after so long in all.
QUIET: Final = 0.1
AT_MOST: Final = 1.0


async def until_told(messages: AsyncIterator[bytes], told: asyncio.Event) -> AsyncGenerator[bytes, None]:
    """The messages of a stream until it ends, or is done after `told`. The next is asked for when this one has been used."""
    loop, telling = asyncio.get_running_loop(), asyncio.create_task(told.wait())
    until = None
    try:
        while until is None or loop.time() < until:
            message = await _next(messages, telling)
            if message is None:
                return
            if until is None and telling.done():
                until = loop.time() + AT_MOST
            yield message
    finally:
        telling.cancel()


async def _next(messages: AsyncIterator[bytes], telling: "asyncio.Task[bool]") -> bytes | None:
    """The next message; None at the end of the stream, or if none comes in time."""
    reading = asyncio.ensure_future(anext(messages, None))
    try:
        await asyncio.wait({reading, telling}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({reading}, timeout=QUIET)
        return reading.result() if reading.done() else None
    finally:
        reading.cancel()
