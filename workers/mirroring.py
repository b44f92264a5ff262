"""The worker's mirror of the cluster, on an event loop in a thread of its own."""

import asyncio
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what it imports comes with an extra
    from wakequeue.cluster.mirror import Mirror


class Mirroring:
    """Keeps a mirror from its making to `close`."""

    def __init__(self, mirror: "Mirror") -> None:
        self._mirror, self._loop = mirror, asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cluster", daemon=True)
        self._thread.start()
        self._opening = asyncio.run_coroutine_threadsafe(mirror.open(), self._loop)

    def wait(self) -> None:
        """Wait for the first lists, as far as the mirror does."""
        self._opening.result()

    @property
    def alive(self) -> bool:
        """Whether the thread and the mirror go on; a defect alone can end them before `close`."""
        return self._thread.is_alive() and self._mirror.alive

    def close(self) -> None:
        """End the mirror and the thread."""
        self._opening.cancel()
        asyncio.run_coroutine_threadsafe(self._mirror.close(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
