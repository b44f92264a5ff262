"""Istio Mixer's out-of-process adapter protocol: a check is answered OK, and the wake-up that it means is recorded.

Source: istio.io/istio mixer/template/authorization (the request) and istio.io/api mixer/adapter/model/v1beta1 (the answer). Mixer
turns every gRPC error into HTTP 500 for the user, so nothing here raises; and Envoy caches an answer for as long as it says, so
only an awake Revision's answer may be used again.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.code_pb2 import OK
from google.rpc.status_pb2 import Status

from gateway_hook.call import Call, Named
from gateway_hook.door import identity
from gateway_hook.hook import Hook
from gateway_hook.outcome import Outcome
from gateway_hook.rules import is_probe
from gateway_hook.wire.authorization_pb2 import HandleAuthorizationRequest, PropertyMsg
from gateway_hook.wire.check_pb2 import CheckResult
from wakequeue.settings import Settings

SERVICE: Final = "authorization.HandleAuthorizationService"
METHOD: Final = "HandleAuthorization"
PROTOCOL: Final = "mixer_authorization"

#: How often one cached answer may be used: as good as always, for its time limits it first.
USES: Final = 1_000_000

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[bytes, bytes]


class Mixer:
    """The adapter: one method, answered in Mixer's wire format."""

    def __init__(self, hook: Hook, settings: Settings) -> None:
        self._hook = hook
        self._uncached = _answer(timedelta(seconds=1), 0)
        self._cached = _answer(timedelta(seconds=settings.awake_cache), USES)

    def handlers(self) -> dict[str, grpc.GenericRpcHandler]:
        """What the gRPC server serves, by service. Requests arrive as bytes, for one that can't be parsed is answered OK too."""
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(self.check)
        return {SERVICE: grpc.method_handlers_generic_handler(SERVICE, {METHOD: method})}

    async def check(self, request: bytes, context: "Context") -> bytes:
        """Answer one check with a serialized CheckResult."""
        outcome = await self._hook.call(PROTOCOL, identity(context), lambda: _read(request), context.time_remaining())
        return self._cached if outcome is Outcome.AWAKE else self._uncached


def _read(request: bytes) -> Call:
    """The call that a HandleAuthorizationRequest tells of. Raises DecodeError."""
    instance = HandleAuthorizationRequest.FromString(request).instance
    action = instance.action
    headers = _headers(instance.subject.properties) | _headers(action.properties)
    return Call(
        sources=(Named(action.namespace, action.service),),
        method=action.method.decode(errors="replace"),
        path=action.path.decode(errors="replace"),
        host=headers.get("host", ""),
        user_agent=headers.get("user-agent", ""),
        probe=is_probe(headers),
    )


def _headers(properties: Iterable[PropertyMsg]) -> dict[str, str]:
    """The properties that an operator maps to request headers, named as headers are: `user_agent` is `user-agent`."""
    return {
        one.key.decode(errors="replace").lower().replace("_", "-"): one.value.string_value.decode(errors="replace")
        for one in properties
    }


def _answer(valid_for: timedelta, uses: int) -> bytes:
    """A CheckResult that lets the request pass. With 0 uses it is never used again; an empty one would be, for a minute."""
    duration = Duration()
    duration.FromTimedelta(valid_for)
    return CheckResult(status=Status(code=OK), valid_duration=duration, valid_use_count=uses).SerializeToString()
