"""A primary Redis, its replica, and the Sentinels that watch them: what a fail-over needs."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from redis import Redis
from redis.exceptions import RedisError

from support.processes import Process, free_port
from support.redis_server import RedisServer
from support.waiting import wait_until
from wakequeue.embedded import server_command

NAME = "main"

#: A primary that is silent for so long, in milliseconds, is thought dead: by default soon, for a test that has one fail over.
DOWN_AFTER = 500

#: For one whose primary is to stay what it is, however busy the machine.
NEVER_DOWN = 3_600_000


class Sentinels:
    """Three Sentinels over two servers; `primary` is the one that was made so."""

    def __init__(self, folder: Path, *, password: str = "", own_password: str = "", down_after: int = DOWN_AFTER) -> None:
        self._stack, self._down_after = ExitStack(), down_after
        self.ports = [free_port() for _ in range(3)]
        self._password, self._own_password = password, own_password
        self._servers = [free_port() for _ in range(2)]
        self.primary, self.replica = (self._server(number) for number in range(2))
        self._sentinels = [self._sentinel(folder / f"sentinel-{port}", port) for port in self.ports]
        self._clients = [Redis(port=port, password=own_password or None) for port in self.ports]
        wait_until(self._agree, 30, "the Sentinels to know each other and the replica")

    def url(self, *, credentials: str = "") -> str:
        """The URL that wakequeue takes; the first Sentinel of it is not there."""
        hosts = ",".join(f"127.0.0.1:{port}" for port in (free_port(), *self.ports))
        return f"sentinel://{credentials}{hosts}/{NAME}"

    def close(self) -> None:
        """End all."""
        for client in self._clients:
            client.close()
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _server(self, number: int) -> RedisServer:
        of = ("--replicaof", "127.0.0.1", str(self._servers[0])) if number else ()
        auth = ("--primaryauth", self._password) if self._password else ()
        port = ("--bind", "127.0.0.1", "--port", str(self._servers[number]))
        return self._stack.enter_context(RedisServer(*port, *of, *auth, password=self._password))

    def _sentinel(self, folder: Path, port: int) -> Process:
        folder.mkdir()
        lines = [
            "bind 127.0.0.1",
            f"port {port}",
            f"dir {folder}",
            f"sentinel monitor {NAME} 127.0.0.1 {self._servers[0]} 2",
            f"sentinel down-after-milliseconds {NAME} {self._down_after}",
            f"sentinel failover-timeout {NAME} 3000",
            *([f"sentinel auth-pass {NAME} {self._password}"] if self._password else []),
            *([f"requirepass {self._own_password}", f"sentinel sentinel-pass {self._own_password}"] if self._own_password else []),
        ]
        (folder / "sentinel.conf").write_text("\n".join(lines))
        binary = server_command(str(folder))[0]
        return self._stack.enter_context(Process([binary, str(folder / "sentinel.conf"), "--sentinel"], {}))

    def _agree(self) -> bool:
        for client in self._clients:
            try:
                state = client.sentinel_master(NAME)
            except (RedisError, OSError):
                return False
            if (state["num-slaves"], state["num-other-sentinels"]) != (1, 2):
                return False
        return True
