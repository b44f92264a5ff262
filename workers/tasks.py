"""The two tasks. Each unpacks, has it done and returns; what is to be delivered is in the ledger, not in a message."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from celery import Celery, Task
from celery.exceptions import Reject, Retry

from wakequeue.broker import DELIVER, START
from wakequeue.errors import LeftToOthers, Retryable
from wakequeue.revision import Revision
from wakequeue.traces import Traces
from workers.deliver import Deliverer
from workers.scheduled import Scheduled


def register(
    app: Celery, deliverer: Callable[[], Deliverer], scheduled: Callable[[], Scheduled], traces: Callable[[], Traces]
) -> None:
    """Give the application its tasks; `deliverer`, `scheduled` and `traces` are asked for once the worker runs.

    `deliverer` raises LeftToOthers where another worker is to deliver, and LedgerUnavailable where Redis is away.
    """

    @app.task(name=DELIVER, bind=True, acks_late=True, ignore_result=True)
    def deliver(task: "Task[Any, Any]", names: Sequence[str]) -> dict[str, int]:
        """Deliver the wake-ups of these Revisions, as far as they are due."""
        try:
            with traces().run(DELIVER, task.request.headers or {}):
                return asdict(deliverer().deliver([Revision.parse(name) for name in names]))
        except Retryable as error:
            # The ledger holds the wake-ups and the sweep rings again: this only has Flower show what happened.
            raise Retry(message=f"released: {error}", exc=error) from error
        except LeftToOthers as error:
            raise Reject(error, requeue=True) from error

    @app.task(name=START, bind=True, acks_late=True, ignore_result=True)
    def start(task: "Task[Any, Any]", schedule: str, at: float) -> dict[str, int]:
        """Make the start of a schedule at a time, in Unix seconds, unless that was done."""
        try:
            with traces().run(START, task.request.headers or {}):
                return asdict(scheduled().start(schedule, at))
        except Retryable as error:
            # As above; here it is the beat that asks again.
            raise Retry(message=f"not yet: {error}", exc=error) from error
