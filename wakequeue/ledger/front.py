"""The front's side of the ledger, on asyncio: *record*, and *begin* for starts that it is asked for."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Self, cast

import msgspec
from redis.asyncio import Redis
from redis.commands.core import AsyncScript
from redis.exceptions import DataError, RedisError

from wakequeue.episode import Episode
from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger.scripts import milliseconds, script, seconds
from wakequeue.ledger.starts import Begun, Start, begun, of_cause, of_starts, rules
from wakequeue.reach import Reach
from wakequeue.revision import Revision
from wakequeue.settings import Settings

#: How many values *record* answers with for each entry.
REPLY_FIELDS: Final = 6


class Entry(NamedTuple):
    """One Revision's calls in a commit; the ages are seconds before the commit.

    `awake` says that its calls found the Revision awake, so that none of them waits. `callers` says who made how many. `requests`
    are those that wait, by id: each with its caller, and how many seconds before the commit it last came. One that the ledger
    didn't know is a call besides, unless its caller is empty. `style` is how to report the Revision, from now on; empty says
    nothing. `traces` are the trace contexts that came with some of them, as W3C's traceparent; at most 8 count.
    """

    revision: Revision
    calls: int
    awake: bool
    first_age: float
    last_age: float
    callers: Mapping[str, int] = MappingProxyType({})
    requests: Mapping[str, tuple[str, float]] = MappingProxyType({})
    style: str = ""
    traces: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Commit:
    """Which commit it is: the numbers of a stream only grow, and a stream's next commit is sent once the last is recorded."""

    stream: str
    number: int


class Recorded(NamedTuple):
    """What the ledger says of one recorded Revision, at a time of its clock (Unix seconds).

    `ring` says that its doorbell is the front's to ring; of the episode only the times are told. `wakeup` is the id
    of its wake-up, which `begins` with this commit or did before.
    """

    ring: bool
    episode: Episode
    at: float
    wakeup: str = ""
    begins: bool = False


class FrontLedger:
    """Records commits; each is durable once `record` returns."""

    def __init__(self, client: Redis, settings: Settings, queue: str) -> None:
        self._client = client
        self._record, self._begin = (client.register_script(script(verb)) for verb in ("record", "begin"))
        self._start_rules = rules(settings, queue)
        times = milliseconds(settings.ring_again), milliseconds(settings.idle_after)
        waiting = milliseconds(settings.report_every), milliseconds(settings.patience)
        self._rules = (queue, settings.ring_below, *times, *settings.limits[2:], *waiting)

    @classmethod
    def connect(cls, reach: Reach, settings: Settings, queue: str, *, timeout: float = 2.0) -> Self:
        """A ledger that gives up on an unanswered command after `timeout` seconds, and retries nothing by itself."""
        return cls(reach.asyncio_client(timeout, retries=0), settings, queue)

    async def record(self, commit: Commit, entries: Sequence[Entry]) -> list[Recorded]:
        """Record the entries of a commit, in their order. The same commit again changes nothing.

        Raises LedgerUnavailable where Redis gave no answer, or refused the write: whether it was recorded is then unknown, and
        the caller sends it again.
        """
        rows = _write_rows([_row(entry) for entry in entries])
        now, *rest = await _asked(self._record, [commit.stream, commit.number, *self._rules, rows])
        return [_recorded(int(now) / 1000, *rest[i : i + REPLY_FIELDS]) for i in range(0, len(rest), REPLY_FIELDS)]

    async def begin(self, cause: str, starts: Sequence[Start]) -> Begun:
        """Make starts that are due, and keep the others until they are; see `wakequeue.ledger.Starts.begin`."""
        return begun(await _asked(self._begin, [*self._start_rules, *of_cause(cause), *of_starts(starts)]))

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


class _Row(msgspec.Struct, omit_defaults=True):
    """What *record* is told of an entry; ages are milliseconds, and `callers` and `traces` are JSON, as the ledger keeps them."""

    name: str
    calls: int
    waiting: int
    first_age: int
    last_age: int
    callers: str
    requests: dict[str, tuple[str, int]] | None = None
    style: str = ""
    traces: str = ""


_write_rows: Final = msgspec.msgpack.Encoder().encode


def _row(entry: Entry) -> _Row:
    return _Row(
        str(entry.revision),
        entry.calls,
        -1 if entry.awake else entry.calls,
        milliseconds(entry.first_age),
        milliseconds(entry.last_age),
        _json(tuple(entry.callers.items())),
        {request: (caller, milliseconds(age)) for request, (caller, age) in entry.requests.items()} if entry.requests else None,
        entry.style,
        json.dumps(entry.traces) if entry.traces else "",
    )


@lru_cache(maxsize=256)
def _json(callers: tuple[tuple[str, int], ...]) -> str:
    """Who made how many calls: of most Revisions in a commit, and from one to the next, the same one made as many."""
    return json.dumps(dict(callers))


def _recorded(at: float, ring: int, first: bytes, last: bytes, wait: bytes, wakeup: bytes, begins: int) -> Recorded:  # noqa: PLR0913, PLR0917  as the script answers
    episode = Episode(seconds(first), seconds(last), last_wait=seconds(wait))
    return Recorded(bool(ring), episode, at, wakeup.decode(), bool(begins))


async def _asked(ask: AsyncScript, arguments: Sequence[str | int | bytes]) -> list[Any]:
    """What Redis answers. Raises LedgerUnavailable where it gives no answer, or refuses."""
    try:
        return cast("list[Any]", await ask(args=arguments))
    except DataError:  # as in `scripts.asked`
        raise
    except (RedisError, OSError, TimeoutError) as error:
        raise LedgerUnavailable(str(error) or type(error).__name__) from error
