"""Envoy's external authorization: every request may pass, at once, and the wake-up that it means is recorded.

Source: envoyproxy/envoy api/envoy/service/auth/v3. Envoy makes an answer that is late or an error a 403 for the user, unless the
filter's `failure_mode_allow` is set; so nothing here raises.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final, cast

import grpc
from google.rpc.code_pb2 import OK
from google.rpc.status_pb2 import Status

from gateway_hook.door import identity
from gateway_hook.envoy.check_request import read
from gateway_hook.envoy.texts import CLUSTER
from gateway_hook.hook import Hook
from gateway_hook.outcome import Outcome
from gateway_hook.wire.core_pb2 import HeaderValue, HeaderValueOption
from gateway_hook.wire.ext_authz_pb2 import CheckResponse, OkHttpResponse
from wakequeue.settings import Settings

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[bytes, bytes]

SERVICE: Final = "envoy.service.auth.v3.Authorization"
METHOD: Final = "Check"
PROTOCOL: Final = "envoy_ext_authz"

#: A retry policy as request headers, which the router reads and doesn't pass on (envoyproxy/envoy source/common/router): what
#: failed before the application had it is tried again, and what is marked as cold, for some minutes at the router's own back-off. A
#: request that waits has no timeout.
RETRY: Final = {
    b"x-envoy-retry-on": b"connect-failure,refused-stream,retriable-headers",
    b"x-envoy-retriable-header-names": b"x-wakequeue",
    b"x-envoy-max-retries": b"4000",
    b"x-envoy-upstream-rq-timeout-ms": b"0",
}

#: Who wakes nothing has nothing to wait for.
NEVER: Final = {Outcome.UNRESOLVED, Outcome.IGNORED}


class ExtAuthz:
    """The service: one method, whose answer is OK."""

    def __init__(self, hook: Hook, settings: Settings) -> None:
        self._hook = hook
        self._passes = CheckResponse(status=Status(code=OK), ok_response=OkHttpResponse()).SerializeToString()
        self._waits = _with_headers(RETRY) if settings.envoy_retry_headers else self._passes

    def handlers(self) -> dict[str, grpc.GenericRpcHandler]:
        """What the gRPC server serves, by service. Requests arrive as bytes, for one that can't be parsed may pass too."""
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(self.check)
        return {SERVICE: grpc.method_handlers_generic_handler(SERVICE, {METHOD: method})}

    async def check(self, request: bytes, context: "Context") -> bytes:
        """Answer one check with a serialized CheckResponse."""
        cluster = _cluster(context)
        outcome = await self._hook.call(PROTOCOL, identity(context), lambda: read(request, cluster), context.time_remaining())
        return self._passes if outcome in NEVER else self._waits


def _cluster(context: "Context") -> bytes:
    """The cluster that the gateway's route chose, by the call's metadata, in which its client has no part."""
    metadata = cast("Iterable[tuple[str, str | bytes]]", context.invocation_metadata() or ())
    value = next((value for key, value in metadata if key == CLUSTER.decode()), b"")
    return value.encode(errors="replace") if isinstance(value, str) else value


def _with_headers(headers: dict[bytes, bytes]) -> bytes:
    options = [
        HeaderValueOption(
            header=HeaderValue(key=key, value=value),
            append_action=HeaderValueOption.HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
        )
        for key, value in headers.items()
    ]
    return CheckResponse(status=Status(code=OK), ok_response=OkHttpResponse(headers=options)).SerializeToString()
