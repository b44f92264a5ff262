"""Flower's end: it keeps what it saw, and waits for no answer any more.

What it asks workers, and of an absent Redis, is waited for in threads, and Python would wait for every one of them before it has
Flower save its history: longer than a pod that is stopped has, and without end while Redis is away.
"""

import os
import sys

from flower.app import Flower  # type: ignore[import-untyped]


def install() -> None:
    """Have Flower, should this process become one, end so."""
    start = Flower.start

    def start_and_end(self: Flower) -> None:
        try:
            start(self)
        except (KeyboardInterrupt, SystemExit):  # as it is told to stop
            self.stop()
            sys.stderr.flush()
            os._exit(0)

    Flower.start = start_and_end
