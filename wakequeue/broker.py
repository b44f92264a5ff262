"""The one Celery configuration, and the two messages: the doorbell, "these Revisions are due", and the start of a schedule.

What another process reads is spelled here and nowhere else: the names of the queues, one for each, and of the tasks, and their
arguments: a list of `namespace/name`; a schedule's key and a time in Unix seconds. A message that is a part of a trace says so in
its headers, as W3C has it: `traceparent`.
"""

import functools
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, cast

from celery import Celery
from kombu import Connection
from kombu.transport.redis import Channel
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from wakequeue.reach import Reach
from wakequeue.revision import Revision
from wakequeue.traces import NO_TRACES, Traces

QUEUE: Final = "wakequeue"
STARTS: Final = "wakequeue.starts"
DELIVER: Final = "wakequeue.deliver"
START: Final = "wakequeue.start"

#: Few enough that one task is read at a glance in Flower, many enough that a mass wake-up is a handful of tasks.
REVISIONS_PER_DOORBELL: Final = 256

#: In characters; every event of a task carries them.
ARGUMENTS_SHOWN: Final = 1_024

#: The seconds after which Celery hands an unacknowledged doorbell to another worker; the sweep is usually sooner.
VISIBILITY_TIMEOUT: Final = 60


def make_app(reach: Reach) -> Celery:
    """A Celery application on this Redis. The front publishes with it, the worker consumes, and any Celery tool reads it.

    No message carries a countdown or a result: the ledger is the clock and the record.
    """
    _guard_channel()
    _share_clients()
    app = Celery("wakequeue", broker=reach.broker_url, set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        task_queues={QUEUE: {}, STARTS: {}},
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        worker_pool="threads",
        worker_concurrency=8,
        worker_prefetch_multiplier=1,
        worker_send_task_events=True,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # A Redis that is full refuses the consumer's writes; that would end the worker, with exit code 0.
        broker_channel_error_retry=True,
        broker_use_ssl=reach.tls or False,
        broker_transport_options=reach.transport_options
        | {
            "visibility_timeout": VISIBILITY_TIMEOUT,
            "unacked_restore_interval": 1,
            "unacked_restore_throttle": 1,
            "priority_steps": [0],
            "socket_keepalive": True,
            "socket_timeout": 5,
            "health_check_interval": 5,
            # For publishing: give up, rather than keep a stopping worker or a doorbell waiting for an absent Redis.
            "max_retries": 2,
            "interval_start": 0,
            "interval_step": 0.1,
            "interval_max": 0.2,
        },
    )
    # Celery only calls it. Its configuration could hold a password, and would show it.
    app.amqp.Connection = functools.partial(_Connection, credential_provider=reach.credentials)  # type: ignore[assignment]
    return app


def prepare(app: Celery) -> None:
    """Have Celery make now what it otherwise makes with its first message, for which the first wake-up would wait."""
    app.finalize()
    _ = app.producer_pool, app.amqp.send_task_message, app.AsyncResult, app.backend


def ring(
    app: Celery, revisions: Sequence[Revision], traces: Traces = NO_TRACES, continued: Mapping[Revision, str] = MappingProxyType({})
) -> int:
    """Publish doorbells for Revisions that are due, some of which continue traces.

    Returns how many; raises kombu's OperationalError where Redis is away.
    """
    starts = range(0, len(revisions), REVISIONS_PER_DOORBELL)
    for start in starts:
        some = revisions[start : start + REVISIONS_PER_DOORBELL]
        names = [str(revision) for revision in some]
        with traces.publish(DELIVER, QUEUE, [trace for one in some if (trace := continued.get(one))]) as headers:
            # Workers declare the queue, once; for a list in Redis nobody needs to, and a tenth of the time would go there.
            app.send_task(DELIVER, args=[names], argsrepr=_told(names), queue=QUEUE, headers=headers, retry=False, declare=())
    return len(starts)


def _told(names: Sequence[str]) -> str:
    """What Flower shows and searches of a doorbell: how many Revisions it is for, and as many of them as Celery would show."""
    return f"({len(names)} Revision{'s' * (len(names) != 1)}: {', '.join(names)})"[:ARGUMENTS_SHOWN]


def send_start(app: Celery, schedule: str, at: datetime, traces: Traces = NO_TRACES) -> None:
    """Publish the start of a schedule, by its key; Flower shows its time as it is in the zone of `at`. Raises as `ring` does."""
    shown = f"({schedule.partition('@')[0]}, {at.isoformat(' ')})"
    with traces.publish(START, STARTS, begin=True) as headers:
        app.send_task(START, args=[schedule, at.timestamp()], argsrepr=shown, queue=STARTS, headers=headers, retry=False)


class _Connection(Connection):
    """Looks for an absent Redis each second at least; kombu's own intervals grow to 30 s, far beyond a cold start."""

    def ensure_connection(self, *args: Any, **kwargs: Any) -> Connection:  # type: ignore[override]  # noqa: ANN401
        """Wait until the broker answers; arguments as kombu's."""
        intervals = {"interval_start": 0.1, "interval_step": 0.1, "interval_max": 1.0}
        return cast("Connection", super().ensure_connection(*args, **intervals | kwargs))

    def info(self) -> dict[str, Any]:
        """What workers tell Flower of their broker, as JSON: not how they authenticate."""
        info: dict[str, Any] = super().info()
        options = {name: value for name, value in info["transport_options"].items() if name != "sentinel_kwargs"}
        return info | {"credential_provider": None, "transport_options": options}


def _guard_channel() -> None:
    """Let a consumer outlive its Redis.

    When a connection is torn down while a channel of it reconnects, kombu 5.7.0 (transport/redis.py, Channel._connparams) reads
    an attribute of a client that is already None, and the AttributeError ends Celery's worker. A ConnectionError it survives.
    """
    original = Channel._connparams  # type: ignore[attr-defined]  # noqa: SLF001  the defect is in a private method; kombu is pinned for it
    if getattr(original, "guarded", False):
        return

    def guarded(self: Channel, asynchronous: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002  kombu's signature
        if self.connection is None or self.connection.client is None:
            msg = "the connection was closed while it reconnected"
            raise RedisConnectionError(msg)
        params: dict[str, Any] = original(self, asynchronous)
        return params

    guarded.guarded = True  # type: ignore[attr-defined]
    Channel._connparams = guarded  # type: ignore[attr-defined]  # noqa: SLF001  as above


def _share_clients() -> None:
    """Have each channel send by one client.

    kombu 5.7.0 (transport/redis.py, Channel.conn_or_acquire) makes another one for each command, which takes longer than to send
    it: a fifth of what a doorbell costs. A client is for any thread, and holds nothing but its channel's pool of connections.
    """
    original = Channel._create_client  # type: ignore[attr-defined]  # noqa: SLF001  there is no public way; kombu is pinned for it
    if getattr(original, "shared", False):
        return

    def shared(self: Channel, asynchronous: bool = False) -> Redis:  # noqa: FBT001, FBT002  kombu's signature
        if asynchronous:
            return cast("Redis", original(self, asynchronous=True))
        client = cast("Redis | None", self.__dict__.get("shared_client"))
        if client is None or client.connection_pool is not self.pool:
            client = self.__dict__["shared_client"] = cast("Redis", original(self))
        return client

    shared.shared = True  # type: ignore[attr-defined]
    Channel._create_client = shared  # type: ignore[attr-defined]  # noqa: SLF001  as above
