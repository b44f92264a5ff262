"""A TCP relay, whose connections can be lost as a network loses them: nobody is told, and nothing arrives any more."""

import asyncio
import contextlib
import socket
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from support.listening import end_all, stop_accepting
from support.processes import free_port


async def connect_to(to: int | Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to a port of this machine, or to a socket in the file system."""
    return await (asyncio.open_connection("127.0.0.1", to) if isinstance(to, int) else asyncio.open_unix_connection(to))


class _Path:
    """One connection through the relay."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.lost, self.writer = False, writer


class Relay:
    """Passes on what comes to its port to another one, or to a socket in the file system, from its making to `close`."""

    def __init__(self, to: int | Path) -> None:
        self.port = free_port()
        self._to = to
        self._paths: dict[_Path, asyncio.Task[None]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        starting = asyncio.start_server(self._connect, "127.0.0.1", self.port)
        self._server = asyncio.run_coroutine_threadsafe(starting, self._loop).result(10)

    def lose(self) -> int:
        """Drop, from now on, all that is sent on the connections that there are; new ones work. Returns how many."""
        paths = [path for path in list(self._paths) if not path.lost]
        for path in paths:
            path.lost = True
        return len(paths)

    def reset(self) -> int:
        """End the connections that there are, as one whose peer has forgotten it is ended: by a reset. Returns how many."""

        async def end() -> int:
            paths = list(self._paths)
            for path in paths:
                path.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                path.writer.transport.abort()
            return len(paths)

        return asyncio.run_coroutine_threadsafe(end(), self._loop).result(10)

    def close(self) -> None:
        """End every connection, and listen no more."""
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    async def _end(self) -> None:
        await stop_accepting(self._server)
        self._server.close()
        for task in self._paths.values():
            task.cancel()
        await asyncio.gather(*self._paths.values(), return_exceptions=True)
        await end_all()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path, task = _Path(writer), asyncio.current_task()
        assert task is not None
        self._paths[path] = task
        there: asyncio.StreamWriter | None = None
        try:
            back, there = await connect_to(self._to)
            await asyncio.gather(_pass_on(path, reader, there), _pass_on(path, back, writer))
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            del self._paths[path]
            for end in (writer, there):
                if end is not None:
                    end.close()


async def _pass_on(path: _Path, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        if not path.lost:
            writer.write(data)
            await writer.drain()
    if not path.lost:
        with contextlib.suppress(OSError):
            writer.write_eof()
