"""The front's process: it listens, says how it is, and drains when told to stop."""

import asyncio
import socket
import time
import uuid
from typing import TYPE_CHECKING, Any, Final

import click
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from gateway_hook import mixer
from gateway_hook.doorbell import Doorbell
from gateway_hook.recorder import Recorder
from wakequeue import broker
from wakequeue.admin import AdminServer
from wakequeue.embedded import redis_url
from wakequeue.errors import CannotStart
from wakequeue.ledger import FrontLedger, WorkerLedger
from wakequeue.settings import Settings, load
from wakequeue.stopping import told_to_stop
from wakequeue.telemetry import FRONT, Event, configure_logging, info, warning

#: Mixer keeps one connection per replica with up to 1,024 calls in flight on it, and a burst comes from several at once. gRPC
#: cancels calls that wait to be accepted beyond its own limits (1,000, and 3,000 hard), which would be HTTP 500 for their users.
OPTIONS: Final = (
    ("grpc.so_reuseport", 0),
    ("grpc.max_concurrent_streams", 1 << 16),
    ("grpc.max_receive_message_length", 1 << 20),
    ("grpc.server.max_pending_requests", 1 << 16),
    ("grpc.server.max_pending_requests_hard_limit", 1 << 16),
)

#: A front that is told to stop is quiet when no call came for so long.
QUIET_SECONDS: Final = 0.2

#: What gRPC's server runs. In grpcio 1.85.1 a call whose path isn't UTF-8 ends it, and the port with it: the process would live on,
#: and answer nobody.
SERVING_COROUTINE: Final = "_server_main_loop"

if TYPE_CHECKING:
    Task = asyncio.Task[Any]


@click.command()
def hook() -> None:
    """Run the front: answer gateways, record wake-ups."""
    settings = load()
    configure_logging()
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    told = told_to_stop()
    url = redis_url(settings)
    app = broker.make_app(url)
    ledger = FrontLedger.connect(url, settings, broker.QUEUE)
    doorbell = Doorbell(lambda revisions: broker.ring(app, revisions))
    recorder = Recorder(ledger, doorbell.ring, settings, name=f"{socket.gethostname()}:{uuid.uuid4().hex[:12]}")
    pinged = WorkerLedger.connect(url, timeout=1.0)
    serving = asyncio.Event()
    admin = AdminServer(
        settings.admin_address,
        live=lambda: {"recorder": recorder.alive, "doorbell": doorbell.alive},
        ready=lambda: {"grpc": serving.is_set(), "redis": pinged.ping()},
        registry=FRONT,
    )
    adapter = mixer.Mixer(recorder, settings)
    server, alive, loop = await _start(adapter, settings)
    serving.set()
    info(Event.STARTED, role="hook", grpc=settings.grpc_address, admin_port=admin.port)

    while not await _told_first(told, loop):
        warning(Event.SERVER_ENDED, error=[repr(task.exception()) for task in loop])
        server, alive, loop = await _start(adapter, settings)
    info(Event.DRAINING, role="hook")
    drained_at = time.monotonic() + settings.drain_within
    serving.clear()
    await alive.enter_graceful_shutdown()
    await _until_quiet(adapter, settings.drain_within / 2)
    await server.stop((drained_at - time.monotonic()) / 2)
    await recorder.close(drained_at - time.monotonic())
    await asyncio.to_thread(doorbell.close, max(drained_at - time.monotonic(), settings.answer_within))
    await ledger.close()
    admin.close()


async def _start(adapter: mixer.Mixer, settings: Settings) -> "tuple[grpc.aio.Server, health.aio.HealthServicer, set[Task]]":
    """A server that answers; and gRPC's own task for it, which is done only where the server has ended by itself."""
    server, alive = _server(adapter)
    _listen(server, settings)
    before = asyncio.all_tasks()
    await server.start()
    begun = asyncio.all_tasks() - before
    for name in ("", mixer.SERVICE):
        await alive.set(name, health_pb2.HealthCheckResponse.SERVING)
    return server, alive, {task for task in begun if getattr(task.get_coro(), "__name__", "") == SERVING_COROUTINE}


async def _told_first(told: asyncio.Event, serving: "set[Task]") -> bool:
    """Wait until the process is told to stop, or its server has ended; say whether it was told."""
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait({waiting, *serving}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    return told.is_set()


def _server(adapter: mixer.Mixer) -> tuple[grpc.aio.Server, health.aio.HealthServicer]:
    server = grpc.aio.server(options=OPTIONS)
    server.add_generic_rpc_handlers([adapter.handler()])
    alive = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(alive, server)
    reflection.enable_server_reflection([mixer.SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    return server, alive


def _listen(server: grpc.aio.Server, settings: Settings) -> None:
    try:
        server.add_insecure_port(settings.grpc_address)
    except RuntimeError as error:
        msg = f"can't listen on {settings.grpc_address} (WAKEQUEUE_GRPC_ADDRESS): is it in use?"
        raise CannotStart(msg) from error


async def _until_quiet(adapter: mixer.Mixer, within: float) -> None:
    """Go on answering while calls arrive: gRPC cancels those that it has not yet handed over when it is stopped."""
    deadline = time.monotonic() + within
    answered = -1
    while adapter.answered != answered and time.monotonic() < deadline:
        answered = adapter.answered
        await asyncio.sleep(QUIET_SECONDS)
