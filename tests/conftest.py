"""Fixtures that every kind of test may use."""

from collections.abc import Iterator

import pytest
from redis import Redis
from support.redis_server import RedisServer
from support.stat_server import StatServer


@pytest.fixture
def redis_server() -> Iterator[RedisServer]:
    """A real Redis, empty, of this test's own."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def _shared_redis() -> Iterator[RedisServer]:
    with RedisServer() as server:
        yield server


@pytest.fixture
def shared_redis(_shared_redis: RedisServer) -> RedisServer:
    """A real Redis, empty, for a test that does not hurt it."""
    client: Redis = _shared_redis.client
    client.flushall()
    return _shared_redis


@pytest.fixture
def stat_server() -> Iterator[StatServer]:
    """A real stat server that reads protobuf frames."""
    with StatServer() as server:
        yield server
