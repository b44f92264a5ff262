"""What F4 is measured against, each part alone: an empty gRPC call, a message to the start of its task, a frame to its pong."""

import asyncio
import sys
import time
from typing import Final

from websockets.asyncio.client import connect

from benchmarks.calls import Calls
from benchmarks.empty_task import QUEUE, STARTED, TASK, empty_app
from benchmarks.installation import START_SECONDS, Installation
from wakequeue.reach import Reach

#: How long is waited between two samples, in seconds.
PAUSE: Final = 0.02


def empty_calls(empty: Calls, samples: int) -> list[float]:
    """Seconds from a call of an empty handler to its answer."""
    return list(empty.at_rate(["bench/empty"], samples, 1 / PAUSE).seconds)


def tasks(place: Installation, samples: int) -> list[float]:
    """Seconds from publishing a message to the start of its task, in a worker that runs no other tasks."""
    options = ("--task-events", "--without-gossip", "--without-mingle", "--loglevel=WARNING")
    place.start("empty worker", sys.executable, "-m", "celery", "-A", "benchmarks.empty_task", "--quiet", "worker", *options)
    reach = Reach(place.settings)
    redis, app = reach.client(START_SECONDS, retries=0), empty_app(reach)
    seconds = []
    for number in range(samples + 1):
        time.sleep(PAUSE)
        began = time.perf_counter()
        app.send_task(TASK, queue=QUEUE, retry=False)
        started = redis.blpop([STARTED])
        assert started is not None, "the empty task does not run"
        if number:  # the first one waits for the worker to start
            seconds.append(float(started[1]) - began)
    place.stop("empty worker")
    return seconds


def frames(place: Installation, samples: int) -> list[float]:
    """Seconds from sending a frame to its pong."""

    async def measured() -> list[float]:
        seconds = []
        async with connect(place.receiver.url, compression=None, proxy=None) as websocket:
            for _ in range(samples):
                await asyncio.sleep(PAUSE)
                began = time.perf_counter()
                await websocket.send(b"")
                await (await websocket.ping())
                seconds.append(time.perf_counter() - began)
        return seconds

    return asyncio.run(measured())
