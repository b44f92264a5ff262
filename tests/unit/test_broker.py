"""What is overridden of kombu's private channel, for the version that it was written for; and what is told of a doorbell."""

from importlib.metadata import version

import pytest
from kombu.transport.redis import Channel
from redis import ConnectionPool, Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from wakequeue.broker import ARGUMENTS_SHOWN, make_app, ring
from wakequeue.reach import Reach
from wakequeue.revision import Revision
from wakequeue.settings import Settings


class TornDown(Channel):
    """A channel whose connection has lost its client, as happens while it reconnects."""

    def __init__(self) -> None:
        """Have no connection, and none of a channel's other parts."""
        self.connection = None


class Pooled(Channel):
    """A channel with pools of connections, none of which is made."""

    def __init__(self) -> None:
        """Have none of a channel's other parts."""
        self._pool, self._async_pool, self.Client = ConnectionPool(), ConnectionPool(), Redis


def test_a_channel_that_was_torn_down_raises_what_a_worker_survives() -> None:
    """Celery's consumer goes on after a ConnectionError; kombu's own AttributeError would end it."""
    make_app(Reach(Settings()))
    with pytest.raises(RedisConnectionError):
        TornDown()._connparams()


def test_a_channel_sends_by_one_client() -> None:
    """Until its connections are others; what waits for messages has a client of its own."""
    make_app(Reach(Settings()))
    channel = Pooled()
    with channel.conn_or_acquire() as first, channel.conn_or_acquire() as second:
        assert first is second
    assert channel._create_client(asynchronous=True) is not first
    channel._pool = ConnectionPool()
    with channel.conn_or_acquire() as third:
        assert third.connection_pool is channel.pool


def test_the_overrides_are_for_this_kombu() -> None:
    """They override private methods: another version has to be looked at first."""
    assert version("kombu") == "5.7.0"


@pytest.mark.parametrize(("number", "told"), [(1, "(1 Revision: shop/a-0)"), (2, "(2 Revisions: shop/a-0, shop/a-1)")])
def test_what_is_told_of_a_doorbell(number: int, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Flower is told how many Revisions it is for, and which; of many, as many as Celery would show."""
    app = make_app(Reach(Settings()))
    sent: list[str] = []
    monkeypatch.setattr(app, "send_task", lambda *_, argsrepr, **__: sent.append(argsrepr))
    ring(app, [Revision("shop", f"a-{one}") for one in range(number)])
    ring(app, [Revision("shop", f"a-{one}") for one in range(256)])
    assert sent[0] == told
    assert sent[1].startswith("(256 Revisions: shop/a-0, shop/a-1, ")
    assert len(sent[1]) == ARGUMENTS_SHOWN
