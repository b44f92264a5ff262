"""Requests that found no upstream, and come again until they find one: each is one call, however often it comes. Pure."""

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
    caller: str
    last: float


class Waiting:
    """The requests of one front, by Revision and id; times are the recorder's clock, in seconds.

    At most `most` are remembered, each until it has not come for `patience` seconds: then its client is thought to have gone.
    """

    def __init__(self, *, patience: float, most: int) -> None:
        self._patience, self._most = patience, most
        self._requests: dict[Revision, dict[str, _Request]] = {}
        self._count = 0

    def attempt(self, revision: Revision, request: str, caller: str, now: float) -> Attempt:
        """Take note that a request came."""
        requests = self._requests.setdefault(revision, {})
        if known := requests.get(request):
            known.last = now
            return Attempt.FURTHER
        if self._count >= self._most:
            return Attempt.TOO_MANY
        requests[request] = _Request(caller, now)
        self._count += 1
        return Attempt.FIRST

    def since(self, then: float, now: float) -> Tallies:
        """The requests that came since `then`; who is thought to have gone is forgotten."""
        tallies = Tallies()
        for revision, requests in list(self._requests.items()):
            for request, one in list(requests.items()):
                if one.last >= then:
                    tallies.add_request(revision, one.caller, one.last, request)
                elif one.last <= now - self._patience:
                    del requests[request]
                    self._count -= 1
            if not requests:
                del self._requests[revision]
        return tallies
