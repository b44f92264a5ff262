"""What was read of a Redis, and of the queue and the ledger in it, for the checks to decide on. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wakequeue.doctor.seen import Refusal
from wakequeue.ledger.presence import Presence
from wakequeue.ledger.worker import Census


@dataclass(frozen=True, slots=True)
class Server:
    """The server itself; a Refusal in the place of what it doesn't tell."""

    #: INFO, with the names that Redis gives.
    info: Mapping[str, Any] | Refusal
    #: Some of CONFIG, which managed services forbid.
    config: Mapping[str, str] | Refusal
    #: How many seconds each PING took.
    pings: tuple[float, ...]
    #: By how many seconds this machine's clock is ahead of Redis's.
    ahead: float


@dataclass(frozen=True, slots=True)
class Queue:
    """The queue: doorbells that were taken and not yet acknowledged, and what isn't ours."""

    unacked: int = 0
    #: For how many seconds the oldest of them has been taken.
    oldest_unacked: float = 0.0
    #: Names of tasks in it that no worker of ours has.
    foreign: Sequence[str] = ()
    #: Whether another Celery application has its default queue in the same database.
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """What the ledger holds besides wake-ups, and says of them."""

    census: Census
    #: Why the newest dead letter was buried; empty where there is none.
    newest_reason: str = ""
    #: For how many seconds the first of the planned starts has been due.
    overdue: float = 0.0
    #: How many Revisions are kept warm.
    kept: int = 0
    #: The beat that leads; empty where none does.
    leader: str = ""


@dataclass(frozen=True, slots=True)
class RedisSeen:
    """All of it."""

    server: Server
    queue: Queue | Refusal
    held: Held | Refusal
    #: Who is there.
    presences: Sequence[Presence] | Refusal
    #: Variables of this environment that send the queue elsewhere.
    variables: Sequence[str] = ()
