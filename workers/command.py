"""`wakequeue worker` and `wakequeue flower`: Celery's own commands, with the options that suit wakequeue."""

import os
import socket
import warnings

import click
from celery.exceptions import SecurityWarning

from wakequeue.errors import CannotStart

#: After how long Flower forgets a worker that has gone: each start of one is a new name.
FORGET_WORKER_SECONDS = 60


@click.command()
def worker() -> None:
    """Run a worker: deliver wake-ups to the Autoscaler."""
    from workers.app import app  # noqa: PLC0415  it reads the settings, which `--help` must not need

    # Celery warns root of pickled messages; this application takes none.
    warnings.simplefilter("ignore", SecurityWarning)
    name = f"--hostname=worker-{os.getpid()}@%h"
    app.start(["--quiet", "worker", name, "--task-events", "--without-gossip", "--without-mingle", "--loglevel=WARNING"])


@click.command()
def flower() -> None:
    """Run Flower, which shows the queue and its workers."""
    from workers.app import app, settings  # noqa: PLC0415  as above

    address = settings.flower_address
    try:
        socket.create_server((address.host, address.port)).close()
    except OSError as error:
        msg = f"can't listen on {address} (WAKEQUEUE_FLOWER_ADDRESS): {error.strerror}"
        raise CannotStart(msg) from error
    place = [f"--address={address.host}", f"--port={address.port}"]
    app.start(["flower", *place, "--logging=warning", f"--purge-offline-workers={FORGET_WORKER_SECONDS}"])
