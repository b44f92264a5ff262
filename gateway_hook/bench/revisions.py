"""Which Revisions are called: new ones, of names that no cluster has, or those that were named."""

import asyncio
import itertools
import uuid
from collections.abc import Iterator, Sequence
from typing import Final

from gateway_hook.client import request
from wakequeue.revision import Revision
from wakequeue.settings import Settings

#: How much longer than the settings say nobody calls what is to be asleep: the ledger forgets it by a clock of its own.
SPARE_SECONDS: Final = 1.0


class Revisions:
    """`count` Revisions that are called in turn: of one namespace, or `named`."""

    def __init__(self, settings: Settings, namespace: str, count: int, named: Sequence[Revision] = ()) -> None:
        self.count, self._namespace, self._named = len(named) or count, namespace, tuple(named)
        self._run, self._numbers = uuid.uuid4().hex[:8], itertools.count()
        #: For how many seconds nobody may call those that were named before they are asleep again.
        self.rest_seconds = max(settings.idle_after, settings.waking_for + settings.report_every) + SPARE_SECONDS if named else 0.0
        self._called = False

    async def asleep(self) -> Sequence[Revision]:
        """Revisions that are asleep: new ones each time, or the named ones once they are asleep again."""
        if not self._named:
            return [Revision(self._namespace, f"bench-{self._run}-{next(self._numbers)}") for _ in range(self.count)]
        if self._called:
            await asyncio.sleep(self.rest_seconds)
        self._called = True
        return self._named

    def has(self, revision: Revision) -> bool:
        """Whether it is one of them."""
        if self._named:
            return revision in self._named
        return revision.namespace == self._namespace and revision.name.startswith(f"bench-{self._run}-")


class Messages(Iterator[bytes]):
    """The next call's message: of one Revision after the other."""

    def __init__(self) -> None:
        self._turn: Iterator[bytes] = iter(())

    def of(self, revisions: Sequence[Revision]) -> None:
        """From here on, of these."""
        self._turn = itertools.cycle([request(revision) for revision in revisions])

    def __next__(self) -> bytes:
        return next(self._turn)
