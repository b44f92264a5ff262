"""`wakequeue worker` and `wakequeue flower`: Celery's own commands, with the options that suit wakequeue."""

import click


@click.command()
def worker() -> None:
    """Run a worker: deliver wake-ups to the Autoscaler."""
    from workers.app import app  # noqa: PLC0415  it reads the settings, which `--help` must not need

    app.start(["--quiet", "worker", "--task-events", "--without-gossip", "--without-mingle", "--loglevel", "WARNING"])


@click.command()
def flower() -> None:
    """Run Flower, which shows the queue and its workers."""
    from workers.app import app, settings  # noqa: PLC0415  as above

    address = settings.flower_address
    app.start(["flower", f"--address={address.host}", f"--port={address.port}", "--logging=warning"])
