"""A TCP relay, whose connections can be lost as a network loses them: nobody is told, and nothing arrives any more."""

import asyncio
import contextlib
import threading
from types import TracebackType
from typing import Self

from support.processes import free_port


class _Path:
    """One connection through the relay."""

    def __init__(self) -> None:
        self.lost = False


class Relay:
    """Passes on what comes to its port to another one, from its making to `close`."""

    def __init__(self, to_port: int) -> None:
        self.port = free_port()
        self._to_port = to_port
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
        self._server.close()
        for task in self._paths.values():
            task.cancel()
        await asyncio.gather(*self._paths.values(), return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        path, task = _Path(), asyncio.current_task()
        assert task is not None
        self._paths[path] = task
        there: asyncio.StreamWriter | None = None
        try:
            back, there = await asyncio.open_connection("127.0.0.1", self._to_port)
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
