"""Istio Mixer's out-of-process adapter protocol: a check is answered OK, and the wake-up that it means is recorded.

Source: istio.io/istio mixer/template/authorization (the request) and istio.io/api mixer/adapter/model/v1beta1 (the answer). Mixer
turns every gRPC error into HTTP 500 for the user, so nothing here raises; and Envoy caches an answer for as long as it says, so
only an awake Revision's answer may be used again.
"""

from collections.abc import Iterable
from datetime import timedelta
from time import perf_counter
from typing import TYPE_CHECKING, Final

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import DecodeError
from google.rpc.code_pb2 import OK
from google.rpc.status_pb2 import Status

from gateway_hook.door import identity
from gateway_hook.recorder import Outcome, Recorder
from gateway_hook.resolve import is_probe, resolve
from gateway_hook.wire.authorization_pb2 import HandleAuthorizationRequest, PropertyMsg
from gateway_hook.wire.check_pb2 import CheckResult
from wakequeue.errors import Unresolved
from wakequeue.settings import Settings
from wakequeue.telemetry import ANSWER, CALLS, UNRESOLVED, Bounded, Event

SERVICE: Final = "authorization.HandleAuthorizationService"
METHOD: Final = "HandleAuthorization"
PROTOCOL: Final = "mixer_authorization"

#: How often one cached answer may be used: as good as always, for its time limits it first.
USES: Final = 1_000_000

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[bytes, bytes]


class Mixer:
    """The adapter: one method, answered in Mixer's wire format."""

    def __init__(self, recorder: Recorder, settings: Settings) -> None:
        self._recorder, self._settings = recorder, settings
        self._uncached = _answer(timedelta(seconds=1), 0)
        self._cached = _answer(timedelta(seconds=settings.awake_cache), USES)
        #: How many calls were answered.
        self.answered = 0
        self._unresolved = Bounded(Event.UNRESOLVED)
        self._failed = Bounded(Event.CALL_FAILED)

    def handler(self) -> grpc.GenericRpcHandler:
        """What the gRPC server serves. Requests arrive as bytes, because one that can't be parsed is answered OK too."""
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(self.check)
        return grpc.method_handlers_generic_handler(SERVICE, {METHOD: method})

    async def check(self, request: bytes, context: "Context") -> bytes:
        """Answer one check with a serialized CheckResult."""
        started = perf_counter()
        try:
            outcome, answer = await self._answer(request, context)
        except Exception as error:  # noqa: BLE001  whatever it is, it is our trouble and not the user's
            outcome, answer = "failed", self._uncached
            self._failed.warning(protocol=PROTOCOL, error=repr(error))
        CALLS.labels(PROTOCOL, outcome).inc()
        self.answered += 1
        ANSWER.observe(perf_counter() - started)
        return answer

    async def _answer(self, request: bytes, context: "Context") -> tuple[str, bytes]:
        try:
            instance = HandleAuthorizationRequest.FromString(request).instance
            if is_probe(_headers(instance.action.properties)) or is_probe(_headers(instance.subject.properties)):
                return "probe", self._uncached
            action, settings = instance.action, self._settings
            revision = resolve(action.namespace, action.service, settings.service_patterns, settings.namespaces)
        except DecodeError:
            return self._refuse("malformed", ""), self._uncached
        except Unresolved as error:
            return self._refuse(error.reason, error.detail), self._uncached
        remaining = context.time_remaining()
        budget = self._settings.answer_within if remaining is None else remaining / 2
        outcome = await self._recorder.record(revision, f"{PROTOCOL} {identity(context)}", budget)
        return outcome, self._cached if outcome is Outcome.AWAKE else self._uncached

    def _refuse(self, reason: str, detail: str) -> str:
        UNRESOLVED.labels(reason).inc()
        self._unresolved.warning(protocol=PROTOCOL, reason=reason, detail=detail)
        return "unresolved"


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
