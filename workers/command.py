"""`wakequeue worker`: Celery's worker, with the options that suit wakequeue."""

import os
import signal
import socket
import sys
import warnings

import click
from celery.exceptions import SecurityWarning

from wakequeue.lasting import lasting


@click.command()
def worker() -> None:
    """Run a worker: deliver wake-ups to the Autoscaler."""
    # Until Celery does something about it: process 1 of a container, where nothing does, ignores it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with lasting():
        from workers.app import app  # noqa: PLC0415  it reads the settings, which `--help` must not need
    # Celery warns root of pickled messages; this application takes none.
    warnings.simplefilter("ignore", SecurityWarning)
    name = f"worker-{os.getpid()}@{socket.gethostname()}"
    # As Celery's command would, without importing all of Celery's other commands and Flower: 12 MB less.
    run = app.Worker(hostname=name, task_events=True, without_gossip=True, without_mingle=True, loglevel="WARNING", quiet=True)
    run.start()
    sys.exit(run.exitcode)
