"""Waiting for a condition, instead of for a time."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], within: float = 10.0, what: str = "the condition") -> T:
    """Ask until the answer is true, and return it. Fails where it isn't after `within` seconds, when it is asked once more."""
    deadline, late = time.monotonic() + within, False
    while not (answer := condition()):
        assert not late, f"{what} did not come true within {within:g} s"
        time.sleep(0.005)
        late = time.monotonic() >= deadline
    return answer


async def wait_until_async(condition: Callable[[], T], within: float = 10.0, what: str = "the condition") -> T:
    """Do the same on an event loop, which goes on meanwhile."""
    deadline, late = time.monotonic() + within, False
    while not (answer := condition()):
        assert not late, f"{what} did not come true within {within:g} s"
        await asyncio.sleep(0.005)
        late = time.monotonic() >= deadline
    return answer


async def all_closed(within: float = 10.0) -> None:
    """Wait until this loop has no connection any more: a TLS transport that is being closed takes its peer's answer to end."""
    selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]  # asyncio itself doesn't tell
    await wait_until_async(lambda: len(selector.get_map()) == 1, within, "the loop to have nothing left but what wakes it")
