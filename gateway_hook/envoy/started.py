"""The requests whose start was told, so that what is told of them later is no second call. Pure."""


class Started:
    """Remembers the newest `most` by their ids."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._requests: dict[str, None] = {}

    def add(self, request: str) -> None:
        """A request's start was taken as a call."""
        self._requests[request] = None
        if len(self._requests) > self._most:
            del self._requests[next(iter(self._requests))]

    def __contains__(self, request: str) -> bool:
        return request in self._requests

    def end(self, request: str) -> bool:
        """Forget a request that has ended; says whether its start was told."""
        return self._requests.pop(request, self) is None
