"""`wakequeue up`, driven as a person would: start, call, see the stat, break it, stop, and nothing is left."""

import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from support.certificates import Authority
from support.flower import PASSWORD, page
from support.processes import BIN, Process, clean_environment, free_port
from support.stat_server import StatServer
from support.waiting import wait_until

WAKEQUEUE = str(BIN / "wakequeue")

#: What `up` runs without schedules, and a word of each one's command line.
CHILDREN = {"redis": "valkey-server", "worker": "worker", "hook": "hook", "autoscaler": "autoscaler", "flower": "flower"}


@dataclass
class Machine:
    """An empty folder, ports of its own, and the commands of a person who sits at it."""

    folder: Path
    env: dict[str, str]
    stack: ExitStack

    def up(self) -> Process:
        """`wakequeue up`, once it says that it is ready."""
        up = self.stack.enter_context(Process([WAKEQUEUE, "up"], self.env, cwd=self.folder))
        up.wait_for_line("ready:", 60)
        return up

    def run(self, *arguments: str) -> Process:
        """Any other command, to its end."""
        process = self.stack.enter_context(Process([WAKEQUEUE, *arguments], self.env, cwd=self.folder))
        assert process.wait() == 0, process.output
        return process

    def get(self, path: str) -> str:
        """A page of the admin port."""
        with urllib.request.urlopen(f"http://{self.env['WAKEQUEUE_ADMIN_ADDRESS']}{path}", timeout=5) as page:
            return str(page.read().decode())

    def processes(self) -> list[str]:
        """The command lines of every process with this data directory in its environment, or, as Redis shows it, its title."""
        found = psutil.process_iter(["environ", "cmdline"])
        texts = [(one.info["environ"] or {}, " ".join(one.info["cmdline"] or ())) for one in found]
        mine = self.env["WAKEQUEUE_DATA_DIR"]
        return [command for environ, command in texts if environ.get("WAKEQUEUE_DATA_DIR") == mine or mine in command]


def child(up: Process, word: str) -> psutil.Process:
    """The child of `up` with this word in its command line."""
    (found,) = [one for one in psutil.Process(up.pid).children() if any(word in part for part in one.cmdline())]
    return found


def new_machine(stack: ExitStack) -> Machine:
    """A machine on which nothing runs yet."""
    folder = Path(tempfile.mkdtemp(prefix="wakequeue-"))
    stack.callback(shutil.rmtree, folder)
    ports = {name: f"127.0.0.1:{free_port()}" for name in ("GRPC", "HTTP", "ADMIN", "FLOWER")}
    env = {f"WAKEQUEUE_{name}_ADDRESS": address for name, address in ports.items()}
    return Machine(folder, env | {"WAKEQUEUE_DATA_DIR": str(folder / "data")}, stack)


@pytest.fixture
def machine() -> Iterator[Machine]:
    """A machine on which nothing runs, and on which nothing is left."""
    with ExitStack() as stack:
        made = new_machine(stack)
        yield made
    wait_until(lambda: not made.processes(), 30, "every process to end")


def stop(up: Process, number: signal.Signals = signal.SIGINT) -> None:
    """Ctrl-C: it ends by itself, with exit code 0."""
    up.send_signal(number)
    assert up.wait(30) == 0, up.output
    assert up.lines[-1] == "up | stopped"


def test_up_call_see_stop(machine: Machine) -> None:
    """The README's first minutes: up, a call, its stat on the terminal, the status, a burst, Ctrl-C, nothing left."""
    up = machine.up()
    assert f"up | HTTP     http://{machine.env['WAKEQUEUE_HTTP_ADDRESS']}" in up.lines
    machine.run("call", "default/hello")
    up.wait_for_line("stat default/hello concurrency=1 requests=1")
    machine.run("call", "shop/cart", "--count", "500")

    def reported() -> int:
        lines = [line for line in up.lines if "stat shop/cart" in line]
        return sum(int(line.split("requests=")[1].split()[0]) for line in lines)

    wait_until(lambda: reported() == 500, what="500 requests on the terminal")
    up.wait_for_line("stat shop/cart concurrency=500 requests=0")
    census = json.loads(machine.run("status", "--json").output)
    assert (census["recorded_calls"], census["settled_calls"], census["drift_calls"]) == (501, 501, 0)
    metrics = machine.get("/metrics")
    # Some of a burst may be answered before they are recorded.
    answered = re.findall(
        r'wakequeue_calls_total{outcome="(?:recorded|buffered)",protocol="mixer_authorization",role="hook"} (.+)', metrics
    )
    assert sum(map(float, answered)) == 501
    assert 'wakequeue_reported_requests_total{role="worker"} 501.0' in metrics
    assert machine.get("/livez") == machine.get("/readyz") == "hook: ok\nworker: ok\n"
    with urllib.request.urlopen(f"http://{machine.env['WAKEQUEUE_FLOWER_ADDRESS']}/tasks", timeout=5) as page:
        assert page.status == 200
    assert len(machine.processes()) == 6
    stop(up)
    assert machine.processes() == []
    assert sorted(path.name for path in machine.folder.iterdir()) == ["data"]


def test_up_in_json(machine: Machine) -> None:
    """Where JSON is chosen every line is an object, with the process's role, be it ours, Redis's or the stand-in's."""
    machine.env["WAKEQUEUE_LOG_FORMAT"] = "json"
    up = machine.up()
    machine.run("call", "default/hello")
    up.wait_for_line("stat default/hello")
    up.send_signal(signal.SIGINT)
    assert up.wait(30) == 0, up.output
    objects = [json.loads(line) for line in up.lines]
    assert {line["role"] for line in objects} | {"flower"} == {"up", *CHILDREN}  # Flower has nothing to say
    (recorded,) = [line for line in objects if line.get("event") == "recorded"]
    assert (recorded["role"], recorded["revision"]) == ("hook", "default/hello")
    assert objects[-1].items() >= {"role": "up", "message": "stopped"}.items()


def test_a_child_that_dies_is_restarted_and_said(machine: Machine) -> None:
    """Whichever child is killed, `up` says so and starts it again, and a call made then is reported."""
    up = machine.up()
    machine.run("call", "default/before")
    up.wait_for_line("stat default/before")
    for name, word in CHILDREN.items():
        child(up, word).kill()
        up.wait_for_line(f"{name} | ended (SIGKILL): restarted")

        def calls(revision: str = f"default/after-{name}") -> bool:
            with Process([WAKEQUEUE, "call", revision], machine.env) as call:
                return call.wait() == 0

        wait_until(calls, 30, "the front to answer")
        up.wait_for_line(f"stat default/after-{name}", within=20)
    stop(up)


def test_a_child_that_is_stuck_is_restarted(machine: Machine) -> None:
    """A worker that is there and answers nothing is ended and started again, and what was called meanwhile is reported."""
    up = machine.up()
    child(up, "worker").suspend()
    machine.run("call", "default/patient")
    up.wait_for_line("worker | is stuck: killed", within=40)
    up.wait_for_line("worker | ended (SIGKILL): restarted")
    up.wait_for_line("stat default/patient", within=20)
    stop(up)


def test_what_is_recorded_survives(machine: Machine) -> None:
    """A wake-up that could not be delivered before `up` was stopped is delivered when it is started again."""
    with StatServer() as elsewhere:
        machine.env["WAKEQUEUE_AUTOSCALER_ENDPOINT"] = elsewhere.url
        elsewhere.stop()
        up = machine.up()
        machine.run("call", "default/patient", "--count", "3")
        stop(up, signal.SIGTERM)
        elsewhere.start()
        up = machine.up()
        wait_until(lambda: elsewhere.requests()["default/patient"] == 3, what="3 calls reported")
        stop(up)


def test_up_with_a_schedule(machine: Machine) -> None:
    """What a schedule wakes is reported without any call, and kept warm; Flower shows the schedule's task, `up` its beat."""
    with StatServer() as elsewhere:
        machine.env["WAKEQUEUE_AUTOSCALER_ENDPOINT"] = elsewhere.url
        office = {"every": "2s", "wakes": ["shop/cart-00001", "shop/web-00001"], "for": "10s"}
        machine.env["WAKEQUEUE_SCHEDULES"] = json.dumps({"office": office})
        machine.env["WAKEQUEUE_FLOWER_PASSWORD"] = PASSWORD
        up = machine.up()
        for key in office["wakes"]:
            elsewhere.wait_for(key, reports=3)
        outcomes = json.loads(f"[{','.join(machine.run('history', '--json').lines)}]")
        assert {caller for one in outcomes for caller in one["callers"]} == {"schedule office"}
        assert 'wakequeue_beat_leads{role="beat"} 1.0' in machine.get("/metrics")
        assert machine.get("/livez") == machine.get("/readyz") == "hook: ok\nworker: ok\nbeat: ok\n"
        flower = f"http://{machine.env['WAKEQUEUE_FLOWER_ADDRESS']}/api/tasks?taskname=wakequeue.start"
        tasks = wait_until(lambda: json.loads(page(flower) or "{}"), what="Flower to show a start")
        assert next(iter(tasks.values()))["args"].startswith("(office, ")
        stop(up)


def test_two_side_by_side(machine: Machine) -> None:
    """Two installations with ports and folders of their own share nothing; a second one on the same folder is refused."""
    other = new_machine(machine.stack)
    first, second = machine.up(), other.up()
    machine.run("call", "default/first")
    other.run("call", "default/second")
    first.wait_for_line("stat default/first")
    second.wait_for_line("stat default/second")
    assert "second" not in "".join(line for line in first.lines if "stat" in line)
    with Process([WAKEQUEUE, "up"], machine.env) as third:
        assert third.wait() == 1
        assert "another `wakequeue up` runs in" in third.output
    stop(first)
    stop(second)


@pytest.mark.parametrize("name", ["WAKEQUEUE_GRPC_ADDRESS", "WAKEQUEUE_HTTP_ADDRESS"])
def test_a_taken_port_is_said_at_once(machine: Machine, name: str) -> None:
    """`up` with a port of the front in use stops what it had started, and ends with exit code 1 and the setting's name."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        machine.env[name] = f"127.0.0.1:{taken.getsockname()[1]}"
        with Process([WAKEQUEUE, "up"], machine.env) as up:
            assert up.wait() == 1
            assert name in up.lines[-1]


def test_up_behind_a_door(machine: Machine, tmp_path: Path) -> None:
    """With mutual TLS and a token, `up` comes up, and the call that it names gets in as it is; nothing shows the token."""
    authority = Authority(tmp_path)
    front = authority.issue("front")
    machine.env |= {
        "WAKEQUEUE_GRPC_CERTIFICATE_FILE": str(front.certificate),
        "WAKEQUEUE_GRPC_KEY_FILE": str(front.key),
        "WAKEQUEUE_GRPC_CLIENT_CA_FILE": str(authority.certificate),
        "WAKEQUEUE_GRPC_TOKEN": "hunter2",
    }
    up = machine.up()
    assert "`wakequeue call default/hello`" in up.wait_for_line("ready: try")
    machine.run("call", "default/hello")
    up.wait_for_line("stat default/hello concurrency=1 requests=1")
    assert "hunter2" not in " ".join([*up.lines, *machine.processes(), machine.get("/metrics")])
    stop(up)


def test_a_door_that_can_not_be_shut_is_said_at_once(machine: Machine) -> None:
    """`up` ends with the one line of the front, or with its own where the settings contradict each other."""
    machine.env["WAKEQUEUE_GRPC_CERTIFICATE_FILE"] = "/missing.crt"
    with Process([WAKEQUEUE, "up"], machine.env) as up:
        assert up.wait() == 2
        assert up.lines == ["wakequeue: WAKEQUEUE_GRPC_CERTIFICATE_FILE = '/missing.crt': grpc_key_file must be set too"]
    machine.env["WAKEQUEUE_GRPC_KEY_FILE"] = "/missing.key"
    with Process([WAKEQUEUE, "up"], machine.env) as up:
        assert up.wait() == 1
        assert "hook did not start: wakequeue: WAKEQUEUE_GRPC_CERTIFICATE_FILE = '/missing.crt': No such file" in up.lines[-1]


def test_a_killed_up_leaves_nothing(machine: Machine) -> None:
    """Even a SIGKILL of `up` leaves no process behind (on Linux)."""
    up = machine.up()
    up.kill()
    wait_until(lambda: not machine.processes(), 20, "its children to end")


def test_a_terminal_shows_a_live_view(machine: Machine) -> None:
    """On a terminal, `up` shows colours, and a table of what the ledger holds that follows the calls."""
    screen, terminal = pty.openpty()
    env = clean_environment() | machine.env | {"TERM": "xterm-256color", "COLUMNS": "120", "LINES": "40"}
    up = subprocess.Popen([WAKEQUEUE, "up"], env=env, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True)
    os.close(terminal)
    shown = bytearray()

    def shows(part: bytes) -> bool:
        shown.extend(os.read(screen, 65536))
        return part in shown

    try:
        wait_until(lambda: shows(b"Ctrl-C stops"), 30, "the table")
        machine.run("call", "default/hello", "--count", "1234")
        wait_until(lambda: shows(b"1,234"), 30, "the calls in the table")
        assert b"\x1b[" in shown
        assert b"recorded" in shown
        up.send_signal(signal.SIGINT)
        wait_until(lambda: shows(b"stopped"), 30, "the end")
        assert up.wait(20) == 0
    finally:
        if up.poll() is None:
            up.kill()
            up.wait()
        os.close(screen)
