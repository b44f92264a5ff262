"""The ASGI application of the HTTP port: reads what a request is, has the hook take its call, and answers."""

import asyncio
import contextlib
import functools
import time
from typing import Final

from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope

from gateway_hook.admission import name_of
from gateway_hook.call import unread
from gateway_hook.hook import Hook
from gateway_hook.http import answers
from gateway_hook.http.answers import Answer
from gateway_hook.http.door import WakeDoor
from gateway_hook.http.request import Cold, Headers, Probe, Request, Wake, cold_call, kind_of, probe_call
from gateway_hook.http.wake import Wanted, wake_call
from wakequeue.errors import Unresolved
from wakequeue.settings import Settings

COLD: Final = "http_cold"
WAKE: Final = "http_wake"

#: For how long an HTTP/1.1 client that was answered may go on sending its body: it is thrown away, so that the connection can be
#: used again, and isn't reset under an answer that its client hasn't read.
LINGER_SECONDS: Final = 2.0


class Rest:
    """What comes of a request after its headers, without its body."""

    def __init__(self, receive: ASGIReceiveCallable) -> None:
        self._receive, self._is_read = receive, False

    async def until_read(self) -> None:
        """Return once the client has sent its whole body, or is gone."""
        if not self._is_read:
            await self._receive()

    async def until_gone(self) -> None:
        """Return once the client is gone; an HTTP/1.1 client that sends another request ahead isn't seen to go."""
        while (await self._receive())["type"] != "http.disconnect":
            self._is_read = True
        self._is_read = True


class App:
    """Answers the requests of one port; `draining` is set once it closes. Raises SettingsError where tokens can't be used."""

    def __init__(self, hook: Hook, settings: Settings, draining: asyncio.Event) -> None:
        self._hook, self._page, self._zone, self._draining = hook, settings.page, settings.zone.info, draining
        self._door = WakeDoor(settings)

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Answer one request, and only then look after the rest of it."""
        assert scope["type"] == "http", "connections has no other"
        request, rest = _request(scope), Rest(receive)
        answer = await self._answer(request, _caller(scope), rest)
        headers = answer.headers
        is_http_1 = scope["http_version"].startswith("1")
        goes_on = is_http_1 and request.has_body and not request.waits
        if is_http_1 and (request.waits or self._draining.is_set()):
            headers = [*headers, (b"connection", b"close")]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers, "trailers": False})
        await send({"type": "http.response.body", "body": answer.body, "more_body": goes_on})
        if goes_on:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    await rest.until_read()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _answer(self, request: Request, caller: str, rest: Rest) -> Answer:
        match kind_of(request, self._hook.knows_host):
            case Probe() as probe:
                await self._hook.call(COLD, caller, probe_call)
                return answers.to_probe(probe, draining=self._draining.is_set())
            case Cold(wants_page):
                return await self._cold(request, caller, rest, page=self._page and wants_page)
            case Wake() as wake:
                return await self._wake(request, wake, caller)
        # Counted as unresolved: where a gateway sends what it shouldn't, its operator can see it.
        await self._hook.call(COLD, caller, functools.partial(cold_call, request))
        return answers.NOTHING

    async def _cold(self, request: Request, caller: str, rest: Rest, *, page: bool) -> Answer:
        read = functools.partial(cold_call, request, self._hook.trace_of)
        if page:  # which is there to be seen at once
            outcome = await self._hook.call(COLD, caller, read)
        else:
            outcome = await self._hook.call_and_hold(COLD, caller, read, request.remaining, rest.until_gone)
        return answers.to_cold(outcome, page=page)

    async def _wake(self, request: Request, wake: Wake, caller: str) -> Answer:
        if request.method != "POST":
            return answers.NOT_A_POST
        if refused := self._door.refuses(request.headers, caller):
            return refused
        now = time.time()
        try:
            wanted = Wanted.read(wake, self._zone, now)
        except ValueError as error:
            await self._hook.call(WAKE, caller, unread(Unresolved("malformed", str(error))))
            return answers.to_wrong(error)
        reads = [functools.partial(wake_call, request.headers, key, self._hook.trace_of) for key in wanted.keys]
        if wanted.asked is None:
            outcomes = await self._hook.calls(WAKE, caller, reads)
        else:
            outcomes = await self._hook.begin(WAKE, caller, reads, wanted.asked)
        return answers.to_wake(wanted, outcomes, now)


def _request(scope: HTTPScope) -> Request:
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    return Request(scope["method"], target.decode("latin-1"), Headers.of(scope["headers"]))


def _caller(scope: HTTPScope) -> str:
    """The peer's address, as the gRPC port names it."""
    address, port, *_ = scope["client"] or ("", 0)
    return name_of((), f"ipv6:[{address}]:{port}" if ":" in address else f"ipv4:{address}:{port}")
