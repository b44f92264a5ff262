"""The consumer: Celery's, which tells Flower of its tasks some times a second, and not of each step of each of them by itself."""

import time
from typing import Any, Final

from celery.worker import consumer

#: For how long after an event further ones are gathered, in seconds. A task has three; to publish each by itself would take as long
#: as all else that Celery does for a doorbell.
GATHERED_FOR: Final = 0.05


class Consumer(consumer.Consumer):
    """As Celery's, whose arguments it takes."""

    #: Celery's event loop; None where there is none, and then nothing is buffered.
    hub: Any
    _flush_events: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  Celery's
        self._flushed_at = 0.0
        super().__init__(*args, **kwargs)

    def on_send_event_buffered(self) -> None:  # type: ignore[override]  # its stub says what a parent class returns
        """Have what is buffered sent soon; any thread calls this, after each event."""
        now = time.monotonic()
        if now >= self._flushed_at:
            self._flushed_at = now + GATHERED_FOR
            self.hub.call_soon(self.hub.call_later, GATHERED_FOR, self._flush_events)

    def on_close(self) -> None:
        """Forget a connection that has ended; what it could not be told, the next one is."""
        self._flush_events()
        super().on_close()

    def shutdown(self) -> None:
        """End, with all that happened said."""
        self._flush_events()
        super().shutdown()
