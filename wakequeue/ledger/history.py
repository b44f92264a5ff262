"""The audit trail: what became of each wake-up, who called for it, and what it took."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from redis import Redis

from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger.letters import calls_by_caller, timed_causes
from wakequeue.ledger.scripts import HISTORY, asked
from wakequeue.revision import Revision

PAGE: Final = 1_000

#: How long one look for what is new waits for it, in milliseconds: less than a client's patience with an unanswered command.
FOLLOW_MS: Final = 500


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one wake-up at a time; times are Unix seconds.

    `outcome` is *reported*, confirmed by the Autoscaler, or *buried*, with a `reason`. `calls` are those that no report named
    before, made from `first_call` (None where there are none: a repeat) to `last_call` by `callers`; `phase` and `concurrency`
    are the report's. Of its `attempts` the failed ones are in `tries`; `worker` had the last.

    `wakeup` is the id of its wake-up, which others of its entries carry too; empty in those of a version that made none.

    Or it is how a waking ended, `waking_seconds` after its `first_call`: *woken*, or *unwoken*, with what Knative says as `reason`.
    Its calls were reported, and aren't among its `calls`.
    """

    id: str
    at: float
    revision: Revision
    outcome: str
    reason: str
    phase: str
    concurrency: float
    calls: int
    callers: dict[str, int]
    first_call: float | None
    last_call: float
    attempts: int
    tries: list[tuple[float, str]]
    worker: str
    waking_seconds: float | None = None
    wakeup: str = ""

    def is_of(self, revision: Revision | None, wakeup: str) -> bool:
        """Whether it is of this Revision, if one is named, and of a wake-up whose id begins so."""
        return revision in {None, self.revision} and self.wakeup.startswith(wakeup)

    def as_dict(self) -> dict[str, Any]:
        """Every field by its name, ready for JSON."""
        return asdict(self) | {"revision": str(self.revision)}


class History:
    """The audit trail of one ledger. Every method raises LedgerUnavailable where Redis gives no answer."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def newest(self, count: int, revision: Revision | None = None, until: str = "+", *, wakeup: str = "") -> list[Outcome]:
        """The newest entries up to the id `until`, the oldest first: all, or one Revision's, or those whose `wakeup` begins so."""
        found: list[Outcome] = []
        while len(found) < count:
            page = asked(self._client.xrevrange, HISTORY, until, "-", PAGE)
            found += [one for one in map(_outcome, page) if one.is_of(revision, wakeup)]
            if len(page) < PAGE:
                break
            until = f"({page[-1][0].decode()}"
        return found[:count][::-1]

    def follow(self, after: str, revision: Revision | None = None, *, wakeup: str = "") -> Iterator[Outcome]:
        """Entries newer than the one with the id `after`, as they come, without end."""
        while True:
            for one in self.next(after):
                after = one.id
                if one.is_of(revision, wakeup):
                    yield one

    def next(self, after: str) -> list[Outcome]:
        """The entries that come right after the one with the id `after`; none where none came for a while."""
        replies = asked(self._client.xread, {HISTORY: after}, PAGE, FOLLOW_MS)
        return [_outcome(entry) for _, page in replies or () for entry in page]

    def written(self) -> int:
        """How many entries were ever written, those included that are not kept any more."""
        try:
            return int(asked(self._client.xinfo_stream, HISTORY)["entries-added"])
        except LedgerUnavailable:
            if asked(self._client.exists, HISTORY):
                raise
            return 0

    def last_id(self) -> str:
        """The id of the newest entry."""
        newest = asked(self._client.xrevrange, HISTORY, "+", "-", 1)
        return newest[0][0].decode() if newest else "0-0"


def _outcome(entry: tuple[bytes, dict[bytes, bytes]]) -> Outcome:
    id_, raw = entry
    text = {name.decode(): value.decode() for name, value in raw.items()}
    return Outcome(
        id_.decode(),
        int(text["at"]) / 1000,
        Revision.parse(text["revision"]),
        text["outcome"],
        text["reason"],
        text.get("phase", ""),
        float(text.get("concurrency", 0)),
        int(text.get("calls", 0)),
        calls_by_caller(text.get("callers", "{}")),
        int(text["first_call"]) / 1000 if text["first_call"] else None,
        int(text["last_call"]) / 1000,
        int(text["attempts"]),
        timed_causes(text.get("tries", "[]")),
        text["worker"],
        int(text["lasted"]) / 1000 if "lasted" in text else None,
        text.get("wakeup", ""),
    )
