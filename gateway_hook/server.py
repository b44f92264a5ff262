"""The front's process: it puts the parts together, says how it is, and drains when told to stop."""

import asyncio
import contextlib
import resource
import socket
import time
import uuid
from collections.abc import Coroutine
from typing import Any, Final

import click
import uvloop

from gateway_hook.doorbell import Doorbell
from gateway_hook.envoy.access_log import AccessLog
from gateway_hook.envoy.ext_authz import ExtAuthz
from gateway_hook.hook import Hook
from gateway_hook.http.port import HttpPort
from gateway_hook.mixer.adapter import Mixer
from gateway_hook.port import Port
from gateway_hook.recorder import Recorder
from wakequeue import broker, traces
from wakequeue.admin import AdminServer
from wakequeue.cluster import access
from wakequeue.cluster.knowledge import Unknown
from wakequeue.cluster.objects import FRONT as MIRRORED
from wakequeue.events import Event, info, warning
from wakequeue.ledger import FrontLedger, WorkerLedger
from wakequeue.logs import configure_logging
from wakequeue.present import Present
from wakequeue.reach import Reach
from wakequeue.setting_sources import load
from wakequeue.settings import Settings
from wakequeue.stopping import end_within, told_to_stop
from wakequeue.telemetry import FRONT

#: How much longer than `drain_within` a front may take to end, for what it has to close after that.
SPARE_SECONDS: Final = 4.0


@click.command()
def hook() -> None:
    """Run the front: answer gateways, record wake-ups."""
    settings = load()
    configure_logging(settings.log_format, "hook")
    uvloop.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    _allow_files()
    told = told_to_stop()
    reach = Reach(settings)
    app = broker.make_app(reach)
    broker.prepare(app)
    mirror = access.mirror(settings, MIRRORED)
    cluster = mirror or Unknown()
    ledger = FrontLedger.connect(reach, settings, broker.QUEUE)
    name = f"{socket.gethostname()}:{uuid.uuid4().hex[:12]}"
    spans = traces.opened(settings, "hook", name)
    doorbell = Doorbell(lambda due: broker.ring(app, list(due), spans, due))
    recorder = Recorder(ledger, doorbell.ring, settings, cluster, name=name)
    calls = Hook(recorder, settings, cluster, spans)
    services = Mixer(calls, settings).handlers() | ExtAuthz(calls, settings).handlers() | AccessLog(calls, settings).handlers()
    port = Port(calls, services, settings)
    http = HttpPort(calls, settings)
    pinged = WorkerLedger.connect(reach, settings, timeout=1.0)
    serving = asyncio.Event()
    admin = AdminServer(
        settings.admin_address,
        live=lambda: {"recorder": recorder.alive, "doorbell": doorbell.alive, "cluster": mirror is None or mirror.alive},
        ready=lambda: {"grpc": serving.is_set(), "redis": pinged.ping()},
        registry=FRONT,
    )
    if mirror:
        await _first_of(mirror.open(), told.wait())
    elif settings.mode == "hold":
        warning(Event.HOLDS_NOTHING)
    await port.open()
    await http.open()
    serving.set()
    present = Present("hook", reach, settings)
    info(Event.STARTED, role="hook", grpc=settings.grpc_address, tls=port.tls, http=settings.http_address, admin_port=admin.port)

    await port.keep_open(told)
    info(Event.DRAINING, role="hook")
    end_within(settings.drain_within + SPARE_SECONDS)
    drained_at = time.monotonic() + settings.drain_within
    serving.clear()
    await asyncio.gather(*(one.close(settings.drain_within * 3 / 4) for one in (port, http)))
    await recorder.close(drained_at - time.monotonic())
    await asyncio.to_thread(doorbell.close, max(drained_at - time.monotonic(), settings.answer_within))
    await ledger.close()
    await asyncio.to_thread(present.close, max(drained_at - time.monotonic(), settings.answer_within))
    if mirror:
        await mirror.close()
    await asyncio.to_thread(spans.close)
    admin.close()


async def _first_of(*waits: Coroutine[Any, Any, object]) -> None:
    """Return once one of them has, and end the others."""
    tasks = [asyncio.create_task(one) for one in waits]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()


def _allow_files() -> None:
    """Have as many open as the system lets: each held HTTP/1.1 request is a connection."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):  # where there is no limit that could be had
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
