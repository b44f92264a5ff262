"""`wakequeue up`: everything on one machine, kept running until Ctrl-C.

Redis (embedded, unless one is set), a stand-in Autoscaler (unless one is set), the front, a worker, a beat (where there are
schedules) and Flower, each in a process of its own. The admin address serves the metrics of front, worker and beat together, with
a label `role`. Their lines are for people, each with its process's name, unless `log_format` is json: then all are JSON.
"""

import asyncio
import contextlib
import fcntl
import random
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import click
from prometheus_client import CollectorRegistry
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from wakequeue.admin import AdminServer
from wakequeue.broker import QUEUE
from wakequeue.child import Child
from wakequeue.embedded import server_command
from wakequeue.errors import CannotStart, LedgerUnavailable
from wakequeue.ledger import WorkerLedger
from wakequeue.logs import passed_on
from wakequeue.merged import MergedMetrics, fetch
from wakequeue.reach import Reach
from wakequeue.setting_shown import masked
from wakequeue.setting_sources import load
from wakequeue.setting_types import Address
from wakequeue.settings import Settings
from wakequeue.status import table
from wakequeue.stopping import told_to_stop

START_SECONDS: Final = 30.0
#: How long a Redis that somebody else runs may take to answer at first.
REDIS_SECONDS: Final = 5.0
OK: Final = 200
PORTS: Final = (20_000, 32_000)
#: The roles that have an admin port, in the order in which they start, and what it says of each that does its work.
READY: Final = {"worker": "consumer: ok", "hook": "grpc: ok", "beat": "redis: ok"}
COLOURS: Final = {
    "redis": "red",
    "autoscaler": "magenta",
    "hook": "cyan",
    "worker": "green",
    "beat": "blue",
    "flower": "yellow",
    "up": "bold",
}


@click.command()
def up() -> None:
    """Run everything on this machine until Ctrl-C: Redis, front, worker, Flower, and a stand-in Autoscaler."""
    settings = load()
    with _only_one(settings):
        asyncio.run(Up(settings).run())


class Up:
    """The processes of one machine, in the order in which they start."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._console = Console(highlight=False)
        self._as_json = settings.log_format == "json"
        roles = ("hook", "worker", "beat") if settings.schedules else ("hook", "worker")
        self._admin_ports = {role: free_port() for role in roles}
        self._endpoint = settings.autoscaler_endpoint or f"ws://127.0.0.1:{free_port()}"
        self._ledger = WorkerLedger.connect(Reach(settings), settings, timeout=0.5)

    async def run(self) -> None:
        """Start everything, wait for Ctrl-C or SIGTERM, stop everything in the reverse order."""
        told = told_to_stop(signal.SIGHUP)
        started: list[Child] = []
        admin = self._admin()
        try:
            with self._live():
                for stage in self._stages():
                    started += stage
                    if await self._stopped_before(told, asyncio.gather(*(child.start(START_SECONDS) for child in stage))):
                        return
                self._say_ready()
                await told.wait()
        finally:
            self.say("up", "stopping")
            for child in reversed(started):
                await child.stop(self._settings.drain_within + 2)
            admin.close()
            self.say("up", "stopped")

    def say(self, name: str, line: str) -> None:
        """Print a line of one of the processes, as long as there is anyone to read it."""
        with contextlib.suppress(OSError):
            if self._as_json:
                click.echo(passed_on(name, line))
            elif self._console.is_terminal:
                self._console.print(Text.assemble((f"{name:>10} ", COLOURS[name]), line), soft_wrap=True)
            else:
                click.echo(f"{name} | {line}")

    @staticmethod
    async def _stopped_before(told: asyncio.Event, starting: "asyncio.Future[list[None]]") -> bool:
        """Wait for a start, or for being told to stop; says whether it was the latter."""
        stopped = asyncio.ensure_future(told.wait())
        waits: set[asyncio.Future[Any]] = {starting, stopped}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            stopped.cancel()
            starting.result()
            return False
        starting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await starting
        return True

    def _stages(self) -> Iterator[list[Child]]:
        settings = self._settings
        if not settings.redis_url:
            yield [self._child("redis", server_command(settings.data_dir), ready=self._ledger.ping)]
        else:
            self._ask_redis()
        if not settings.autoscaler_endpoint:
            address = Address(self._endpoint.removeprefix("ws://"))
            yield [self._child("autoscaler", _wakequeue("autoscaler", "--address", address), ready=_listens(address))]
        yield [
            self._child(role, _wakequeue(role), ready=self._says(role, "/readyz", words))
            for role, words in READY.items()
            if role in self._admin_ports
        ]
        yield [self._child("flower", _wakequeue("flower"), ready=_listens(settings.flower_address))]

    def _ask_redis(self) -> None:
        ledger = WorkerLedger.connect(Reach(self._settings), self._settings, timeout=REDIS_SECONDS)
        try:
            ledger.census(QUEUE)
        except LedgerUnavailable as error:
            msg = f"the Redis of WAKEQUEUE_REDIS_URL does not answer: {error}"
            raise CannotStart(msg) from error
        finally:
            ledger.client.close()

    def _says(self, role: str, path: str, words: str) -> Callable[[], bool]:
        return lambda: words in fetch(self._admin_ports[role], path)[1]

    def _child(self, name: str, command: list[str], *, ready: Callable[[], bool]) -> Child:
        env = {
            "WAKEQUEUE_AUTOSCALER_ENDPOINT": self._endpoint,
            "WAKEQUEUE_ADMIN_ADDRESS": f"127.0.0.1:{self._admin_ports.get(name, 0)}",
            "WAKEQUEUE_LOG_FORMAT": "json" if self._as_json else "text",
            "PYTHONUNBUFFERED": "1",
        }
        return Child(name, command, ready=ready, alive=self._alive(name), say=self.say, env=env)

    def _alive(self, name: str) -> Callable[[], bool]:
        port = self._admin_ports.get(name)
        return lambda: port is None or fetch(port, "/livez")[0] == OK

    def _admin(self) -> AdminServer:
        registry = CollectorRegistry()
        registry.register(MergedMetrics(self._admin_ports))

        def every(path: str) -> dict[str, bool]:
            return {role: fetch(port, path)[0] == OK for role, port in self._admin_ports.items()}

        return AdminServer(
            self._settings.admin_address, live=lambda: every("/livez"), ready=lambda: every("/readyz"), registry=registry
        )

    def _say_ready(self) -> None:
        settings = self._settings
        for line in (
            f"gRPC     {settings.grpc_address}",
            f"HTTP     http://{settings.http_address}",
            f"metrics  http://{settings.admin_address}/metrics",
            f"Flower   http://{settings.flower_address}",
            f"reports go to {masked(self._endpoint)}" + ("" if settings.autoscaler_endpoint else ", a stand-in that prints them"),
            "ready: try `wakequeue call default/hello`; Ctrl-C stops",
        ):
            self.say("up", line)

    @contextlib.contextmanager
    def _live(self) -> Iterator[None]:
        """On a terminal, keep a table of what the ledger holds below the lines."""
        if self._as_json or not self._console.is_terminal:
            yield
            return
        with Live(get_renderable=self._table, console=self._console, refresh_per_second=2, transient=True):
            yield

    def _table(self) -> RenderableType:
        try:
            return table(self._ledger.census(QUEUE))
        except LedgerUnavailable:
            return Text("the ledger is away", style="bold red")


@contextlib.contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    """Hold `data_dir` for this process: two embedded servers on the same files would ruin them."""
    folder = Path(settings.data_dir).absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("w")
    except OSError as error:
        msg = f"WAKEQUEUE_DATA_DIR = {settings.data_dir!r}: {error.strerror}"
        raise CannotStart(msg) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            msg = f"another `wakequeue up` runs in {folder} (WAKEQUEUE_DATA_DIR)"
            raise CannotStart(msg) from error
        yield


def _wakequeue(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "wakequeue", *arguments]


def _listens(address: Address) -> Callable[[], bool]:
    def asked() -> bool:
        try:
            socket.create_connection((address.host, address.port), timeout=1).close()
        except OSError:
            return False
        return True

    return asked


def free_port() -> int:
    """A port that nothing listens on, from below those that systems give to outgoing connections."""
    while True:
        port = random.randrange(*PORTS)  # noqa: S311  no secret
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
