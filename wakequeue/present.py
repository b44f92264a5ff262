"""A front, a worker or a beat says that it is there, from a thread of its own.

Nothing waits for that but its end, and its errors are nobody's: what an absent Redis means, others tell.
"""

import contextlib
import os
import socket
import threading
import time
import uuid

from wakequeue import __version__
from wakequeue.alike import Role, digests
from wakequeue.ledger.presence import SAY_EVERY, Presence, Presences
from wakequeue.reach import Reach
from wakequeue.settings import Settings

#: How long Redis may take for a word.
WITHIN = 1.0


class Present:
    """Says so from its making to `close`."""

    def __init__(self, role: Role, reach: Reach, settings: Settings) -> None:
        name = f"{socket.gethostname()}:{os.getpid()}"
        self._key = f"{name}:{uuid.uuid4().hex[:12]}"
        self._presence = Presence(name, role, __version__, time.time(), digests(settings, role))
        self._presences = Presences.connect(reach, timeout=WITHIN)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="present", daemon=True)
        self._thread.start()

    def close(self, within: float = 2 * WITHIN) -> None:
        """Say that it is there no more, and end the thread; a Redis that hangs is waited for no longer than `within` seconds."""
        self._closing.set()
        self._thread.join(within)

    def _run(self) -> None:
        while True:
            with contextlib.suppress(Exception):  # whatever it is, there is another word to come
                self._presences.say(self._key, self._presence, time.time())
            if self._closing.wait(SAY_EVERY):
                break
        with contextlib.suppress(Exception):  # as above: it is forgotten all the same
            self._presences.leave(self._key)
        self._presences.client.close()
