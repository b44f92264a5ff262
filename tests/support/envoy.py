"""A real Envoy, with a file of `deploy/envoy/` as it is: only its ports, its addresses and the paths of its files are others."""

import json
import sys
import threading
import time
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from support.bootstrap import ADMIN, APPLICATION, DEPLOY, GATEWAY, NOTHING, WAITING_ROOM, Change, as_it_is, read, used_ports
from support.processes import BIN, Process, free_port
from support.waiting import wait_until

TESTS = Path(__file__).parents[1]
BINARY = BIN.parent / "envoy" / "envoy" / "_bin" / "envoy"

#: The mark of tests that need it. It exists for few machines; the Makefile knows for which.
needs_envoy = pytest.mark.skipif(not BINARY.exists(), reason=f"there is no Envoy at {BINARY}: `make .venv/envoy` installs it")


class Envoy:
    """Started with the object, and ready. The application listens all the time; `up` and `down` say what Envoy is told of it."""

    def __init__(self, folder: Path, file: str, fronts: Mapping[int, str], change: Change = as_it_is) -> None:
        """`folder` is for its files; `fronts` has the front's addresses, by the port in the file."""
        self.port, self.admin = free_port(), free_port()
        self._folder, self._application = folder, free_port()
        own = {GATEWAY: self.port, ADMIN: self.admin, WAITING_ROOM: free_port(), APPLICATION: self._application, NOTHING: NOTHING}
        self._ports = own | {port: int(address.rpartition(":")[2]) for port, address in fronts.items()}
        bootstrap = read(file, self._ports, folder)
        assert {self.port, self.admin} < used_ports(bootstrap)
        assert used_ports(bootstrap) & {self._ports[port] for port in fronts}, "it reaches no front"
        change(bootstrap)
        self._replace("envoy.json", bootstrap)
        for path in (DEPLOY / "endpoints").glob("*.yaml"):
            self._tell(path.stem)
        options = ["--disable-hot-restart", "--concurrency", "2", "--log-level", "warning"]
        with ExitStack() as starting:
            command = [sys.executable, "-m", "support.application", str(self._application)]
            application = starting.enter_context(Process(command, {"PYTHONPATH": str(TESTS)}))
            self._process = starting.enter_context(Process([str(BINARY), "-c", str(folder / "envoy.json"), *options], {}))
            application.wait_for_line("listening")
            wait_until(self._ready, 20, "Envoy")
            self._running = starting.pop_all()

    def up(self, name: str) -> float:
        """Replace an application's endpoints by the running one, at once, as xDS would; returns when (on `time.monotonic`)."""
        return self.lead(name, self._application)

    def lead(self, name: str, port: int) -> float:
        """Replace an application's endpoints by what listens at a port of this machine, or by nothing that does; returns when."""
        endpoint = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}
        return self._tell(name, [{"lb_endpoints": [{"endpoint": endpoint}]}])

    def leads(self, name: str, port: int | None = None) -> bool:
        """Whether the clusters in whose name an application's is have one endpoint, at this port, by default the application's."""
        clusters = json.loads(self._get("/clusters?format=json"))["cluster_statuses"]
        hosts = [host for one in clusters if name in one["name"] for host in one.get("host_statuses", ())]
        return [host["address"]["socket_address"]["port_value"] for host in hosts] == [port or self._application]

    def up_after(self, seconds: float, name: str) -> "Coming":
        """Have an application come up while others wait for it."""
        return Coming(self, seconds, name)

    def down(self, name: str) -> None:
        """Take an application's endpoints away, and wait until Envoy knows."""
        self._tell(name, [])
        wait_until(lambda: not self.stat(f"cluster.endpoints-{name}.membership_total"), what=f"{name} down")

    def stat(self, name: str) -> int:
        """A counter or a gauge; 0 where there is none."""
        found = json.loads(self._get(f"/stats?format=json&filter=^{name}$"))["stats"]
        return sum(one.get("value", 0) for one in found)

    def close(self) -> None:
        """End, and the application with it."""
        self._running.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _ready(self) -> bool:
        assert self._process.returncode is None, self._process.output
        try:
            return self._get("/ready") == "LIVE\n"
        except OSError:
            return False

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=5) as answer:
            return str(answer.read().decode())

    def _tell(self, name: str, endpoints: list[object] | None = None) -> float:
        """Tell what the application's file says, with other endpoints if some are given."""
        told = read(f"endpoints/{name}.yaml", self._ports, self._folder)
        (resource,) = told["resources"]
        if endpoints is not None:
            resource["endpoints"] = endpoints
        return self._replace(f"{name}.yaml", told)

    def _replace(self, name: str, told: object) -> float:
        """Write a file, and return when it was not yet there."""
        new = self._folder / f"{name}.new"
        new.write_text(json.dumps(told))
        before = time.monotonic()
        new.replace(self._folder / name)
        return before


class Coming:
    """An application that comes up after a while; `at` waits for that, and says when it was (on `time.monotonic`)."""

    def __init__(self, envoy: Envoy, seconds: float, name: str) -> None:
        self._at = 0.0
        self._thread = threading.Timer(seconds, self._come, (envoy, name))
        self._thread.start()

    def at(self) -> float:
        """When it came up."""
        self._thread.join()
        return self._at

    def _come(self, envoy: Envoy, name: str) -> None:
        self._at = envoy.up(name)
