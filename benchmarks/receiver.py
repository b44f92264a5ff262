"""A stat server that says when each stat was received, by the clock that all processes of a machine share."""

import asyncio
import multiprocessing
import threading
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Self

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from wakequeue.wire.stat_pb2 import WireStatMessages


@dataclass(slots=True)
class Told:
    """What the Autoscaler was told, by Revision: when (`time.perf_counter`), and of how many calls in all."""

    at: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    calls: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))


class Receiver:
    """The stat server, in a process of its own, as a context: it keeps what it receives unread, to cost little meanwhile."""

    def __init__(self) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._ours, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(theirs,), daemon=True)
        self._told = Told()
        self.url = ""

    def told(self) -> Told:
        """What it has received since `forget`."""
        self._ours.send("told")
        for frame, at in self._ours.recv():
            for message in WireStatMessages.FromString(frame).messages:
                key = f"{message.namespace}/{message.name}"
                self._told.at[key].append(at)
                self._told.calls[key] += round(message.stat.request_count)
        return self._told

    def forget(self) -> None:
        """Begin anew."""
        self.told()
        self._told = Told()

    def __enter__(self) -> Self:
        self._process.start()
        self.url = f"ws://127.0.0.1:{self._ours.recv()}"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ours.send("")
        self._process.join()


def _serve(pipe: Connection) -> None:
    received: list[tuple[bytes | str, float]] = []

    async def read(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                received.append((await connection.recv(), time.perf_counter()))

    async def run() -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()

        def answer() -> None:
            while pipe.recv():
                so_far = received.copy()
                del received[: len(so_far)]
                pipe.send(so_far)
            loop.call_soon_threadsafe(ended.set)

        async with serve(read, "127.0.0.1", 0, compression=None, max_size=None, close_timeout=0.1) as server:
            pipe.send(next(iter(server.sockets)).getsockname()[1])
            threading.Thread(target=answer).start()
            await ended.wait()

    asyncio.run(run())
