"""The one task. It unpacks, delivers and returns; what it finds is in the ledger, not in its message."""

from collections.abc import Callable, Sequence
from dataclasses import asdict

from celery import Celery
from celery.app.task import Task
from celery.exceptions import Retry

from wakequeue.broker import DELIVER
from wakequeue.errors import Retryable
from wakequeue.revision import Revision
from workers.deliver import Deliverer


def register(app: Celery, deliverer: Callable[[], Deliverer]) -> "Task[[Sequence[str]], dict[str, int]]":
    """Give the application its task; `deliverer` is asked for once the worker runs."""

    @app.task(name=DELIVER, acks_late=True, ignore_result=True)
    def deliver(names: Sequence[str]) -> dict[str, int]:
        """Deliver the wake-ups of these Revisions, as far as they are due."""
        try:
            return asdict(deliverer().deliver([Revision.parse(name) for name in names]))
        except Retryable as error:
            # The ledger holds the wake-ups and the sweep rings again: this only has Flower show what happened.
            raise Retry(message=f"released: {error}", exc=error) from error

    return deliver
