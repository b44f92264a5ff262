"""Processes that a test owns: started with an environment of their own, read line by line, ended with the test."""

import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from support.waiting import wait_until

BIN = Path(sys.executable).parent

# A shell has what it starts in the background ignore Ctrl-C, and so would every process that is started here.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


#: This process's share of the ports below those that systems give to outgoing connections: pytest-xdist runs several side by side.
PORTS = range(
    10_000 + int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")),
    20_000,
    int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")),
)
_ports = itertools.cycle(random.sample(PORTS, len(PORTS)))

#: The ports of UDP with the numbers that were given last: another run of tests on this machine can't have them, and takes others.
_held: deque[socket.socket] = deque()
HELD_AT_MOST = 100


def free_port() -> int:
    """A port that nothing listens on, and that is given to nobody else for long."""
    while True:
        port = next(_ports)
        held = socket.socket(type=socket.SOCK_DGRAM)
        try:
            held.bind(("127.0.0.1", port))
            socket.create_server(("127.0.0.1", port)).close()
        except OSError:
            held.close()
            continue
        _held.append(held)
        if len(_held) > HELD_AT_MOST:
            _held.popleft().close()
        return port


def clean_environment() -> dict[str, str]:
    """This environment without anything that would reach wakequeue's settings."""
    ours = ("WAKEQUEUE_", "AUTOSCALER_ENDPOINT", "POD_NAME", "REDIS_URL", "GRPC_ADAPTER_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


class Process:
    """A running command; its output is in `lines`. A variable that is empty is as if it weren't there."""

    def __init__(self, command: Sequence[str], env: Mapping[str, str], cwd: Path | None = None) -> None:
        self.command = command
        variables = clean_environment() | {"PYTHONUNBUFFERED": "1", "WAKEQUEUE_LOG_FORMAT": "text"} | dict(env)
        self.lines: list[str] = []
        self._process = subprocess.Popen(
            command,
            env={name: value for name, value in variables.items() if value},
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="backslashreplace",  # what a library logs is not always text
            start_new_session=True,
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """How it ended; None while it runs."""
        return self._process.poll()

    def wait_for_line(self, part: str, within: float = 20.0) -> str:
        """The first line that contains `part`. Fails where the process ends without it."""

        def found() -> str | None:
            ended = self.returncode is not None
            if ended:
                self._reading.join(5)
            line = next((line for line in list(self.lines) if part in line), None)
            assert line or not ended, f"{self.command} ended with {self.returncode} and no line with {part!r}: {self.output}"
            return line

        try:
            return wait_until(found, within, f"a line with {part!r}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.output}") from error

    @property
    def output(self) -> str:
        """All that it printed so far."""
        return "\n".join(self.lines)

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def wait(self, within: float = 20.0) -> int:
        """Its exit code, once it ends."""
        code = self._process.wait(within)
        self._reading.join(5)
        return code

    def stop(self, within: float = 20.0) -> int:
        """Have it end by SIGTERM."""
        self._process.terminate()
        return self.wait(within)

    def kill(self) -> None:
        """End it by SIGKILL."""
        self._process.kill()
        self.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self.returncode is None:
            self._process.terminate()
            try:
                self.wait(10)
            except subprocess.TimeoutExpired:
                self.kill()
        self._reading.join(5)  # one that ended by itself may have printed what is not read yet
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip("\n"))
