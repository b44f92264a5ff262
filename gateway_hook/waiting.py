"""Requests that found no upstream, and come again until they find one: each is one call, however often it comes. Pure."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto

from gateway_hook.tallies import Tallies
from wakequeue.revision import Revision


class Attempt(Enum):
    """What an attempt of a request is."""

    #: The first that this front hears of.
    FIRST = auto()
    #: One of a request that it knows.
    FURTHER = auto()
    #: The first, and no room to remember it.
    TOO_MANY = auto()


@dataclass(slots=True)
class _Request:
    last: float
    counted: bool = False
    #: How many of its attempts are held.
    held: int = 0


class Waiting:
    """The requests of one front, by Revision and id; times are the recorder's clock, in seconds.

    At most `most` are remembered, each until it has not come for `patience` seconds: then its client is thought to have gone.
    """

    def __init__(self, *, patience: float, most: int) -> None:
        self._patience, self._most = patience, most
        self._requests: dict[Revision, dict[str, _Request]] = {}
        self._count = 0
        self._looked_at = -patience

    def attempt(self, revision: Revision, request: str, now: float) -> Attempt:
        """Take note that a request came."""
        if known := self._requests.get(revision, {}).get(request):
            known.last = now
            return Attempt.FURTHER
        if self._count >= self._most and now >= self._looked_at + self._patience / 2:
            self.forget(now)
        if self._count >= self._most:
            return Attempt.TOO_MANY
        self._requests.setdefault(revision, {})[request] = _Request(now)
        self._count += 1
        return Attempt.FIRST

    def take_back(self, revision: Revision, request: str) -> None:
        """Forget a request: one whose call could not be held, so that the next attempt is the first; or that comes no more."""
        del self._requests[revision][request]
        self._count -= 1

    def counted(self, revision: Revision, requests: Iterable[str]) -> None:
        """The ledger has counted these requests: from now on it may be told that they still wait."""
        known = self._requests.get(revision, {})
        for request in requests:
            if one := known.get(request):
                one.counted = True

    @contextmanager
    def held(self, revisions: Iterable[Revision], request: str, clock: Callable[[], float], *, comes_again: bool) -> Iterator[None]:
        """Meanwhile, a request that came comes all the time: its attempt is held. Unless it comes again, it is forgotten then."""
        attempts = [(revision, one) for revision in revisions if (one := self._requests.get(revision, {}).get(request))]
        for _, one in attempts:
            one.held += 1
        try:
            yield
        finally:
            for revision, one in attempts:
                one.held, one.last = one.held - 1, clock()
                if not comes_again:
                    self.take_back(revision, request)

    def since(self, then: float, now: float) -> Tallies:
        """Those requests that came from `then` to `now`, and are counted: each only waits."""
        tallies = Tallies()
        for revision, requests in self._requests.items():
            for request, one in requests.items():
                if one.counted and (one.held or one.last >= then):
                    tallies.add_request(revision, "", now if one.held else one.last, request)
        return tallies

    def forget(self, now: float) -> None:
        """Forget those whose clients are thought to have gone."""
        self._looked_at = now
        for revision, requests in list(self._requests.items()):
            gone = [request for request, one in requests.items() if not one.held and one.last <= now - self._patience]
            for request in gone:
                del requests[request]
            self._count -= len(gone)
            if not requests:
                del self._requests[revision]
