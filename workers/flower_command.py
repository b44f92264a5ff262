"""`wakequeue flower`: Celery's own command, once the port is known to be free."""

import socket
import sys
from socket import AF_INET, AF_INET6

import click
from celery.bin.celery import celery

from wakequeue.errors import CannotStart
from wakequeue.logs import configure_logging


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
    # With its exit code, which `Celery.start` would drop: a supervisor goes by it.
    sys.exit(celery.main(args=["-A", "workers.app", "--quiet", "flower"], standalone_mode=False))
