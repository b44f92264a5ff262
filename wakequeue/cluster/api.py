"""The Kubernetes API, as far as it is needed: a collection listed in pages, and watched from a version on.

Lists and watches are written here, on an HTTP client with lightkube's configuration: its own watch asks for no bookmarks, and waits
without end for a connection that is dead.

Source: Kubernetes' API concepts, "Efficient detection of changes" and "Retrieving large results sets in chunks".
"""

from collections.abc import AsyncGenerator, AsyncIterator
from http import HTTPStatus
from typing import Any, Final, NamedTuple, NoReturn

import httpx2
import msgspec
from msgspec import Struct, field

from wakequeue.cluster.objects import Collection, Mirrored
from wakequeue.errors import WakeQueueError

#: How many objects are asked for at once: some 2 MB of Revisions.
PAGE: Final = 250

#: How long one watch lasts: each new one shows that the API still answers.
WATCH_SECONDS: Final = 30

#: How long the API may take to answer, and to end a watch.
ANSWER_SECONDS: Final = 10.0

REFUSALS: Final[dict[int, str]] = {
    HTTPStatus.UNAUTHORIZED: "unauthorized",
    HTTPStatus.FORBIDDEN: "forbidden",
    HTTPStatus.NOT_FOUND: "not_found",
}


class ApiAway(WakeQueueError):  # noqa: N818  it names what happened
    """The API gave no answer, or not the one that was asked for; `cause` says why, from a small fixed set."""

    def __init__(self, cause: str, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause


class VersionGone(ApiAway):
    """The API has forgotten what changed since a version: the collection must be listed again."""


class Change(NamedTuple):
    """What a watch tells: of the object with this key so much is kept now, None for nothing. A bookmark has a version alone."""

    version: str
    key: str = ""
    kept: Any = None


class _ListMeta(Struct):
    version: str = field(default="", name="resourceVersion")
    next: str = field(default="", name="continue")


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

    async def list(self, collection: Collection) -> AsyncGenerator[tuple[str, dict[str, Any]]]:
        """A collection in pages: its version, which is that of all pages, and what is kept of each object by its key.

        Raises VersionGone where it takes so long that the first page's version is forgotten.
        """
        decoder = msgspec.json.Decoder(collection)
        params = _params(collection) | {"limit": str(PAGE)}
        while True:
            answer = await self._ask(collection.path, params)
            try:
                page = msgspec.json.decode(answer, type=_Page)
                objects = [decoder.decode(item) for item in page.items or ()]
            except msgspec.MsgspecError as error:
                raise _away(error) from error
            yield page.metadata.version, {one.key: one.kept() for one in objects}
            if not page.metadata.next:
                return
            params["continue"] = page.metadata.next

    async def watch(self, collection: Collection, version: str) -> AsyncGenerator[Change | None]:
        """First None, once the API has answered; then what changes after the version. It ends after `WATCH_SECONDS`.

        Raises VersionGone where the version is too old.
        """
        decoder = msgspec.json.Decoder(collection)
        params = _params(collection) | {"watch": "true", "allowWatchBookmarks": "true"}
        params |= {"resourceVersion": version, "timeoutSeconds": str(WATCH_SECONDS)}
        timeout = httpx2.Timeout(ANSWER_SECONDS, read=WATCH_SECONDS + ANSWER_SECONDS)
        try:
            async with self._client.stream("GET", collection.path, params=params, timeout=timeout) as response:
                if response.is_error:
                    _refuse(response.status_code, await response.aread())
                yield None
                async for line in _lines(response):
                    yield _change(line, decoder)
        except (httpx2.HTTPError, msgspec.MsgspecError, UnicodeError) as error:
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


def _params(collection: Collection) -> dict[str, str]:
    return {"labelSelector": collection.selector} if collection.selector else {}


async def _lines(response: httpx2.Response) -> AsyncIterator[bytes]:
    """The lines of a watch. httpx's own end at any character that Unicode calls a line's end, and texts in JSON may have such."""
    rest = b""
    async for part in response.aiter_bytes():
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            yield line


def _change(line: bytes, decoder: "msgspec.json.Decoder[Mirrored]") -> Change:
    told = msgspec.json.decode(line, type=_Line)
    if told.type == "ERROR":
        _refuse(0, bytes(told.object))
    one = decoder.decode(told.object)
    if told.type == "BOOKMARK":
        return Change(one.metadata.version)
    return Change(one.metadata.version, one.key, None if told.type == "DELETED" else one.kept())


def _refuse(code: int, body: bytes) -> NoReturn:
    """Raise what the API's refusal means; it is a Status, unless something before the API answered."""
    try:
        status = msgspec.json.decode(body, type=_Status)
    except msgspec.MsgspecError:
        status = _Status(code, body[:200].decode(errors="replace"))
    code = status.code or code
    if code == HTTPStatus.GONE:
        raise VersionGone("gone", status.message)
    raise ApiAway(REFUSALS.get(code, "refused"), f"{code}: {status.message}")


def _away(error: Exception) -> ApiAway:
    match error:
        case httpx2.TimeoutException():
            cause = "timeout"
        case httpx2.HTTPError():
            cause = "network"
        case _:
            cause = "malformed"
    return ApiAway(cause, str(error) or type(error).__name__)
