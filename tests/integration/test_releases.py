"""The worker speaks each of Knative's frame formats, as the setting `knative_release` says."""

from collections.abc import Callable

import pytest
from support.frames import Stat, read_json
from support.installation import Installation
from support.mixer import check_all, request
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.statgob import Statgob
from support.waiting import wait_until


def run(redis: RedisServer, release: str, read: Callable[[bytes | str], list[Stat]]) -> StatServer:
    """Call five Revisions, three times each, before a worker of this release starts; return what arrived."""
    with StatServer(read) as server, Installation(redis.url, server.url, {"WAKEQUEUE_KNATIVE_RELEASE": release}) as started:
        hook = started.hook()
        check_all(hook.grpc_address, [request(b"default", b"app-%d" % (number % 5)) for number in range(15)])
        wait_until(lambda: hook.metric("wakequeue_recorded_total") == 15, what="all calls recorded")
        started.worker()
        wait_until(lambda: len(server.frames) >= 10, what="ten frames")
    return server


def test_json(redis_server: RedisServer) -> None:
    """0.18/json: one text frame a message, every call counted."""
    server = run(redis_server, "0.18/json", read_json)
    assert dict(server.requests()) == {f"default/app-{number}": 3 for number in range(5)}


@pytest.mark.parametrize("release", ["0.6", "0.9", "0.15", "0.16/gob"])
def test_gob(redis_server: RedisServer, statgob: Statgob, release: str) -> None:
    """Gob: Go's own decoder reads every frame of the worker, and every call is counted."""
    server = run(redis_server, release, lambda _: [])
    shape = release.removesuffix("/gob")
    requests = 0.0
    for stat in statgob.decode(shape, [frame for frame in server.frames if isinstance(frame, bytes)]):
        requests += stat["Stat"].get("RequestCount", 0)
    assert requests == 15
