"""The dead letters: what was buried, to be looked at, replayed or purged by an operator."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import msgspec
from redis import Redis

from wakequeue.ledger.scripts import BURIED, DEAD, asked, script
from wakequeue.revision import Revision

PAGE: Final = 1_000

_read_callers: Final = msgspec.json.Decoder(dict[str, int]).decode


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One buried wake-up, by its `id`.

    Times are Unix seconds; without calls, as a repeat is, it has no `first_call`. Of the `tries` each is a time and why that
    attempt failed. One that is *unwoken* has no calls, for they were reported, but the first call of its waking, and what Knative
    says as the last of its tries. `wakeup` is the id of its wake-up, empty where the version that buried it made none.
    """

    id: str
    revision: Revision
    reason: str
    calls: int
    callers: dict[str, int]
    first_call: float | None
    last_call: float
    attempts: int
    tries: list[tuple[float, str]]
    buried_at: float
    wakeup: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Every field by its name, ready for JSON."""
        return asdict(self) | {"revision": str(self.revision)}


class DeadLetters:
    """The dead letters of one ledger. Every method raises LedgerUnavailable where Redis gives no answer."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._replay = client.register_script(script("replay"))
        self._purge = client.register_script(script("purge"))

    def find(self, wanted: Callable[[DeadLetter], bool]) -> Iterator[DeadLetter]:
        """The letters that are wanted, the oldest first; one that leaves meanwhile is left out."""
        ids = asked(self._client.zrange, BURIED, 0, -1)
        for start in range(0, len(ids), PAGE):
            page = ids[start : start + PAGE]
            contents = asked(self._client.hmget, DEAD, page)
            letters = (_letter(id_.decode(), content) for id_, content in zip(page, contents, strict=True) if content)
            yield from filter(wanted, letters)

    def replay(self, ids: Sequence[str]) -> int:
        """Make letters pending again, as if called now. Returns how many there were: one replayed before counts no more."""
        return int(asked(self._replay, args=ids))

    def purge(self, ids: Sequence[str]) -> int:
        """Drop letters for good. Returns how many there were."""
        return int(asked(self._purge, args=ids))


def _letter(id_: str, content: bytes) -> DeadLetter:
    raw = msgspec.json.decode(content)
    return DeadLetter(
        id_,
        Revision.parse(raw["revision"]),
        raw["reason"],
        raw["calls"],
        calls_by_caller(raw.get("callers", "{}")),
        raw["first_call"] / 1000 if raw.get("first_call") else None,
        raw["last_call"] / 1000,
        raw["attempts"],
        timed_causes(raw.get("tries", "[]")),
        raw["buried_at"] / 1000,
        raw.get("wakeup", ""),
    )


def calls_by_caller(text: str | bytes) -> dict[str, int]:
    """The calls that each caller made, as the ledger keeps them."""
    return _read_callers(text)


def timed_causes(text: str | bytes) -> list[tuple[float, str]]:
    """The failed attempts of a wake-up, as the ledger keeps them: when, in Unix seconds, and why."""
    return [(at_ms / 1000, cause) for at_ms, cause in msgspec.json.decode(text, type=list[tuple[int, str]])]
