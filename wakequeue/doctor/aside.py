"""What blocks is done in threads that nothing waits for at the end: a look-up of a name can't be bounded, nor cancelled."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

T = TypeVar("T")


async def aside(call: Callable[[], T]) -> T:
    """What the call returns, or raises."""
    loop = asyncio.get_running_loop()
    outcome: asyncio.Future[T] = loop.create_future()

    def tell(settle: Callable[[], object]) -> None:
        if not outcome.done():
            settle()

    def run() -> None:
        try:
            settle = partial(outcome.set_result, call())
        except Exception as error:  # noqa: BLE001  it is raised to whoever waits
            settle = partial(outcome.set_exception, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, settle)

    threading.Thread(target=run, name="doctor", daemon=True).start()
    return await outcome
