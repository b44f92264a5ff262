"""Calls that go on while something is hurt, and what became of each. As a command: ADDRESS SECONDS NAMESPACE."""

import asyncio
import itertools
import sys
import threading
import time
from collections import Counter
from types import TracebackType
from typing import Self

import grpc

from support.mixer import METHOD, request
from support.waiting import wait_until


class Calls:
    """Calls a front all the time, on one connection, until `stop`: a fresh Revision each `every` seconds, in `namespace`."""

    def __init__(self, address: str, every: float, namespace: str = "default") -> None:
        #: The calls that were answered OK, by Revision, and how those failed that were not; when each Revision was called.
        self.answered: Counter[str] = Counter()
        self.failed: list[grpc.StatusCode] = []
        self.called_at: dict[str, float] = {}
        self.slowest = 0.0
        self._address, self._every, self._namespace = address, every, namespace
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._call()), daemon=True)
        self._thread.start()

    def more(self, seconds: float) -> None:
        """Return once so many seconds' calls have been answered."""
        number = len(self.answered) + round(seconds / self._every)
        wait_until(lambda: len(self.answered) >= number, 3 * seconds + 5, f"{number} calls answered")

    def wait(self) -> None:
        """Go on for ever."""
        self._thread.join()

    def stop(self) -> None:
        """Make no further call, and wait for the answers."""
        self._stopping.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    async def _call(self) -> None:
        async with grpc.aio.insecure_channel(self._address) as channel, asyncio.TaskGroup() as calls:
            check = channel.unary_unary(METHOD)
            for number in itertools.count():
                if self._stopping.is_set():
                    return
                calls.create_task(self._one(check, f"app-{number}"))
                await asyncio.sleep(self._every)

    async def _one(self, check: "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]", name: str) -> None:
        began = self.called_at[f"{self._namespace}/{name}"] = time.monotonic()
        try:
            await check(request(self._namespace.encode(), name.encode()), timeout=10)
        except grpc.aio.AioRpcError as error:
            self.failed.append(error.code())
            return
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.answered[f"{self._namespace}/{name}"] += 1


if __name__ == "__main__":
    _, place, pause, called_namespace = sys.argv
    Calls(place, float(pause), called_namespace).wait()
