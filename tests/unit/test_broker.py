"""The guard of kombu's private channel: the version that it was written for, and what it does there."""

from importlib.metadata import version

import pytest
from kombu.transport.redis import Channel
from redis.exceptions import ConnectionError as RedisConnectionError

from wakequeue.broker import make_app
from wakequeue.reach import Reach
from wakequeue.settings import Settings


class TornDown(Channel):
    """A channel whose connection has lost its client, as happens while it reconnects."""

    def __init__(self) -> None:
        """Have no connection, and none of a channel's other parts."""
        self.connection = None


def test_a_channel_that_was_torn_down_raises_what_a_worker_survives() -> None:
    """Celery's consumer goes on after a ConnectionError; kombu's own AttributeError would end it."""
    make_app(Reach(Settings()))
    with pytest.raises(RedisConnectionError):
        TornDown()._connparams()


def test_the_guard_is_for_this_kombu() -> None:
    """It overrides a private method: another version has to be looked at first."""
    assert version("kombu") == "5.7.0"
