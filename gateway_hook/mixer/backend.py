"""Mixer's questions about a handler's configuration, and its sessions. No state: a session's id holds its `Params`.

Source: istio.io/api mixer/adapter/model/v1beta1/infrastructure_backend.proto. What is wrong is said in the answer's status: any
gRPC error would say only that the adapter is away.
"""

from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.message import DecodeError
from google.rpc.code_pb2 import INVALID_ARGUMENT, OK
from google.rpc.status_pb2 import Status

from gateway_hook.mixer.params import BadParams, check, params_in, session_id
from gateway_hook.wire import backend_pb2 as wire
from gateway_hook.wire.params_pb2 import Params
from wakequeue.settings import Settings

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[bytes, bytes]
    Method = grpc.RpcMethodHandler[bytes, bytes]

_SERVICE: Final = wire.DESCRIPTOR.services_by_name["InfrastructureBackend"]


class Backend:
    """Answers for any handler; with the settings that its Params must fit."""

    service: Final = _SERVICE.full_name

    def __init__(self, settings: Settings) -> None:
        self._idle_after = settings.idle_after

    def methods(self) -> "dict[str, Method]":
        """What the gRPC server serves, by method."""
        answers = {"Validate": self._validate, "CreateSession": self._create_session, "CloseSession": self._close_session}
        return {name: grpc.unary_unary_rpc_method_handler(answer) for name, answer in answers.items()}

    async def _validate(self, data: bytes, _context: "Context") -> bytes:
        try:
            self._params(wire.ValidateRequest, data)
        except BadParams as error:
            return wire.ValidateResponse(status=_refused(error)).SerializeToString()
        return wire.ValidateResponse(status=Status(code=OK)).SerializeToString()

    async def _create_session(self, data: bytes, _context: "Context") -> bytes:
        try:
            session = session_id(self._params(wire.CreateSessionRequest, data))
        except BadParams as error:
            return wire.CreateSessionResponse(status=_refused(error)).SerializeToString()
        return wire.CreateSessionResponse(session_id=session, status=Status(code=OK)).SerializeToString()

    async def _close_session(self, _data: bytes, _context: "Context") -> bytes:
        return wire.CloseSessionResponse(status=Status(code=OK)).SerializeToString()

    def _params(self, kind: Any, data: bytes) -> bytes:  # noqa: ANN401  a class of message that has an adapter_config
        """The Params in a request, checked. Raises BadParams."""
        try:
            config = kind.FromString(data).adapter_config
        except DecodeError as error:
            msg = f"this is no {kind.DESCRIPTOR.full_name}"
            raise BadParams(msg) from error
        params = params_in(config) if config.type_url else b""
        if params is None:
            msg = f"adapter_config: {config.type_url[:140]!r} must be {Params.DESCRIPTOR.full_name}"
            raise BadParams(msg)
        check(params, self._idle_after)
        return params


def _refused(error: BadParams) -> Status:
    return Status(code=INVALID_ARGUMENT, message=str(error))
