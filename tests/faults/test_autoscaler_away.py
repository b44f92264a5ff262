"""The Autoscaler goes away for as long as a restart, or a bad node, takes: calls go on, and on its return it hears of all."""

import itertools
import time
from concurrent.futures import ThreadPoolExecutor

from faults.conftest import Trial, mutant
from support.fault import Row
from support.frames import read_protobuf
from support.gateway import Gateway
from support.reckoning import census, told_after
from support.redis_server import RedisServer
from support.stat_server import StatServer

#: What is due is delivered within 2 s; before that the connection may be waiting for its next attempt for `reconnect_at_most`.
RECOVERED_WITHIN = 2.0 + 1.0

#: Revisions called for the first time in an outage: no more than one doorbell carries, so that their order can be told.
REVISIONS = 200


@mutant(
    "frames that found no connection count as delivered",
    "workers/autoscaler.py",
    "raise AutoscalerUnavailable(why)",
    "return",
)
def test_an_outage_of_the_autoscaler(trial: Trial) -> None:
    """Away for 10 s and for 60 s: calls are answered, and all are reported within 2 s of a connection, the oldest first."""
    outages = (10,) if trial.mutant else (10, 60)
    with ThreadPoolExecutor() as pool:
        results = [(trial.judge(row), order) for row, order in pool.map(lambda seconds: _outage(trial, seconds), outages)]
    for row, order in results:
        assert row.lost == 0, row
        assert row.twice == 0, f"nothing was under way when the Autoscaler went: {row}"
        assert row.worst_recovery < RECOVERED_WITHIN, row
        assert order > 0.9, f"of two Revisions, the one that was called first came first in {order:.0%} of all pairs"


def _outage(trial: Trial, seconds: int) -> tuple[Row, float]:
    """One outage, with its own installation; and how often the older of two Revisions was reported first."""
    with RedisServer() as redis_server, StatServer() as server:
        installation = trial.installation(redis_server.url, server.url)
        hook, _ = installation.hook(), installation.worker()
        names = ("busy", *(f"app-{number}" for number in range(REVISIONS)))
        a_second = 2 * REVISIONS / seconds

        def name(number: int) -> str:
            return names[min(number // 2, REVISIONS)] if number % 2 else "busy"

        server.stop()
        with Gateway([hook.grpc_address], a_second, name) as gateway:
            time.sleep(seconds)
            server.start()
            back, before = time.monotonic(), dict(gateway.answered)
            recovery = told_after(server, before, back, within=RECOVERED_WITHIN + 1)
            recorded = gateway.stop()
        assert gateway.failed == []
        told_after(server, recorded, time.monotonic(), within=10)
        row = Row.of(f"Autoscaler away for {seconds} s", 1, recorded=recorded, reported=server.requests(), worst_recovery=recovery)
        assert census(redis_server).drift_calls == 0
        assert census(redis_server).recorded_calls == recorded.total()
        return row, _order(server, gateway, before)


def _order(server: StatServer, gateway: Gateway, recorded: dict[str, int]) -> float:
    """The share of pairs of Revisions of which the one that was called first was reported first.

    Those of the first frame aside: they were in the worker's hands as the connection came.
    """
    first_frame = {stat.key for stat in read_protobuf(server.frames[0])} if server.frames else set()
    places = {key: place for place, key in enumerate(dict.fromkeys(one.stat.key for one in list(server.received)))}
    known = [key for key in recorded if key in places and key not in first_frame]
    keys = sorted(known, key=gateway.first_called.__getitem__)
    pairs = [places[older] < places[newer] for older, newer in itertools.combinations(keys, 2)]
    return sum(pairs) / len(pairs) if pairs else 1.0
