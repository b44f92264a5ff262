"""Fronts and workers of the installed wheel, in processes of their own, on one Redis and one stat server."""

import tempfile
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from prometheus_client.parser import text_string_to_metric_families

from support.processes import BIN, Process, free_port
from support.waiting import wait_until


@dataclass(frozen=True, slots=True)
class Running:
    """A front, a worker or a beat that is ready."""

    process: Process
    grpc_address: str
    http_address: str
    admin: str

    def get(self, path: str) -> tuple[int, str]:
        """A path of the admin port: status and text; status 0 where nothing answers."""
        try:
            with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def metric(self, name: str, **labels: str) -> float:
        """The value of a sample, 0.0 where there is none."""
        samples = (
            sample
            for family in text_string_to_metric_families(self.get("/metrics")[1])
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )
        return sum(sample.value for sample in samples)


@dataclass
class Installation:
    """Starts fronts, workers and beats with the same settings; all end with it."""

    redis_url: str
    autoscaler: str
    env: dict[str, str] = field(default_factory=dict)
    _stack: ExitStack = field(default_factory=ExitStack)

    def __post_init__(self) -> None:
        #: Where Flower keeps its history.
        self.data_dir = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="wakequeue-")))

    def hook(self, **env: str) -> Running:
        """A front that answers."""
        return self._start("hook", "/readyz", env)

    def worker(self, **env: str) -> Running:
        """A worker that consumes and is connected."""
        return self._start("worker", "/readyz", env)

    def beat(self, **env: str) -> Running:
        """A beat that leads, or would."""
        return self._start("beat", "/readyz", env)

    def start(self, command: list[str], **env: str) -> Process:
        """Any command with the same settings."""
        return self._stack.enter_context(Process(command, self._env() | env))

    def _start(self, role: str, ready: str, env: dict[str, str]) -> Running:
        names = "WAKEQUEUE_GRPC_ADDRESS", "WAKEQUEUE_HTTP_ADDRESS", "WAKEQUEUE_ADMIN_ADDRESS"
        env = {name: f"127.0.0.1:{free_port()}" for name in names} | env
        running = Running(self.start([str(BIN / "wakequeue"), role], **env), *(env[name] for name in names))

        def is_ready() -> bool:
            code = running.process.returncode
            assert code is None, f"the {role} ended with {code}: {running.process.output}"
            return running.get(ready)[0] == 200

        wait_until(is_ready, 20, f"the {role}")
        return running

    def _env(self) -> dict[str, str]:
        where = {"WAKEQUEUE_REDIS_URL": self.redis_url, "WAKEQUEUE_AUTOSCALER_ENDPOINT": self.autoscaler}
        return where | {"WAKEQUEUE_DATA_DIR": str(self.data_dir)} | self.env

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()
