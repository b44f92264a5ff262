"""The front's side of the ledger: one verb, *record*, on asyncio."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self, cast

from redis.asyncio import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger.scripts import milliseconds, script
from wakequeue.revision import Revision


@dataclass(frozen=True, slots=True)
class Entry:
    """One Revision's calls in a commit; the ages are seconds before the commit.

    `awake` says that its calls found the Revision awake, so that none of them waits.
    """

    revision: Revision
    calls: int
    awake: bool
    first_age: float
    last_age: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """What the ledger says of one recorded Revision: whether its doorbell is the front's to ring, and its episode's beginning.

    `first_report_age` is seconds; None where nothing was reported since it slept.
    """

    ring: bool
    first_report_age: float | None


class FrontLedger:
    """Records commits; each is durable once `record` returns."""

    def __init__(self, client: Redis, ring_again: float) -> None:
        self._client = client
        self._record = client.register_script(script("record"))
        self._ring_again = milliseconds(ring_again)

    @classmethod
    def connect(cls, url: str, *, ring_again: float, timeout: float = 2.0) -> Self:
        """A ledger that gives up on an unanswered command after `timeout` seconds, and retries nothing by itself."""
        client = Redis.from_url(
            url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=Retry(NoBackoff(), 0), health_check_interval=5
        )
        return cls(client, ring_again)

    async def record(self, commit: str, entries: Sequence[Entry]) -> list[Recorded]:
        """Record a commit, in the order of its entries. The same commit again changes nothing.

        Raises LedgerUnavailable where Redis gave no answer, or refused the write: whether it was recorded is then unknown, and
        the caller sends it again.
        """
        arguments: list[str | int] = [commit, self._ring_again]
        for entry in entries:
            waiting = -1 if entry.awake else entry.calls
            ages = milliseconds(entry.first_age), milliseconds(entry.last_age)
            arguments += [str(entry.revision), entry.calls, waiting, *ages]
        try:
            reply = cast("list[int | bytes]", await self._record(args=arguments))
        except (RedisError, OSError, TimeoutError) as error:
            raise LedgerUnavailable(str(error) or type(error).__name__) from error
        now, *pairs = reply
        return [
            Recorded(bool(ring), (int(now) - int(first)) / 1000 if first else None)
            for ring, first in zip(pairs[::2], pairs[1::2], strict=True)
        ]

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
