"""What a fault's test asks once the fault is over: when was everything told, and does the ledger's sum come out?"""

import time
from collections.abc import Mapping

from support.redis_server import RedisServer
from support.stat_server import StatServer
from wakequeue.broker import QUEUE
from wakequeue.ledger import Census, WorkerLedger
from wakequeue.settings import Settings


def told_after(server: StatServer, recorded: Mapping[str, int], since: float, within: float) -> float:
    """The seconds from `since` (of `time.monotonic`) until every recorded call was reported; at most `within`, told or not."""
    while time.monotonic() < since + within:
        reported = server.requests()
        if all(reported[key] >= calls for key, calls in recorded.items()):
            return time.monotonic() - since
        time.sleep(0.01)
    return within


def census(redis_server: RedisServer) -> Census:
    """What the ledger holds."""
    return WorkerLedger(redis_server.client, Settings()).census(QUEUE)
