"""What the doctor reads of Redis: as any process of ours reaches it, and within a time, however slow each answer is."""

import json
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final, TypeVar

from redis import Redis, exceptions
from redis.sentinel import MasterNotFoundError

from wakequeue.broker import DELIVER, QUEUE, START, STARTS
from wakequeue.doctor.causes import why
from wakequeue.doctor.redis_seen import Held, Queue, RedisSeen, Server
from wakequeue.doctor.seen import Refusal
from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger import Presences, Starts, WorkerLedger
from wakequeue.ledger.scripts import BURIED, DEAD, PLANNED
from wakequeue.reach import Reach
from wakequeue.settings import Settings

#: How long one answer may take, and all.
ANSWER_SECONDS: Final = 2.0
ALL_SECONDS: Final = 6.0

PINGS: Final = 10

#: How many messages are looked at, at each end of a queue.
LOOKED_AT: Final = 50

#: What CONFIG is asked for.
ASKED: Final = ("appendfsync", "save", "min-replicas-to-write")

#: kombu's own keys (kombu/transport/redis.py, Channel), and its binding of Celery's default queue, which is not ours.
UNACKED: Final = "unacked"
UNACKED_INDEX: Final = "unacked_index"
DEFAULT_QUEUE: Final = "_kombu.binding.celery"

#: These have every Celery application use another broker, whatever its configuration says (celery/app/utils.py).
OTHER_BROKER: Final = ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL")

#: The ends of a queue, as LRANGE takes them.
ENDS: Final = ((0, LOOKED_AT - 1), (-LOOKED_AT, -1))

#: What Redis, or a Sentinel, answers instead; and what is said of it where its own words don't do.
ANSWERED: Final = {
    exceptions.AuthenticationError: "password",
    exceptions.NoPermissionError: "acl",
    exceptions.BusyLoadingError: "loading",
    exceptions.ReadOnlyError: "replica",
    MasterNotFoundError: "primary",
}
SAID: Final = {
    "password": "it refuses the user or the password",
    "loading": "it is loading its data",
    "replica": "it is a replica, which takes no writes",
    "primary": "no Sentinel names a primary",
}

T = TypeVar("T")


def read(settings: Settings) -> RedisSeen | Refusal:
    """What there is to see; a Refusal where Redis itself can't be asked. Raises nothing of Redis's."""
    client = Reach(settings).client(ANSWER_SECONDS, retries=0)
    try:
        return _Reading(client, settings).read()
    except (exceptions.RedisError, OSError) as error:
        return refusal(error)
    finally:
        client.close()


def refusal(error: BaseException) -> Refusal:
    """Why Redis gives no answer, or not this one."""
    if isinstance(error, LedgerUnavailable) and error.__cause__:
        return refusal(error.__cause__)
    answered = next((cause for kind, cause in ANSWERED.items() if isinstance(error, kind)), "")
    if answered:
        return Refusal(answered, SAID.get(answered) or str(error))
    if isinstance(error, exceptions.TimeoutError):
        error = TimeoutError()
    return why(error) or Refusal("other", str(error) or type(error).__name__)


class _Reading:
    """One reading, which ends in time: what is not asked by then is a Refusal."""

    def __init__(self, client: Redis, settings: Settings) -> None:
        self._client, self._settings = client, settings
        self._until = time.monotonic() + ALL_SECONDS

    def read(self) -> RedisSeen:
        self._client.ping()
        return RedisSeen(
            server=Server(
                info=self._try(self._client.info),
                config=self._try(self._config),
                pings=tuple(self._seconds(self._client.ping) for _ in range(PINGS)),
                ahead=self._ahead(),
            ),
            queue=self._try(self._queue),
            held=self._try(self._held),
            presences=self._try(Presences(self._client).all),
            variables=[name for name in OTHER_BROKER if os.environ.get(name)],
        )

    def _try(self, ask: Callable[[], T]) -> T | Refusal:
        try:
            return self._in_time(ask)
        except (exceptions.RedisError, OSError, LedgerUnavailable) as error:
            return refusal(error)
        except Exception as error:  # noqa: BLE001  whatever was written there, the rest is to be seen
            return Refusal("malformed", f"what is there can't be read: {error!r}")

    def _in_time(self, ask: Callable[[], T]) -> T:
        if time.monotonic() > self._until:
            raise TimeoutError
        return ask()

    def _seconds(self, ask: Callable[[], object]) -> float:
        began = time.perf_counter()
        self._in_time(ask)
        return time.perf_counter() - began

    def _config(self) -> dict[str, str]:
        return {_text(name): _text(value) for name, value in self._client.config_get(*ASKED).items()}

    def _ahead(self) -> float:
        """By this machine's clock halfway between asking and being told."""
        before = time.time()
        seconds, micros = self._in_time(self._client.time)
        return (before + time.time()) / 2 - (seconds + micros / 1e6)

    def _queue(self) -> Queue:
        client: Any = self._client  # redis-py's types are of all that it could be set to answer
        messages = [message for name in (QUEUE, STARTS) for ends in ENDS for message in client.lrange(name, *ends)]
        oldest = client.zrange(UNACKED_INDEX, 0, 0, withscores=True)
        return Queue(
            unacked=client.hlen(UNACKED),
            oldest_unacked=max(0.0, time.time() - oldest[0][1]) if oldest else 0.0,
            foreign=sorted({task for task in map(_task, messages) if task not in {DELIVER, START}}),
            shared=bool(client.exists(DEFAULT_QUEUE)),
        )

    def _held(self) -> Held:
        client: Any = self._client  # as above
        starts = Starts(client, self._settings, QUEUE)
        newest = client.zrange(BURIED, -1, -1)
        letter = client.hget(DEAD, newest[0]) if newest else None
        first = client.zrange(PLANNED, 0, 0, withscores=True)
        return Held(
            census=self._in_time(partial(WorkerLedger(client, self._settings).census, QUEUE)),
            newest_reason=json.loads(letter)["reason"] if letter else "",
            overdue=max(0.0, starts.clock() - first[0][1] / 1000) if first else 0.0,
            kept=len({one.revision for one in self._in_time(starts.kept)}),
            leader=starts.leader(),
        )


def _task(message: bytes) -> str:
    """The name of a message's task, as Celery writes it; else the beginning of the message."""
    try:
        return str(json.loads(message)["headers"]["task"])
    except (ValueError, LookupError, TypeError):
        return repr(message[:20])


def _text(value: Any) -> str:  # noqa: ANN401  redis-py decodes some of it
    return value.decode() if isinstance(value, bytes) else str(value)
