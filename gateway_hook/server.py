"""The front's process: it listens, says how it is, and drains when told to stop."""

import asyncio
import socket
import time
import uuid
from typing import Final

import click
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from gateway_hook import mixer
from gateway_hook.credentials import server_credentials
from gateway_hook.door import Door
from gateway_hook.doorbell import Doorbell
from gateway_hook.recorder import Recorder
from wakequeue import broker
from wakequeue.admin import AdminServer
from wakequeue.errors import CannotStart
from wakequeue.ledger import FrontLedger, WorkerLedger
from wakequeue.reach import Reach
from wakequeue.settings import Settings, load
from wakequeue.stopping import told_to_stop
from wakequeue.telemetry import FRONT, Event, configure_logging, info

#: Mixer keeps one connection per replica with up to 1,024 calls in flight on it, and a burst comes from several at once. gRPC
#: cancels calls that wait to be accepted beyond its own limits (1,000, and 3,000 hard), which would be HTTP 500 for their users.
OPTIONS: Final = (
    ("grpc.so_reuseport", 0),
    ("grpc.server.max_pending_requests", 1 << 16),
    ("grpc.server.max_pending_requests_hard_limit", 1 << 16),
    # With it, a call counts as in flight for some time after its answer, and one that takes its place is refused.
    ("grpc.http.overload_protection", 0),
)

#: A front that is told to stop is quiet when no call came for so long.
QUIET_SECONDS: Final = 0.2


@click.command()
def hook() -> None:
    """Run the front: answer gateways, record wake-ups."""
    settings = load()
    configure_logging()
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    told = told_to_stop()
    door, credentials = Door(settings), server_credentials(settings)
    reach = Reach(settings)
    app = broker.make_app(reach)
    ledger = FrontLedger.connect(reach, settings, broker.QUEUE)
    doorbell = Doorbell(lambda revisions: broker.ring(app, revisions))
    recorder = Recorder(ledger, doorbell.ring, settings, name=f"{socket.gethostname()}:{uuid.uuid4().hex[:12]}")
    pinged = WorkerLedger.connect(reach, settings, timeout=1.0)
    serving = asyncio.Event()
    admin = AdminServer(
        settings.admin_address,
        live=lambda: {"recorder": recorder.alive, "doorbell": doorbell.alive},
        ready=lambda: {"grpc": serving.is_set(), "redis": pinged.ping()},
        registry=FRONT,
    )
    adapter = mixer.Mixer(recorder, settings)
    server, alive = _server(adapter, door, settings)
    _listen(server, credentials, settings)
    await server.start()
    for name in ("", mixer.SERVICE):
        await alive.set(name, health_pb2.HealthCheckResponse.SERVING)
    serving.set()
    info(Event.STARTED, role="hook", grpc=settings.grpc_address, tls=credentials is not None, admin_port=admin.port)

    await told.wait()
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


def _server(adapter: mixer.Mixer, door: Door, settings: Settings) -> tuple[grpc.aio.Server, health.aio.HealthServicer]:
    limits = (
        ("grpc.max_concurrent_streams", settings.grpc_calls_in_flight),
        ("grpc.max_receive_message_length", settings.grpc_message_bytes),
        # Between the two, gRPC would refuse some calls by chance.
        ("grpc.max_metadata_size", settings.grpc_metadata_bytes),
        ("grpc.absolute_max_metadata_size", settings.grpc_metadata_bytes),
    )
    server = grpc.aio.server(options=OPTIONS + limits, interceptors=[door])
    server.add_generic_rpc_handlers([adapter.handler()])
    alive = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(alive, server)
    reflection.enable_server_reflection([mixer.SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    return server, alive


def _listen(server: grpc.aio.Server, credentials: grpc.ServerCredentials | None, settings: Settings) -> None:
    try:
        if credentials is None:
            server.add_insecure_port(settings.grpc_address)
        else:
            server.add_secure_port(settings.grpc_address, credentials)
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
