"""Load: calls in an open loop, which come when they come, or in a closed one, which come when there is room.

Latency is measured in an open loop alone, from the moment at which a call should have been made: where a front or this process is
late, the calls behind it are late too, and are seen to be. A closed loop shows how many calls a front takes.
"""

import asyncio
import itertools
import random
import resource
import threading
import time
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from statistics import quantiles
from types import TracebackType
from typing import Any, Final, Self

import grpc

from gateway_hook.bench.connection import Connection, Target
from wakequeue.errors import NoFigure

#: How long the last answers may take.
LAST_SECONDS: Final = 30.0

#: gRPC's names of its statuses, and what they mean where calls are made to measure a front.
NAMES: Final = {str(code.value[0]): code.name for code in grpc.StatusCode}
HINTS: Final = {
    "UNAUTHENTICATED": "it wants another token",
    "PERMISSION_DENIED": "it wants another certificate",
    "UNIMPLEMENTED": "it is no front",
    "none": "it speaks no gRPC",
}


@dataclass(slots=True)
class Load:
    """What came of calls: the seconds until each was answered, and how many failed, by gRPC's status.

    `began` and `ended` are of `time.perf_counter`, the first call and the last answer, and `moments` are when each call of an open
    loop was to be made; `own_seconds` is this process's processor time meanwhile.
    """

    seconds: "array[float]" = field(default_factory=lambda: array("d"))
    failed: Counter[str] = field(default_factory=Counter)
    began: float = 0.0
    ended: float = 0.0
    own_seconds: float = 0.0
    moments: Sequence[float] = ()

    @property
    def calls_a_second(self) -> float:
        """How many calls were answered a second."""
        return len(self.seconds) / (self.ended - self.began)

    @property
    def core(self) -> float:
        """What share of a core making them took."""
        return self.own_seconds / (self.ended - self.began)

    def percentile(self, percent: float) -> float:
        """So many percent of the calls took no longer, in seconds."""
        return percentile(self.seconds, percent)


class Caller:
    """Makes calls of one method on several connections, as a context; `messages` makes the next call's."""

    def __init__(self, target: Target, messages: Iterator[bytes], connections: int = 2) -> None:
        self._target, self._messages, self._count = target, messages, connections
        self._connections: list[Connection] = []
        self._load, self._unanswered = Load(), 0
        self._more: Callable[[Connection], None] | None = None
        self._done = asyncio.Event()

    async def open_loop(self, a_second: float, calls: int, seed: int = 0) -> Load:
        """Make so many calls, at moments as random as those of independent users, and return once all are answered."""
        dice = random.Random(seed)  # noqa: S311  no secret
        return await self.at(list(itertools.accumulate(dice.expovariate(a_second) for _ in range(calls))))

    async def at(self, seconds: Sequence[float]) -> Load:
        """Make a call at each of these moments, in seconds from a moment after now, and return once all are answered."""
        loop, now, calls = asyncio.get_running_loop(), time.perf_counter() + 0.01, len(seconds)
        moments = [now + one for one in seconds]
        over = threading.Event()

        def make(first: int, end: int) -> None:
            if over.is_set():
                return
            for number in range(first, end):
                self._connections[number % self._count].call(next(self._messages), moments[number])
            self._send()

        def pace() -> None:
            """A thread waits exactly to 0.1 ms, an event loop to 1 ms."""
            first = 0
            while first < calls and not over.wait(max(0.0, moments[first] - time.perf_counter())):
                now, end = time.perf_counter(), first + 1
                while end < calls and moments[end] <= now:
                    end += 1
                loop.call_soon_threadsafe(make, first, end)
                first = end

        pacing = threading.Thread(target=pace, daemon=True)
        try:
            load = await self._measured(calls, pacing.start)
        finally:
            over.set()
            pacing.join()
        load.moments = moments
        return load

    async def burst(self, calls: int, in_flight: int) -> Load:
        """Make so many calls as fast as the front answers them, with so many in flight, and return once all are answered."""
        left = calls - min(calls, in_flight)

        def more(connection: Connection) -> None:
            nonlocal left
            if left:
                left -= 1
                connection.call(next(self._messages), time.perf_counter())

        def begin() -> None:
            self._more = more
            for number in range(min(calls, in_flight)):
                self._connections[number % self._count].call(next(self._messages), time.perf_counter())
            self._send()

        return await self._measured(calls, begin)

    async def _measured(self, calls: int, begin: Callable[[], object]) -> Load:
        self._load, self._unanswered, self._more = Load(began=time.perf_counter()), calls, None
        self._done.clear()
        used = _own_seconds()
        begin()
        await self._all_answered(calls)
        self._load.own_seconds = _own_seconds() - used
        if self._load.failed:
            failed = {NAMES.get(status, status): count for status, count in self._load.failed.items()}
            told = ", ".join(f"{name}: {count}" for name, count in failed.items())
            hints = "".join(f"; {HINTS[name]}" for name in failed if name in HINTS)
            msg = f"calls of the front at {self._target.address} failed ({told}){hints}"
            raise NoFigure(msg)
        return self._load

    async def _all_answered(self, calls: int) -> None:
        waiting: asyncio.Future[Any] = asyncio.ensure_future(self._done.wait())
        ended = [connection.ended for connection in self._connections]
        try:
            while not waiting.done():
                before = self._unanswered
                done, _ = await asyncio.wait({waiting, *ended}, timeout=LAST_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    one.result()
                if not done and self._unanswered == before:
                    msg = f"{self._unanswered} of {calls} calls were not answered by the front at {self._target.address}"
                    raise NoFigure(msg)
        finally:
            waiting.cancel()

    def _send(self) -> None:
        for connection in self._connections:
            connection.send()

    def _answered(self, connection: int, began: float, ended: float, status: str) -> None:
        load = self._load
        load.seconds.append(ended - began)
        load.ended = ended
        if status != "0":
            load.failed[status] += 1
        self._unanswered -= 1
        if not self._unanswered:
            self._done.set()
        elif self._more is not None:
            self._more(self._connections[connection])

    @property
    def most_in_flight(self) -> int:
        """How many calls the front takes at once; more wait here, and that is in their latency."""
        return sum(connection.most_in_flight for connection in self._connections)

    async def __aenter__(self) -> Self:
        try:
            for number in range(self._count):
                answered = lambda began, ended, status, number=number: self._answered(number, began, ended, status)  # noqa: E731
                self._connections.append(await Connection.open(self._target, answered))
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._close()

    async def _close(self) -> None:
        for connection in self._connections:
            connection.close()
            with suppress(NoFigure):
                await connection.ended


def percentile(seconds: Sequence[float], percent: float) -> float:
    """So many percent of these are no larger: from 0.1 to 99.9, in steps of 0.1."""
    return seconds[0] if len(seconds) == 1 else quantiles(seconds, n=1000, method="inclusive")[round(percent * 10) - 1]


def _own_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
