"""`wakequeue beat`, and its process: Celery's beat with a scheduler of ours, and its admin port. Nothing of a worker is in it."""

import os
import signal
import socket
import sys
import uuid
from functools import partial
from typing import Any, NoReturn

import click
from celery.beat import Scheduler, Service

from wakequeue import broker, traces
from wakequeue.admin import AdminServer
from wakequeue.events import Event, info
from wakequeue.ledger import Starts
from wakequeue.logs import configure_logging
from wakequeue.present import Present
from wakequeue.reach import Reach
from wakequeue.setting_sources import load
from wakequeue.settings import Settings
from wakequeue.telemetry import BEAT
from workers.beat import Beat


class LedgerScheduler(Scheduler):
    """Celery's scheduler with a beat of ours: no file says what ran last, but the ledger."""

    def __init__(self, beat: Beat, **celerys: Any) -> None:  # noqa: ANN401  what Celery's own takes
        super().__init__(**celerys)
        self._beat = beat

    def setup_schedule(self) -> None:
        """Nothing: schedules are in the settings."""

    def tick(self) -> float:  # type: ignore[override]
        """One tick of the beat; returns for how many seconds Celery may sleep."""
        return self._beat.tick()

    def close(self) -> None:
        """Have another beat lead."""
        self._beat.stand_down()
        super().close()


@click.command()
def beat() -> None:
    """Run a beat: have workers start what the schedules say."""
    run(load())


def run(settings: Settings) -> None:
    """Beat until SIGTERM or SIGINT. Raises CannotStart where the admin port can't be served."""
    configure_logging(settings.log_format, "beat")
    reach = Reach(settings)
    app, starts = broker.make_app(reach), Starts.connect(reach, settings, broker.QUEUE)
    name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:12]}"
    spans = traces.opened(settings, "beat", name)
    ours = Beat(name, starts, partial(broker.send_start, app, traces=spans), settings)
    admin = AdminServer(
        settings.admin_address,
        live=lambda: {"beat": ours.alive},
        ready=lambda: {"redis": ours.ledger_answers},
        registry=BEAT,
    )
    present = Present("beat", reach, settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _end)
    info(Event.STARTED, role="beat", schedules=len(settings.schedules), admin_port=admin.port)
    if not settings.schedules:
        info(Event.NO_SCHEDULES)
    Service(app, scheduler_cls=partial(LedgerScheduler, ours)).start()  # type: ignore[arg-type]
    spans.close()
    admin.close()
    present.close()


def _end(*_signal: object) -> NoReturn:
    """Celery's beat takes this for the wish to stop, whatever it does at the moment."""
    sys.exit()
