"""What a worker tells Flower of its tasks: all of it, in few messages."""

import base64
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from redis.client import PubSub
from support.installation import Installation
from support.mixer import check
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.waiting import wait_until

#: Where Celery publishes the events of tasks that are gathered.
CHANNEL = "/0.celeryev/task.multi"


class Heard:
    """The events of tasks, message by message."""

    def __init__(self, pubsub: PubSub) -> None:
        self._pubsub = pubsub
        self.messages: list[list[dict[str, Any]]] = []

    def types(self) -> list[str]:
        """What kinds of events came so far."""
        while message := self._pubsub.get_message(timeout=0):
            if message["type"] == "message":
                self.messages.append(json.loads(base64.b64decode(json.loads(message["data"])["body"])))
        return [event["type"] for events in self.messages for event in events]

    def of_each(self) -> int:
        """Of how many tasks all three events came, whichever end it had; 0 while there are some of which one is missing."""
        counts = Counter(self.types())
        ended = counts["task-succeeded"] + counts["task-retried"]
        return ended if counts["task-received"] == counts["task-started"] == ended else 0


@pytest.fixture
def heard(redis_server: RedisServer) -> Iterator[Heard]:
    """What Flower would hear."""
    with redis_server.client.pubsub() as pubsub:
        pubsub.subscribe(CHANNEL)
        yield Heard(pubsub)


def test_the_events_of_a_task_are_told_together(installation: Installation, stat_server: StatServer, heard: Heard) -> None:
    """Of each doorbell all three, and most of them in one message."""
    hook, _ = installation.hook(), installation.worker()
    check(hook.grpc_address, "default", "hello")
    stat_server.wait_for("default/hello", reports=3)
    wait_until(lambda: heard.of_each() >= 3, what="the events of three tasks")
    assert len(heard.messages) <= 2 / 3 * len(heard.types())


def test_a_worker_that_ends_tells_of_its_last_task(installation: Installation, stat_server: StatServer, heard: Heard) -> None:
    """It is told to end as soon as what it sent has arrived; Flower doesn't show its task as running for ever."""
    hook, worker = installation.hook(), installation.worker()
    check(hook.grpc_address, "default", "hello")
    stat_server.wait_for("default/hello")
    assert worker.process.stop() == 0

    def all_ended() -> bool:
        counts = Counter(heard.types())
        return counts["task-started"] == counts["task-succeeded"] + counts["task-retried"] > 0

    wait_until(all_ended, what="the end of each task")
