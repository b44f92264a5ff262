"""What the audit trail says of the calls that were made: that every one of them was reported, or there is no figure."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

from wakequeue.broker import QUEUE
from wakequeue.errors import LedgerUnavailable, NoFigure
from wakequeue.ledger import History, Outcome, WorkerLedger
from wakequeue.revision import Revision

#: For how long no more calls are seen to be reported before those that are missing are given up.
PATIENCE: Final = 5.0

#: How often it is looked whether all were.
LOOK_EVERY: Final = 0.01


class Trail:
    """Reads the audit trail from now on, as it is written, for it keeps the newest entries alone. A context.

    `is_ours` says which Revisions are called here.
    """

    def __init__(self, ledger: WorkerLedger, is_ours: Callable[[Revision], bool], patience: float = PATIENCE) -> None:
        self._ledger, self._history = ledger, History(ledger.client)
        self._is_ours, self._patience = is_ours, patience
        self._found: list[Outcome] = []
        self._read = 0

    async def confirmed(self, calls: int) -> list[Outcome]:
        """The entries of so many calls that were made since the last time, once each is reported. Raises NoFigure.

        It raises LedgerUnavailable where Redis is away.
        """
        missing, seen_at = calls, time.monotonic()
        while missing > 0:
            if self._reading.done():
                self._reading.result()
            self._refuse_buried()
            before, missing = missing, calls - sum(one.calls for one in self._found)
            now = time.monotonic()
            if missing < before:
                seen_at = now
            elif now > seen_at + self._patience:
                raise NoFigure(await asyncio.to_thread(self._why, missing, calls))
            await asyncio.sleep(LOOK_EVERY)
        if missing < 0:
            msg = f"{-missing} more calls were reported than the {calls} that were made: others call these Revisions"
            raise NoFigure(msg)
        found, self._found = self._found, []
        return found

    def _refuse_buried(self) -> None:
        for one in self._found:
            if one.outcome == "buried":
                msg = f"the wake-up of {one.revision} was given up: {one.reason} (`wakequeue dead list` shows it)"
                raise NoFigure(msg)

    def _why(self, missing: int, calls: int) -> str:
        """Why calls are missing."""
        dropped = self._history.written() - self._written - self._read
        if dropped > 0:
            return f"the audit trail dropped {dropped} entries before they were read: WAKEQUEUE_KEEP_HISTORY keeps too few"
        census = self._ledger.census(QUEUE)
        if census.pending_calls + census.leased_calls:
            return (
                f"{missing} of {calls} calls were not reported within {self._patience:g} s: is a worker running, and the "
                "Autoscaler there? `wakequeue doctor` says"
            )
        return (
            f"{missing} of {calls} calls were answered and not recorded: the front wakes none of their Revisions "
            "(WAKEQUEUE_NAMESPACES; with access to Kubernetes, only what exists and is not ready: see --revision), or its Redis is "
            "another one"
        )

    async def _follow(self, after: str) -> None:
        while True:
            entries = await asyncio.to_thread(self._history.next, after)
            self._read += len(entries)
            self._found += [one for one in entries if self._is_ours(one.revision) and (one.calls or one.outcome == "buried")]
            after = entries[-1].id if entries else after

    async def __aenter__(self) -> Self:
        after = await asyncio.to_thread(self._history.last_id)
        self._written = await asyncio.to_thread(self._history.written)
        self._reading = asyncio.create_task(self._follow(after))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError, LedgerUnavailable):
            await self._reading
