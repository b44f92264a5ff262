"""A Kubernetes API server that answers list and watch as kube-apiserver does, remembers what it was asked and can be hurt."""

import asyncio
import contextlib
import json
import math
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from support.api_answer import begin, chunk, kubeconfig, respond
from support.api_request import Asked, Object, RefusedError, Resource
from support.listening import stop_accepting
from support.object_history import Change, ObjectHistory, key, selection
from support.processes import free_port

T = TypeVar("T")


class _Conversation(asyncio.StreamReaderProtocol):
    """A connection that is over once the peer says that it is."""

    def eof_received(self) -> bool:
        super().eof_received()
        return False


class ApiServer:
    """Listens on a port that stays the same over `stop` and `start`; its objects stay too.

    `deny` has the collections that are forbidden, `answers` the documents at other paths. While there is a `token`, a request must
    bear it. `delay` seconds pass before each line of a watch. A watch of a forgotten version begins well and is told of it, or is
    refused with `gone_at_once`.
    """

    def __init__(self, *, token: str = "", bookmark_every: float = 1.0) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token, self.bookmark_every = token, bookmark_every
        self.delay, self.gone_at_once = 0.0, False
        self.spoil: int | None = None
        self.deny: set[str] = set()
        self.answers: dict[str, Object] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.history = ObjectHistory()
        self._failures: list[int] = []
        self._speaks = asyncio.Event()
        self._speaks.set()
        self._connections: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
        self._watches: dict[asyncio.StreamWriter, tuple[str, asyncio.Queue[Change]]] = {}
        self._server: asyncio.Server | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.start()

    @property
    def open_watches(self) -> Counter[str]:
        """How many watches are open, by collection."""
        return Counter(collection for collection, _ in list(self._watches.values()))

    def put(self, collection: str, given: Object) -> int:
        """Add the object, or replace the one of its namespace and name. Returns the revision of that."""
        return self._do(self._tell(lambda: self.history.put(collection, given)))

    def delete(self, collection: str, namespace: str, name: str) -> int:
        """Remove the object; there must be one. Returns the revision of that."""
        return self._do(self._tell(lambda: self.history.delete(collection, namespace, name)))

    def compact(self) -> None:
        """Forget how things were: versions before this one are too old from now on."""
        self._loop.call_soon_threadsafe(self.history.compact)

    def fail_next(self, n: int, status: int = 500) -> None:
        """Fail the next `n` requests."""
        self._failures += [status] * n

    def mute(self) -> None:
        """Answer nothing, and say nothing to open watches; connections and requests are taken."""
        self._loop.call_soon_threadsafe(self._speaks.clear)

    def unmute(self) -> None:
        """Answer what was asked meanwhile, and what will be."""
        self._loop.call_soon_threadsafe(self._speaks.set)

    def drop_watches(self) -> None:
        """Abort the connections of open watches."""
        self._do(self._abort(self._watches))

    def start(self) -> None:
        """Listen."""
        self._do(self._listen())

    def stop(self) -> None:
        """Listen no more, and abort every connection."""
        self._do(self._shut())

    def kubeconfig(self, path: Path) -> Path:
        """A file that leads a client here, with the present token if there is one."""
        return kubeconfig(path, self.url, self.token)

    def close(self) -> None:
        """End."""
        if self._server is not None:
            self.stop()
        self._do(self._rest())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _tell(self, make: Callable[[], Change]) -> int:
        change = make()
        for collection, queue in self._watches.values():
            if collection == change.collection:
                queue.put_nowait(change)
        return change.revision

    async def _listen(self) -> None:
        def conversation() -> asyncio.StreamReaderProtocol:
            return _Conversation(asyncio.StreamReader(), self._connected)

        self._server = await self._loop.create_server(conversation, "127.0.0.1", self.port, start_serving=False)
        await self._server.start_serving()

    async def _shut(self) -> None:
        assert self._server is not None
        await stop_accepting(self._server)
        self._server.close()
        self._server = None
        await self._abort(self._connections)

    @staticmethod
    async def _rest() -> None:
        """Wait for what was just being accepted."""
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)

    async def _abort(self, writers: Iterable[asyncio.StreamWriter]) -> None:
        ending = {writer: self._connections[writer] for writer in writers}
        for writer in ending:
            writer.transport.abort()
        await asyncio.gather(*ending.values())

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections[writer] = task
        talk, gone = asyncio.ensure_future(self._talk(reader, writer)), asyncio.ensure_future(writer.wait_closed())
        if self._server is not None:
            await asyncio.wait({talk, gone}, return_when=asyncio.FIRST_COMPLETED)
        talk.cancel()
        writer.transport.abort()
        ended = await asyncio.gather(talk, gone, return_exceptions=True)
        del self._connections[writer]
        if isinstance(ended[0], Exception):
            raise ended[0]

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                asked = Asked.read(await reader.readuntil(b"\r\n\r\n"))
                await reader.readexactly(asked.length)
                self.requests.append((asked.path, asked.query))
                await self._speaks.wait()
                try:
                    await self._answer(asked, writer)
                except RefusedError as error:
                    await respond(writer, error.code, error.status)

    async def _answer(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        resource = Resource.of(asked.path)
        if self._failures:
            raise RefusedError(self._failures.pop(0))
        if self.token and asked.authorization != f"Bearer {self.token}":
            raise RefusedError(401, "Unauthorized", "Unauthorized")
        if resource and resource.collection in self.deny:
            raise resource.forbidden(asked)
        asked.check()
        if asked.path in self.answers:
            await respond(writer, 200, self.answers[asked.path])
        elif resource is None:
            await respond(writer, 404, "404 page not found")
        elif asked.on("watch"):
            await self._watch(resource, asked, writer)
        else:
            await respond(writer, 200, self._get(resource) if resource.name else self._list(resource, asked.query))

    def _get(self, resource: Resource) -> Object:
        for one in self.history.at(resource.collection, self.history.revision):
            if key(one) == f"{resource.namespace}/{resource.name}":
                return one
        raise resource.missing()

    def _list(self, resource: Resource, query: dict[str, str]) -> Object:
        # kube-apiserver answers version 0 from its cache, and then in one piece.
        limit = 0 if query.get("resourceVersion") == "0" else int(query.get("limit", 0))
        selects = selection(resource.namespace, query.get("labelSelector", ""))
        items, metadata = self.history.page(resource.collection, selects, limit, query.get("continue", ""))
        return {"kind": f"{resource.kind}List", "apiVersion": resource.version, "metadata": metadata, "items": items}

    async def _watch(self, resource: Resource, asked: Asked, writer: asyncio.StreamWriter) -> None:
        selects = selection(resource.namespace, asked.query.get("labelSelector", ""))
        if self.spoil is not None:
            await begin(writer)
            if self.spoil:
                await self._line(writer, {"type": "ERROR", "object": RefusedError(self.spoil).status})
            await chunk(writer, b"")
            return
        try:
            changes = self.history.since(resource.collection, int(asked.query.get("resourceVersion") or 0))
        except RefusedError as error:
            if self.gone_at_once:
                raise
            await begin(writer)
            await self._line(writer, {"type": "ERROR", "object": error.status})
        else:
            queue: asyncio.Queue[Change] = asyncio.Queue()
            for change in changes:
                queue.put_nowait(change)
            self._watches[writer] = resource.collection, queue
            try:
                await begin(writer)
                async for line in self._lines(queue, selects, resource, asked):
                    await self._line(writer, line)
            finally:
                del self._watches[writer]
        await chunk(writer, b"")

    async def _lines(
        self, queue: asyncio.Queue[Change], selects: Callable[[Object], bool], resource: Resource, asked: Asked
    ) -> AsyncIterator[Object]:
        every = self.bookmark_every if asked.on("allowWatchBookmarks") else math.inf
        end = self._loop.time() + float(asked.query.get("timeoutSeconds", math.inf))
        bookmark = self._loop.time() + every
        while (now := self._loop.time()) < end:
            try:
                change = queue.get_nowait() if queue.qsize() else await asyncio.wait_for(queue.get(), min(end, bookmark) - now)
            except TimeoutError:
                # A bookmark says that all before it was told.
                if queue.empty() and self._loop.time() >= bookmark:
                    bookmark = self._loop.time() + every
                    yield self._bookmark(resource)
            else:
                if line := change.line(selects):
                    yield line

    def _bookmark(self, resource: Resource) -> Object:
        metadata = {"resourceVersion": str(self.history.revision), "creationTimestamp": None}
        return {"type": "BOOKMARK", "object": {"kind": resource.kind, "apiVersion": resource.version, "metadata": metadata}}

    async def _line(self, writer: asyncio.StreamWriter, line: Object) -> None:
        await asyncio.sleep(self.delay)
        await self._speaks.wait()
        await chunk(writer, json.dumps(line).encode() + b"\n")
