"""How a process of ours is told to stop, and that it does."""

import asyncio
import os
import signal
import threading

from wakequeue.events import Event, warning


def told_to_stop(*also: signal.Signals) -> asyncio.Event:
    """An event of the running loop that SIGTERM, SIGINT and whatever else is named set."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, *also):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told


def end_within(seconds: float) -> None:
    """Have this process end with exit code 1 once so many seconds are over, whatever it still waits for."""

    def end() -> None:
        warning(Event.ENDED_LATE)
        os._exit(1)

    bound = threading.Timer(seconds, end)
    bound.daemon = True
    bound.start()
