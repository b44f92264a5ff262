"""The worker's process: the Celery application, and what lives as long as its worker.

`celery -A workers.app worker` (or inspect, flower, ...) works as for any Celery application; `wakequeue worker` is the same
with the options that suit it: events for Flower, and none of the chatter between workers.
"""

import functools
import os
import socket
import sys
import uuid
from typing import NoReturn

from celery import Celery, signals
from celery.apps import worker as celery_worker

from wakequeue import broker, traces
from wakequeue.admin import AdminServer
from wakequeue.cluster import access
from wakequeue.cluster.knowledge import Unknown
from wakequeue.cluster.objects import WORKER as MIRRORED
from wakequeue.codecs import codec_for
from wakequeue.errors import SettingsError
from wakequeue.events import Event, info
from wakequeue.ledger import Starts, WorkerLedger
from wakequeue.logs import configure_logging, say_at_once
from wakequeue.present import Present
from wakequeue.reach import Reach
from wakequeue.setting_shown import masked
from wakequeue.setting_sources import load
from wakequeue.settings import Settings
from wakequeue.stopping import end_within
from wakequeue.telemetry import WORKER
from wakequeue.traces import Traces
from workers import tasks
from workers.autoscaler import AutoscalerConnection
from workers.deliver import Deliverer
from workers.hastener import Hastener
from workers.mirroring import Mirroring
from workers.others import leave_to_others
from workers.scheduled import Scheduled
from workers.sweep import Sweep
from workers.watchdog import Watchdog


class Worker:
    """What a worker's process owns besides Celery."""

    def __init__(self, app: Celery, settings: Settings) -> None:
        codec = codec_for(settings.knative_release)
        name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
        self.traces = traces.opened(settings, "worker", name)
        self.ledger = WorkerLedger.connect(reach, settings, holder=name)
        self.autoscaler = AutoscalerConnection(settings.autoscaler_endpoint, settings, joins=codec.joins)
        hastener = Hastener(self.ledger, lambda: self.autoscaler.connections)
        mirror = access.mirror(settings, MIRRORED)
        self.mirroring = Mirroring(mirror) if mirror else None
        cluster = mirror or Unknown()
        self.deliverer = Deliverer(self.ledger, self.autoscaler, codec, settings, hastener, cluster, traces=self.traces)
        self.watchdog = Watchdog(settings.stuck_after)
        ring = functools.partial(broker.ring, app, traces=self.traces)
        self.scheduled = Scheduled(Starts.connect(reach, settings, broker.QUEUE), ring, cluster, settings)
        self.sweep = Sweep(self.ledger, ring, settings, self.watchdog, hastener, lambda: self.autoscaler.connected)
        self.consumes = False
        self.admin = AdminServer(settings.admin_address, live=self._live, ready=self._ready, registry=WORKER)
        if self.mirroring:
            self.mirroring.wait()
        self.present = Present("worker", reach, settings)

    def close(self) -> None:
        """Stop, in the reverse order; that it is gone is said last, for a Redis that hangs is waited for."""
        self.sweep.close()
        self.autoscaler.close()
        if self.mirroring:
            self.mirroring.close()
        self.traces.close()
        self.admin.close()
        self.ledger.client.close()
        self.present.close()

    def _live(self) -> dict[str, bool]:
        live = {"sender": self.autoscaler.alive, "sweep": self.sweep.alive, "consumer": not self.watchdog.stuck}
        return live | ({"cluster": self.mirroring.alive} if self.mirroring else {})

    def _ready(self) -> dict[str, bool]:
        return {"redis": self.ledger.ping(), "autoscaler": self.autoscaler.connected, "consumer": self.consumes}


def _refuse(reason: object, *, code: int = 2) -> NoReturn:
    """End a process that Celery's own command line runs, as `wakequeue.cli` ends ours."""
    print(f"wakequeue: {reason}", file=sys.stderr)
    sys.exit(code)


try:
    settings = load()
    reach = Reach(settings)
    if "flower" in sys.argv:  # and in no other process: a worker needs none of what Flower brings
        from workers import broker_page, flower_door, flower_end, flower_listener

        broker_page.install(reach)
        flower_door.install(settings)
        flower_end.install()
        flower_listener.install()
except SettingsError as error:
    _refuse(error)
app = broker.make_app(reach)
app.conf.worker_consumer = "workers.consumer:Consumer"
_worker: Worker | None = None


def _deliverer() -> Deliverer:
    assert _worker is not None, "a task ran before worker_init"
    _worker.watchdog.delivering()
    leave_to_others(_worker.ledger, connected=_worker.autoscaler.connected)
    return _worker.deliverer


def _scheduled() -> Scheduled:
    assert _worker is not None, "a task ran before worker_init"
    return _worker.scheduled


def _traces() -> Traces:
    assert _worker is not None, "a task ran before worker_init"
    return _worker.traces


tasks.register(app, _deliverer, _scheduled, _traces)


@signals.setup_logging.connect
def _log(**_signal: object) -> None:
    """In the form that is set, what Celery says while it handles a signal too."""
    configure_logging(settings.log_format, "worker")
    celery_worker.safe_say = say_at_once  # type: ignore[attr-defined]


@signals.worker_init.connect
def _begin(**_signal: object) -> None:
    global _worker  # noqa: PLW0603  Celery's signals carry no state of ours
    if not settings.autoscaler_endpoint:
        _refuse("WAKEQUEUE_AUTOSCALER_ENDPOINT is not set: it says where reports go (`wakequeue up` brings a stand-in)")
    _log()
    try:
        _worker = Worker(app, settings)
    except Exception as error:  # noqa: BLE001  Celery would swallow it, and run on with nothing to deliver with
        _refuse(error, code=1)


@signals.worker_ready.connect
def _say_ready(**_signal: object) -> None:
    assert _worker is not None
    _worker.consumes = True
    info(Event.STARTED, role="worker", autoscaler=masked(settings.autoscaler_endpoint), admin_port=_worker.admin.port)


@signals.worker_shutting_down.connect
def _bound_the_stop(**_signal: object) -> None:
    """Celery would wait for a Redis that hangs; what is left undone, another worker does."""
    end_within(settings.drain_within)


@signals.worker_shutdown.connect
def _end(**_signal: object) -> None:
    if _worker is not None:
        _worker.close()
