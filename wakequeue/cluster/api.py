"""The Kubernetes API, as far as it is needed: a collection listed in pages, and watched from a version on.

Lists and watches are written here, on an HTTP client with lightkube's configuration: its own watch asks for no bookmarks, and waits
without end for a connection that is dead.

Source: Kubernetes' API concepts, "Efficient detection of changes" and "Retrieving large results sets in chunks".
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from http import HTTPStatus
from typing import Any, Final, NamedTuple, NoReturn

import httpx2
import msgspec
from msgspec import Struct, field

from wakequeue.cluster.mirrored import Collection, Meta, Mirrored
from wakequeue.errors import WakeQueueError
from wakequeue.events import Bounded, Event

#: How many objects are asked for at once: some 2 MB of Revisions.
PAGE: Final = 250

#: How long one watch lasts: each new one shows that the API still answers.
WATCH_SECONDS: Final = 10

#: How long the API may take to answer, and how much longer to end a watch.
ANSWER_SECONDS: Final = 10.0
GRACE_SECONDS: Final = 5.0

REFUSALS: Final[dict[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
    HTTPStatus.GONE: "gone",
    HTTPStatus.TOO_MANY_REQUESTS: "busy",
}


class ApiAway(WakeQueueError):  # noqa: N818  it names what happened
    """The API gave no answer, or not the one that was asked for; `cause` says why, from a small fixed set."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause


class Change(NamedTuple):
    """What a watch tells: of the object with this key so much is kept now, None for nothing. A bookmark has a version alone."""

    version: str
    key: str = ""
    kept: Any = None


class _ListMeta(Struct):
    version: str = field(default="", name="resourceVersion")
    next: str = field(default="", name="continue")


class _Named(Struct):
    metadata: Meta = field(default_factory=Meta)


class _Page(Struct):
    metadata: _ListMeta = field(default_factory=_ListMeta)
    items: list[msgspec.Raw] | None = None


class _Line(Struct):
    type: str
    object: msgspec.Raw


class _Status(Struct):
    code: int = 0
    message: str = ""


class Api:
    """Asks by an HTTP client that knows the API's address and has the credentials. Every method raises ApiAway."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self._unreadable = Bounded(Event.CLUSTER_UNREADABLE)

    async def list(self, collection: Collection) -> AsyncGenerator[tuple[str, dict[str, Any]]]:
        """A collection in pages: its version, which is that of all pages, and what is kept of each object by its key."""
        decoder = msgspec.json.Decoder(collection)
        params = _params(collection) | {"limit": str(PAGE)}
        while True:
            answer = await self._ask(collection.path, params)
            try:
                page = msgspec.json.decode(answer, type=_Page)
                objects = [self._read(item, decoder) for item in page.items or ()]
            except msgspec.MsgspecError as error:
                raise _away(error) from error
            yield page.metadata.version, {meta.key: kept for meta, kept in objects}
            if not page.metadata.next:
                return
            params["continue"] = page.metadata.next

    async def watch(self, collection: Collection, version: str) -> AsyncGenerator[Change | None]:
        """First None, once the API has answered; then what changes after the version. It ends after `WATCH_SECONDS`."""
        decoder = msgspec.json.Decoder(collection)
        params = _params(collection) | {"watch": "true", "allowWatchBookmarks": "true"}
        params |= {"resourceVersion": version, "timeoutSeconds": str(WATCH_SECONDS)}
        timeout = httpx2.Timeout(ANSWER_SECONDS, read=WATCH_SECONDS + GRACE_SECONDS)
        request = self._client.build_request("GET", collection.path, params=params, timeout=timeout)
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                response = await self._client.send(request, stream=True)
            async with aclosing(response):
                if response.is_error:
                    _refuse(response.status_code, await response.aread())
                yield None
                async for line in _lines(response):
                    yield self._change(line, decoder)
        except (httpx2.HTTPError, TimeoutError, msgspec.MsgspecError) as error:
            raise _away(error) from error

    async def get(self, path: str) -> Any:  # noqa: ANN401  whatever is there
        """What is at a path."""
        answer = await self._ask(path, {})
        try:
            return msgspec.json.decode(answer)
        except msgspec.MsgspecError as error:
            raise _away(error) from error

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _ask(self, path: str, params: dict[str, str]) -> bytes:
        try:
            response = await self._client.get(path, params=params, timeout=ANSWER_SECONDS)
        except httpx2.HTTPError as error:
            raise _away(error) from error
        if response.is_error:
            _refuse(response.status_code, response.content)
        return response.content

    def _change(self, line: bytes, decoder: "msgspec.json.Decoder[Mirrored]") -> Change:
        told = msgspec.json.decode(line, type=_Line)
        match told.type:
            case "ERROR":
                _refuse(0, bytes(told.object))
            case "BOOKMARK":
                return Change(msgspec.json.decode(told.object, type=_Named).metadata.version)
        meta, kept = self._read(told.object, decoder)
        return Change(meta.version, meta.key, None if told.type == "DELETED" else kept)

    def _read(self, raw: msgspec.Raw, decoder: "msgspec.json.Decoder[Mirrored]") -> tuple[Meta, Any]:
        """An object's metadata, and what is kept of it: nothing of one that is not as it should be, which stops no others."""
        try:
            one = decoder.decode(raw)
            kept = one.kept()
        except (msgspec.MsgspecError, ValueError) as error:
            meta = msgspec.json.decode(raw, type=_Named).metadata
            self._unreadable.warning(object=meta.key, error=error)
            return meta, None
        if said := one.unreadable():
            self._unreadable.warning(object=one.metadata.key, error=said)
        return one.metadata, kept


def _params(collection: Collection) -> dict[str, str]:
    return {"labelSelector": collection.selector} if collection.selector else {}


async def _lines(response: httpx2.Response) -> AsyncIterator[bytes]:
    """The lines of a watch. httpx's own end at any character that Unicode calls a line's end, and texts in JSON may have such."""
    rest = b""
    async for part in response.aiter_bytes():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line


def _refuse(code: int, body: bytes) -> NoReturn:
    """Raise what the API's refusal means; it is a Status, unless something before the API answered."""
    try:
        status = msgspec.json.decode(body, type=_Status)
    except msgspec.MsgspecError:
        status = _Status(code, body[:200].decode(errors="replace"))
    code = status.code or code
    raise ApiAway(REFUSALS.get(code, "refused"), f"{code}: {status.message}")


def _away(error: Exception) -> ApiAway:
    match error:
        case httpx2.TimeoutException() | TimeoutError():
            cause = "timeout"
        case httpx2.HTTPError():
            cause = "network"
        case _:
            cause = "malformed"
    return ApiAway(cause, str(error) or type(error).__name__)
