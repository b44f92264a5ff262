"""Fixtures that every kind of test may use."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings
from redis import Redis
from support.installation import Installation
from support.ledger import Ledger
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.statgob import BUILD_SECONDS, Statgob, build_statgob

# An example takes as long as the machine has it take: by default Hypothesis fails one that takes more than 200 ms.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests that wait for Go's compiler time for it: it needs 20 s of a processor, which others may have."""
    for item in items:
        if "statgob" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.timeout(BUILD_SECONDS + 120))


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


@pytest.fixture
def installation(redis_server: RedisServer, stat_server: StatServer) -> Iterator[Installation]:
    """Fronts and workers to be started, on this test's Redis and stat server."""
    with Installation(redis_server.url, stat_server.url) as started:
        yield started


@pytest.fixture(scope="session")
def statgob(tmp_path_factory: pytest.TempPathFactory) -> Statgob:
    """Go's own reading and writing of gob frames."""
    mine = tmp_path_factory.getbasetemp()
    return build_statgob((mine.parent if "PYTEST_XDIST_WORKER" in os.environ else mine) / "statgob")


@pytest.fixture
def ledger(shared_redis: RedisServer) -> Iterator[Ledger]:
    """An empty ledger."""
    ledger = Ledger(shared_redis)
    yield ledger
    ledger.close()
