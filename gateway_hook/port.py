"""The gRPC port: the services that gateways call, behind the door; kept open until the front is told to stop."""

import asyncio
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from gateway_hook.credentials import server_credentials
from gateway_hook.door import Door
from gateway_hook.hook import Hook
from gateway_hook.quiet import until_quiet
from wakequeue.errors import CannotStart
from wakequeue.events import Event, warning
from wakequeue.settings import Settings

#: Mixer keeps one connection per replica with up to 1,024 calls in flight on it, and a burst comes from several at once. gRPC
#: cancels calls that wait to be accepted beyond its own limits (1,000, and 3,000 hard), which would be HTTP 500 for their users.
#: Each that waits costs some 13 KB, which gRPC keeps.
OPTIONS: Final = (
    ("grpc.so_reuseport", 0),
    ("grpc.server.max_pending_requests", 1 << 14),
    ("grpc.server.max_pending_requests_hard_limit", 1 << 14),
    # A client that pings more often than every 5 minutes while its calls are held is cut off by default, with all of them: Envoy's
    # connection_keepalive does.
    ("grpc.http2.max_ping_strikes", 0),
    # With it, a call counts as in flight for some time after its answer, and one that takes its place is refused.
    ("grpc.http.overload_protection", 0),
)

#: What gRPC's server runs. In grpcio 1.85.1 a call whose path isn't UTF-8 ends it, and the port with it: the process would live on,
#: and answer nobody.
SERVING_COROUTINE: Final = "_server_main_loop"

#: A server that has ended lets go of its address on a thread of gRPC's, in seconds at most; the next one tries so often.
LET_GO_WITHIN: Final = 5.0
TRY_AGAIN_AFTER: Final = 0.01

if TYPE_CHECKING:
    Task = asyncio.Task[Any]
    Handler = grpc.RpcMethodHandler[Any, Any]
    Services = Mapping[str, Mapping[str, Handler]]


class Methods(grpc.GenericRpcHandler):
    """All methods of these services: gRPC asks its generic handlers one after another, for each call."""

    def __init__(self, services: "Services") -> None:
        self._by_path = {f"/{service}/{name}": method for service, methods in services.items() for name, method in methods.items()}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> "Handler | None":
        """The handler of a call; None where it is of no method of ours."""
        return self._by_path.get(handler_call_details.method)


class Port:
    """Serves a hook's protocols at `grpc_address`: handlers by their service and method.

    Raises SettingsError where certificates or tokens can't be used.
    """

    def __init__(self, hook: Hook, services: "Services", settings: Settings) -> None:
        self._hook, self._services, self._settings = hook, services, settings
        self._door, self._credentials = Door(settings), server_credentials(settings)
        self._tasks: set[Task] = set()

    @property
    def tls(self) -> bool:
        """Whether it speaks TLS."""
        return self._credentials is not None

    async def open(self, within: float = 0.0) -> None:
        """Listen, and answer. Raises CannotStart where the address is still taken after so many seconds."""
        self._server, self._health = self._make()
        await self._listen(within)
        before = asyncio.all_tasks()
        await self._server.start()
        begun = asyncio.all_tasks() - before
        # gRPC's own task for this server, which is done only where the server has ended by itself.
        self._tasks = {task for task in begun if getattr(task.get_coro(), "__name__", "") == SERVING_COROUTINE}
        for name in ("", *self._services):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)

    async def keep_open(self, told: asyncio.Event) -> None:
        """Return once the process is told to stop; should gRPC's server end before, another one takes its place."""
        while not await self._told_first(told):
            warning(Event.SERVER_ENDED, error=[repr(task.exception()) for task in self._tasks])
            await self.open(LET_GO_WITHIN)

    async def close(self, within: float) -> None:
        """Say that it closes, go on answering while calls arrive, then end, all within so many seconds."""
        closed_at = time.monotonic() + within
        await self._health.enter_graceful_shutdown()
        # gRPC cancels the calls that it has not yet handed over when it is stopped.
        await until_quiet(self._hook, within / 2)
        # gRPC's server would wait for a stream that is open until its grace is over.
        self._hook.closing.set()
        await self._server.stop(closed_at - time.monotonic())

    def _make(self) -> tuple[grpc.aio.Server, health.aio.HealthServicer]:
        limits = (
            ("grpc.max_concurrent_streams", self._settings.grpc_calls_in_flight),
            ("grpc.max_receive_message_length", self._settings.grpc_message_bytes),
            # Between the two, gRPC would refuse some calls by chance.
            ("grpc.max_metadata_size", self._settings.grpc_metadata_bytes),
            ("grpc.absolute_max_metadata_size", self._settings.grpc_metadata_bytes),
        )
        server = grpc.aio.server(options=OPTIONS + limits, interceptors=self._door.interceptors)
        # Health and reflection register their methods besides. grpcio 1.85.1 waits for the calls of each of these apart; where a
        # server has ended by itself it frees what it waited with while gRPC still writes to that: SIGSEGV.
        server.add_registered_method_handlers = lambda *_: None  # type: ignore[method-assign]
        server.add_generic_rpc_handlers([Methods(self._services)])
        alive = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(alive, server)
        reflection.enable_server_reflection([*self._services, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
        return server, alive

    async def _listen(self, within: float) -> None:
        until = time.monotonic() + within
        while True:
            try:
                return self._take_address()
            except RuntimeError as error:
                if time.monotonic() >= until:
                    msg = f"can't listen on {self._settings.grpc_address} (WAKEQUEUE_GRPC_ADDRESS): is it in use?"
                    raise CannotStart(msg) from error
            await asyncio.sleep(TRY_AGAIN_AFTER)

    def _take_address(self) -> None:
        if self._credentials is None:
            self._server.add_insecure_port(self._settings.grpc_address)
        else:
            self._server.add_secure_port(self._settings.grpc_address, self._credentials)

    async def _told_first(self, told: asyncio.Event) -> bool:
        waiting = asyncio.create_task(told.wait())
        await asyncio.wait({waiting, *self._tasks}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        return told.is_set()
