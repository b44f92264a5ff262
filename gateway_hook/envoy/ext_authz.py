"""Envoy's external authorization, v3: a check is answered OK, and the wake-up that it means is recorded.

Source: envoyproxy/envoy api/envoy/service/auth/v3/external_auth.proto. Any other answer, and an error unless the filter has
`failure_mode_allow`, is a 403 for the user, so nothing here raises. The answer may add request headers by which the router retries
(docs/root/configuration/http/http_filters/router_filter.rst): then a cold start needs no retry policy of the route. A check may be
held until its Revision is ready, or the filter's timeout is near.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, cast

import grpc
from google.rpc.code_pb2 import OK
from google.rpc.status_pb2 import Status

from gateway_hook.door import identity_by
from gateway_hook.envoy.check_request import Metadata, call_of
from gateway_hook.hook import Hook
from gateway_hook.outcome import WAKES_NOTHING
from gateway_hook.wire.envoy_core_pb2 import HeaderValue, HeaderValueOption
from gateway_hook.wire.ext_authz_pb2 import CheckResponse, OkHttpResponse
from wakequeue.settings import Settings

SERVICE: Final = "envoy.service.auth.v3.Authorization"
METHOD: Final = "Check"
PROTOCOL: Final = "envoy_ext_authz"

#: What has the router try again until the application is there: what it never received, and what is marked as cold.
RETRY_HEADERS: Final = {
    "x-envoy-retry-on": "connect-failure,refused-stream,retriable-headers",
    "x-envoy-retriable-header-names": "x-wakequeue",
    # Without it the router retries once.
    "x-envoy-max-retries": "4000",
    # No timeout: a route that says nothing has one of 15 s, which ends slow cold starts.
    "x-envoy-upstream-rq-timeout-ms": "0",
}

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[bytes, bytes]
    Method = grpc.RpcMethodHandler[bytes, bytes]


class ExtAuthz:
    """The authorization service: one method, which lets every request pass."""

    def __init__(self, hook: Hook, settings: Settings) -> None:
        self._hook, self._identity = hook, identity_by(settings)
        self._passes = _answer({})
        # In hold mode Envoy may hear after us that a Revision is ready; and one that is, may stand behind the activator again.
        retries = settings.envoy_retry_headers or settings.mode == "hold"
        self._waits = _answer(RETRY_HEADERS) if retries else self._passes

    def handlers(self) -> "dict[str, dict[str, Method]]":
        """What the gRPC server serves. Requests arrive as bytes, for one that can't be parsed is answered OK too."""
        return {SERVICE: {METHOD: grpc.unary_unary_rpc_method_handler(self.check)}}

    async def check(self, request: bytes, context: "Context") -> bytes:
        """Answer one check with a serialized CheckResponse."""
        metadata = cast("Metadata", context.invocation_metadata() or ())
        remaining = context.time_remaining()
        outcome = await self._hook.call_and_hold(
            PROTOCOL, self._identity(context), lambda: call_of(request, metadata, self._hook.trace_of), remaining
        )
        return self._passes if outcome in WAKES_NOTHING else self._waits


def _answer(headers: Mapping[str, str]) -> bytes:
    """A CheckResponse that lets the request pass, with these headers in the place of its own."""
    added = [
        HeaderValueOption(
            header=HeaderValue(key=name.encode(), value=value.encode()),
            append_action=HeaderValueOption.OVERWRITE_IF_EXISTS_OR_ADD,
        )
        for name, value in headers.items()
    ]
    return CheckResponse(status=Status(code=OK), ok_response=OkHttpResponse(headers=added) if added else None).SerializeToString()
