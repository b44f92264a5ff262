"""Fixtures of unit tests."""

import pytest
from support.redis_server import RedisServer
from support.scene import Scene


@pytest.fixture
def scene(shared_redis: RedisServer) -> Scene:
    """An empty ledger, and an Autoscaler that confirms."""
    return Scene(shared_redis)
