"""Requests whose beginning was logged: each is one call, whatever else is logged of it. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

from gateway_hook.call import Call


@dataclass(slots=True)
class _Request:
    began: float
    #: What it may yet be; None once that call has been made.
    call: Call | None


class Starts:
    """Requests that have begun and not ended, by id; times are seconds of any clock.

    Each is remembered for at most `patience` seconds, and of more than `most` the newest.
    """

    def __init__(self, *, patience: float, most: int) -> None:
        self._patience, self._most = patience, most
        self._requests: dict[str, _Request] = {}

    def __len__(self) -> int:
        return len(self._requests)

    def begin(self, request: str, call: Call, now: float) -> None:
        """Take note that a request began."""
        while self._requests:
            oldest, one = next(iter(self._requests.items()))
            if one.began > now - self._patience and len(self._requests) < self._most:
                break
            del self._requests[oldest]
        self._requests.setdefault(request, _Request(now, call))

    def is_counted(self, request: str, *, ended: bool) -> bool:
        """Whether an entry tells of a request whose call has been made; one that hasn't is not made any more."""
        known = self._requests.get(request)
        if known is None:
            return False
        counted = known.call is None
        if ended or not counted:
            del self._requests[request]
        return counted

    def unheard_of(self, requests: Iterable[str]) -> dict[str, Call]:
        """The calls of those of these requests of which nothing more was heard since they began: they are made now."""
        calls = {}
        for request in requests:
            known = self._requests.get(request)
            if known and known.call:
                calls[request], known.call = known.call, None
        return calls

    def forget(self, request: str) -> None:
        """Have what comes of a request decide: its call recorded nothing."""
        self._requests.pop(request, None)
