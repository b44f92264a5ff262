"""Flower's listener, which hears of tasks again as soon as Redis is back.

Flower's own waits twice as long after each attempt that failed: after an outage of an hour, up to another hour.
"""

import logging
import time
from typing import Final

from celery.events import EventReceiver
from flower.events import Events  # type: ignore[import-untyped]

#: How long after it has failed it listens again, in seconds.
AGAIN_AFTER: Final = 1.0

logger = logging.getLogger(__name__)


def install() -> None:
    """Have Flower, should this process become one, listen so."""
    Events.run = _listen


def _listen(self: Events) -> None:
    while True:
        try:
            with self.capp.connection() as connection:
                connection.ensure_connection()
                receiver = EventReceiver(connection, handlers={"*": self.on_event}, app=self.capp)
                receiver.capture(limit=None, timeout=None, wakeup=True)
        except Exception as error:  # noqa: BLE001  whatever it is, Flower is to hear of tasks
            logger.warning("Flower hears of no tasks, and listens again: %s", error)
        time.sleep(AGAIN_AFTER)
