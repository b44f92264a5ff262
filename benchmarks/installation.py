"""An installation on this machine: the processes that `make up` runs, with the settings that they have there, but for addresses.

Redis is the embedded one: append-only file, synced every second. What the processes print goes to files. The Autoscaler's place is
taken by the receiver.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psutil

from benchmarks.receiver import Receiver, Told
from gateway_hook.bench.connection import Target
from gateway_hook.client import METHOD
from wakequeue.broker import QUEUE
from wakequeue.embedded import server_command
from wakequeue.errors import NoFigure
from wakequeue.ledger import WorkerLedger
from wakequeue.ledger.scripts import LEASED, PENDING
from wakequeue.merged import fetch
from wakequeue.reach import Reach
from wakequeue.setting_sources import load
from wakequeue.setting_types import Address
from wakequeue.up import free_port

#: Variables that are settings: a figure's conditions are not whatever this shell has.
OURS: Final = ("WAKEQUEUE_", "REDIS_URL", "AUTOSCALER_ENDPOINT", "POD_NAME", "OTEL_")

#: The command that is installed, not what lies in this folder.
WAKEQUEUE: Final = str(Path(sys.executable).with_name("wakequeue"))

START_SECONDS: Final = 30.0
OK: Final = 200


@dataclass(slots=True)
class Part:
    """One process, and what it uses."""

    name: str
    process: psutil.Popen
    #: Where a front answers.
    grpc_address: str = ""

    @property
    def core_seconds(self) -> float:
        """Its processor time so far."""
        used = self.process.cpu_times()
        return float(used.user + used.system)

    @property
    def memory_bytes(self) -> int:
        """What it has in memory now."""
        return int(self.process.memory_info().rss)

    def stop(self) -> None:
        """End it, if it hasn't."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(START_SECONDS)


@dataclass
class Installation:
    """A Redis, a front, workers, Flower and a receiver, as a context; `workers` is how many, `env` holds further settings."""

    workers: int = 1
    env: Mapping[str, str] = field(default_factory=dict)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wakequeue-bench-")))
            self.receiver = stack.enter_context(Receiver())
            self._stack = stack.pop_all()
        self.parts: dict[str, Part] = {}
        self._calls = 0
        try:
            self._start()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    @property
    def target(self) -> Target:
        """The front, where Mixer calls it."""
        return Target(Address(self.parts["front"].grpc_address), METHOD)

    def start(self, name: str, *command: str, **env: str) -> Part:
        """Start a process with this installation's settings."""
        outside = {variable: value for variable, value in os.environ.items() if not variable.startswith(OURS)}
        with (self.folder / f"{name}.log").open("w") as log:
            process = psutil.Popen(
                command, env=outside | self._env | env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        part = self.parts[name] = Part(name, process)
        self._stack.callback(part.stop)
        return part

    def start_role(self, name: str, role: str) -> Part:
        """Start a front or a worker, with ports of its own, and return once it is ready."""
        ports = {f"WAKEQUEUE_{port}_ADDRESS": f"127.0.0.1:{free_port()}" for port in ("ADMIN", "GRPC", "HTTP")}
        part = self.start(name, WAKEQUEUE, role, **ports)
        part.grpc_address, admin = ports["WAKEQUEUE_GRPC_ADDRESS"], Address(ports["WAKEQUEUE_ADMIN_ADDRESS"])

        def ready() -> bool:
            if part.process.poll() is not None:
                msg = f"the {role} has ended: {(self.folder / f'{name}.log').read_text()[-300:]}"
                raise NoFigure(msg)
            return fetch(admin.port, "/readyz")[0] == OK

        wait_until(ready, f"the {role} is not ready")
        return part

    def stop(self, name: str) -> None:
        """End one of the processes."""
        self.parts.pop(name).stop()

    def rest(self, calls: int, within: float = 120.0) -> Told:
        """Wait until all of these calls since the last rest are settled and nothing is due; what was told since then.

        Raises NoFigure where some are lost, or counted twice in the ledger. (A frame whose pong is late may be sent twice.)
        """
        self._calls += calls
        wait_until(self._settled, "the ledger does not come to rest", within)
        census, told = self.ledger.census(QUEUE), self.receiver.told()
        untold = max(0, calls - sum(told.calls.values()))
        if untold or census.drift_calls or census.buried_calls or census.recorded_calls != self._calls:
            msg = (
                f"{census.recorded_calls:,} of {self._calls:,} calls recorded, drift {census.drift_calls}, "
                f"{census.buried_calls} buried, {untold} not told of"
            )
            raise NoFigure(msg)
        self.receiver.forget()
        return told

    def core_seconds(self) -> Counter[str]:
        """The processor time of each process so far."""
        return Counter({name: part.core_seconds for name, part in self.parts.items()})

    def ledger_bytes(self) -> int:
        """What Redis has in memory for its data."""
        info: dict[str, Any] = self.ledger.client.info("memory")
        return int(info["used_memory"])

    def resting(self) -> bool:
        """Whether nothing is due or on its way."""
        return not self.ledger.client.zcard(PENDING) and not self.ledger.client.zcard(LEASED)

    def _settled(self) -> bool:
        """Whether all calls are: those of awake Revisions are recorded once a second."""
        return self.resting() and self.ledger.census(QUEUE).settled_calls >= self._calls

    def _start(self) -> None:
        self._env = {
            "WAKEQUEUE_DATA_DIR": str(self.folder),
            "WAKEQUEUE_AUTOSCALER_ENDPOINT": self.receiver.url,
            "WAKEQUEUE_FLOWER_ADDRESS": f"127.0.0.1:{free_port()}",
            **self.env,
        }
        self.settings = load(self._env)
        self.ledger = WorkerLedger.connect(Reach(self.settings), self.settings)
        self.start("redis", *server_command(self.settings.data_dir))
        wait_until(self.ledger.ping, "Redis does not start")
        for number in range(self.workers):
            self.start_role(f"worker {number + 1}", "worker")
        self.start_role("front", "hook")
        self.start("flower", WAKEQUEUE, "flower")
        wait_until(lambda: fetch(self.settings.flower_address.port, "/healthcheck")[0] == OK, "Flower does not start")


def wait_until(met: Callable[[], object], otherwise: str, within: float = START_SECONDS) -> None:
    """Return once something is so. Raises NoFigure where it isn't in time."""
    until = time.monotonic() + within
    while not met():
        if time.monotonic() > until:
            raise NoFigure(otherwise)
        time.sleep(0.02)
