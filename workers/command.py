"""`wakequeue worker` and `wakequeue flower`: Celery's own commands, with the options that suit wakequeue."""

import os
import socket
import sys
import warnings
from socket import AF_INET, AF_INET6
from typing import NoReturn

import click
from celery.bin.celery import celery
from celery.exceptions import SecurityWarning

from wakequeue.errors import CannotStart
from wakequeue.logs import configure_logging


@click.command()
def worker() -> None:
    """Run a worker: deliver wake-ups to the Autoscaler."""
    # Celery warns root of pickled messages; this application takes none.
    warnings.simplefilter("ignore", SecurityWarning)
    name = f"--hostname=worker-{os.getpid()}@%h"
    _run("worker", name, "--task-events", "--without-gossip", "--without-mingle", "--loglevel=WARNING")


@click.command()
def flower() -> None:
    """Run Flower, which shows the queue and its workers."""
    from workers.app import settings  # noqa: PLC0415  it reads the settings, which `--help` must not need

    address = settings.flower_address
    try:
        socket.create_server((address.host, address.port), family=AF_INET6 if ":" in address.host else AF_INET).close()
    except OSError as error:
        msg = f"can't listen on {address} (WAKEQUEUE_FLOWER_ADDRESS): {error.strerror}"
        raise CannotStart(msg) from error
    configure_logging(settings.log_format, "flower")
    _run("flower")


def _run(*arguments: str) -> NoReturn:
    """End with the exit code of a command of Celery's, which `Celery.start` would drop: a supervisor goes by it."""
    sys.exit(celery.main(args=["-A", "workers.app", "--quiet", *arguments], standalone_mode=False))
