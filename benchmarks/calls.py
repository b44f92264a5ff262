"""Calls by Mixer's protocol: which Revisions they are for, and how they are made in this process."""

import asyncio
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gateway_hook.bench.connection import Target
from gateway_hook.bench.load import Caller, Load
from gateway_hook.client import request
from wakequeue.revision import Revision

#: As many connections as two replicas of Mixer have.
CONNECTIONS: Final = 2

_numbers = itertools.count()


def revisions(count: int) -> list[str]:
    """Keys of Revisions that were never called, in ten namespaces."""
    batch = next(_numbers)
    return [f"bench-{number % 10}/r{batch}-{number}" for number in range(count)]


def messages(keys: Sequence[str]) -> Iterator[bytes]:
    """Calls of these Revisions in turn, without end."""
    return itertools.cycle([request(Revision.parse(key)) for key in keys])


@dataclass(frozen=True, slots=True)
class Calls:
    """How calls are made of a method."""

    target: Target

    def at_once(self, keys: Sequence[str], calls: int, in_flight: int) -> Load:
        """As fast as they are answered, with so many in flight."""

        async def make() -> Load:
            async with Caller(self.target, messages(keys), CONNECTIONS) as caller:
                return await caller.burst(calls, in_flight)

        return asyncio.run(make())

    def at_rate(self, keys: Sequence[str], calls: int, a_second: float) -> Load:
        """In an open loop, at random moments, so many a second."""

        async def make() -> Load:
            async with Caller(self.target, messages(keys), CONNECTIONS) as caller:
                return await caller.open_loop(a_second, calls)

        return asyncio.run(make())
