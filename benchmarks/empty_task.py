"""A task that only says when it started: `celery -A benchmarks.empty_task worker`, with wakequeue's configuration of Celery."""

import time
from typing import Final

from celery import Celery

from wakequeue.broker import make_app
from wakequeue.reach import Reach
from wakequeue.setting_sources import load

TASK: Final = "benchmarks.start"
QUEUE: Final = "benchmarks"

#: A list in Redis: when the task started, each time (`time.perf_counter`).
STARTED: Final = "benchmarks:started"


def empty_app(reach: Reach) -> Celery:
    """The application, for who publishes and for who consumes."""
    app = make_app(reach)
    app.conf.update(task_default_queue=QUEUE, task_queues={QUEUE: {}}, worker_consumer="workers.consumer:Consumer")
    return app


reach = Reach(load())
redis = reach.client(5.0, retries=0)
app = empty_app(reach)


@app.task(name=TASK)
def start() -> None:
    """Say when it started."""
    redis.rpush(STARTED, repr(time.perf_counter()))
