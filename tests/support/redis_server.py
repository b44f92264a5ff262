"""A real Redis server of a test's own: the one that wakequeue embeds, in a folder of its own."""

import os
import shutil
import signal
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from redis import Redis
from redis.exceptions import RedisError

from support.processes import Process
from support.waiting import wait_until
from wakequeue.embedded import server_command, socket_path
from wakequeue.reach import Reach
from wakequeue.redis_url import RedisUrl
from wakequeue.settings import Settings


class RedisServer:
    """Started with the object; its data survive `kill` and `start`, and go with `close`.

    `url` has the credentials that its clients must have: of the user whom the options make, or the password of all.
    """

    def __init__(self, *options: str, user: tuple[str, str] = ("", ""), password: str = "") -> None:
        self.data_dir = Path(tempfile.mkdtemp(prefix="wakequeue-"))
        self.socket = socket_path(str(self.data_dir))
        credentials = ":".join(quote(part, safe="") for part in (user if user[0] else ("", password)))
        self.url = f"unix://{credentials}@{self.socket}" if credentials != ":" else f"unix://{self.socket}"
        self.reach = Reach(Settings(redis_url=RedisUrl(self.url)))
        self.client = Redis.from_url(self.url)
        self._options = (*options, "--requirepass", password) if password else options
        self.start()

    def start(self) -> None:
        """Start, and wait until it answers."""
        self._process = Process([*server_command(str(self.data_dir)), *self._options], env=os.environ)
        wait_until(self._answers, what="Redis")

    def kill(self) -> None:
        """End it by SIGKILL, as a crash would."""
        self._process.kill()
        self._process.__exit__(None, None, None)

    def pause(self) -> None:
        """Stop it without closing its connections."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused one go on."""
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it and remove its data."""
        self.client.close()
        self._process.__exit__(None, None, None)
        shutil.rmtree(self.data_dir)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except (RedisError, OSError):
            return False
