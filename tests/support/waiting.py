"""Waiting for a condition, instead of for a time."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(condition: Callable[[], T], within: float = 10.0, what: str = "the condition") -> T:
    """Ask until the answer is true, and return it. Fails after `within` seconds."""
    deadline = time.monotonic() + within
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true within {within:g} s"
        time.sleep(0.005)
    return answer


async def wait_until_async(condition: Callable[[], T], within: float = 10.0, what: str = "the condition") -> T:
    """Do the same on an event loop, which goes on meanwhile."""
    deadline = time.monotonic() + within
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"{what} did not come true within {within:g} s"
        await asyncio.sleep(0.005)
    return answer
