"""How a process of ours is told to stop."""

import asyncio
import signal


def told_to_stop(*also: signal.Signals) -> asyncio.Event:
    """An event of the running loop that SIGTERM, SIGINT and whatever else is named set."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, *also):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    return told
