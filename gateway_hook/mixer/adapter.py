"""The adapter: takes Mixer's requests, of all templates, and answers each OK once its wake-ups are recorded.

Source: istio.io/istio mixer/pkg/protobuf/yaml/dynamic/handler.go (Mixer's side).
"""

from functools import partial
from typing import TYPE_CHECKING, Final, cast

import grpc

from gateway_hook.door import identity_by
from gateway_hook.hook import Hook
from gateway_hook.mixer import answers
from gateway_hook.mixer.backend import Backend
from gateway_hook.mixer.calls import Received, Search, receive
from gateway_hook.mixer.params import configured
from gateway_hook.mixer.templates import TEMPLATES, Template
from gateway_hook.outcome import Outcome
from gateway_hook.wire.extensions_pb2 import TEMPLATE_VARIETY_QUOTA, TEMPLATE_VARIETY_REPORT
from wakequeue.settings import Settings
from wakequeue.traces import Fields

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[bytes, bytes]
    Method = grpc.RpcMethodHandler[bytes, bytes]


#: Outcomes of a call whose answer may be used again for a while: a ready Revision's pods tell the Autoscaler of its requests.
AWAKE: Final = frozenset({Outcome.AWAKE, Outcome.PASSED})


class Mixer:
    """The adapter. Requests arrive as bytes, for one that can't be parsed is answered OK too."""

    def __init__(self, hook: Hook, settings: Settings) -> None:
        self._hook, self._search, self._backend = hook, Search.of(settings), Backend(settings)
        self._identity = identity_by(settings)
        self._idle_after, self._awake_cache = settings.idle_after, settings.awake_cache

    def handlers(self) -> "dict[str, dict[str, Method]]":
        """What the gRPC server serves, by service and method."""
        served: dict[str, dict[str, Method]] = {
            template.service: {template.method: grpc.unary_unary_rpc_method_handler(partial(self.answer, template))}
            for template in TEMPLATES.values()
        }
        return served | {self._backend.service: self._backend.methods()}

    async def answer(self, template: Template, data: bytes, context: "Context") -> bytes:
        """Answer one request, whatever it is."""
        trace = self._hook.trace_of(cast("Fields", context.invocation_metadata() or ()))
        received = receive(template, data, self._search, trace)
        caller, remaining = self._identity(context), context.time_remaining()
        if template.variety == TEMPLATE_VARIETY_REPORT:
            await self._hook.calls(template.protocol, caller, received.reads, remaining)
            return answers.REPORTED
        outcome = await self._hook.call(template.protocol, caller, received.reads[0], remaining)
        seconds = self._valid_for(received) if outcome in AWAKE else 0.0
        if template.variety == TEMPLATE_VARIETY_QUOTA:
            return answers.granted(received.request, seconds)
        return answers.checked(seconds)

    def _valid_for(self, received: Received) -> float:
        """For how many seconds an awake Revision's answer may be used: as its handler says, unless it could be asleep by then."""
        assert received.request is not None
        seconds = configured(received.request.adapter_config).awake_cache
        return seconds if seconds is not None and 0 <= seconds < self._idle_after else self._awake_cache
