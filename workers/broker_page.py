"""Flower's page of the queues, over our own way to Redis.

Flower brings clients of its own for that page. They take a password from the broker's URL, where ours has none; they ask the first
Sentinel alone, and know neither the database there nor a user at a socket.
"""

from collections.abc import Iterable
from typing import Final

from flower import views  # type: ignore[import-untyped]
from redis.asyncio import Redis

from wakequeue.reach import Reach

#: How long the page waits for Redis.
SECONDS: Final = 2.0


class Broker:
    """What Flower asks for the lengths of queues."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    async def queues(self, names: Iterable[str]) -> list[dict[str, str | int]]:
        """The length of each queue."""
        return [{"name": name, "messages": await self._client.llen(name)} for name in names]


def install(reach: Reach) -> None:
    """Have Flower, should this process become one, ask through this, whatever it believes of the broker."""
    broker = Broker(reach.asyncio_client(SECONDS, retries=1))
    views.Broker = lambda *_, **__: broker
