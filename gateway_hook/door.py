"""The door of the gRPC port: lets in the calls of those who may, and says who they are. Health is open to everyone.

Of a call that is not let in nothing is read or recorded: it gets PERMISSION_DENIED or UNAUTHENTICATED. To Mixer that is an error
as any other, and its user's request fails with it, unless Mixer is told to fail open.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, Final, cast

import grpc
from grpc_health.v1.health import SERVICE_NAME as HEALTH

from gateway_hook.admission import Refusal, name_of, refused_client, refused_token, tokens_shown
from gateway_hook.files import Renewed, read, unusable
from wakequeue.events import Bounded, Event
from wakequeue.setting_types import WORD
from wakequeue.settings import Settings
from wakequeue.telemetry import REFUSED

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[Any, Any]
    Handler = grpc.RpcMethodHandler[Any, Any]

#: The same for all calls of one connection.
_named: Final = lru_cache(maxsize=1024)(name_of)

#: Where gRPC's auth context has the URIs of a certificate that it has verified. (`peer_spiffe_id` is there only for one with a
#: single URI, and `x509_subject_alternative_name` mixes them with the names of hosts.)
PEER_URI: Final = "peer_uri"


class Door(grpc.aio.ServerInterceptor):
    """Stands before every method, unless it stands open. Raises SettingsError where the file of tokens can't be used."""

    def __init__(self, settings: Settings) -> None:
        self._clients, self._header = settings.grpc_allowed_clients, settings.grpc_token_header
        self._tokens = tokens(settings)
        self._refused = Bounded(Event.REFUSED)
        self._behind = cache(partial(_behind, self._admit))

    @property
    def interceptors(self) -> "Sequence[Door]":
        """What a server is to ask of each call: nothing where the door stands open."""
        return [self] if self._clients or self._tokens.value else []

    async def intercept_service(
        self,
        continuation: "Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]]",
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        """The handler of a call, behind the door."""
        handler = await continuation(handler_call_details)
        if handler is None or handler_call_details.method.startswith(f"/{HEALTH}/"):
            return handler
        return self._behind(handler)

    async def _admit(self, context: "Context") -> None:
        """Return for a call that is let in, abort any other."""
        refusal = self._refusal(context)
        if refusal is None:
            return
        REFUSED.labels(refusal).inc()
        self._refused.warning(reason=refusal, peer=identity(context))
        code = grpc.StatusCode.PERMISSION_DENIED if refusal is Refusal.CLIENT_NOT_ALLOWED else grpc.StatusCode.UNAUTHENTICATED
        await context.abort(code, refusal.value)

    def _refusal(self, context: "Context") -> Refusal | None:
        self._tokens.renew()
        metadata = cast("Iterable[tuple[str, str | bytes]]", context.invocation_metadata() or ())
        shown = tokens_shown(metadata, self._header)
        return refused_client(_uris(context), self._clients) or refused_token(shown, self._tokens.value)


def tokens(settings: Settings) -> Renewed[list[bytes]]:
    """The tokens that will do; none where none is asked for. Raises SettingsError where their file can't be used."""

    def read_tokens() -> list[bytes]:
        found = read(settings, "grpc_token_file").decode(errors="replace").split()
        if not found or not all(map(WORD.fullmatch, found)):
            raise unusable(settings, "grpc_token_file", "holds something else" if found else "holds none")
        return [token.encode() for token in found]

    if settings.grpc_token_file:
        return Renewed([settings.grpc_token_file], read_tokens)
    return Renewed([], lambda: [settings.grpc_token.reveal().encode()] if settings.grpc_token else [])


def identity(context: "Context") -> str:
    """Who calls, for the audit trail: a URI that its certificate vouches for, else its IP address, or `unix`; see `name_of`."""
    return _named(_uris(context), context.peer())


def identity_by(settings: Settings) -> "Callable[[Context], str]":
    """Says who calls, as `identity` does; where no client shows a certificate, without looking for one, for that takes its time."""
    return identity if settings.grpc_client_ca_file else lambda context: _named((), context.peer())


def _uris(context: "Context") -> tuple[str, ...]:
    return tuple(uri.decode(errors="replace") for uri in context.auth_context().get(PEER_URI, ()))


def _behind(admit: "Callable[[Context], Awaitable[None]]", handler: "Handler") -> "Handler":
    """A handler of the same kind that answers once the call is let in."""
    kind = "_".join("stream" if streams else "unary" for streams in (handler.request_streaming, handler.response_streaming))
    inner = getattr(handler, kind)

    async def answer(request: object, context: "Context") -> object:
        await admit(context)
        return await inner(request, context)

    async def answers(request: object, context: "Context") -> AsyncIterator[object]:
        await admit(context)
        async for one in inner(request, context):
            yield one

    make = getattr(grpc, f"{kind}_rpc_method_handler")
    behind = make(answers if handler.response_streaming else answer, handler.request_deserializer, handler.response_serializer)
    return cast("Handler", behind)
