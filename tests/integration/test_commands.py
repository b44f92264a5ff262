"""The command line, and Celery's own tools on the worker's application."""

import json
import socket
import urllib.request
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from support.installation import Installation
from support.processes import BIN, Process, free_port
from support.redis_server import RedisServer
from support.site import hurt
from support.stat_server import StatServer
from support.waiting import wait_until

from wakequeue import __version__

WAKEQUEUE = str(BIN / "wakequeue")
CELERY = [str(BIN / "celery"), "-A", "workers.app"]


def test_call_and_status(installation: Installation, stat_server: StatServer) -> None:
    """`call` makes real calls; `status` shows them in the ledger, as lines and as JSON."""
    hook, _ = installation.hook(), installation.worker()
    call = installation.start([WAKEQUEUE, "call", "shop/cart", "--count", "7"], WAKEQUEUE_GRPC_ADDRESS=hook.grpc_address)
    assert call.wait() == 0
    assert "shop/cart: 7 calls answered OK" in call.output
    wait_until(lambda: stat_server.requests()["shop/cart"] == 7, what="7 calls reported")

    def settled() -> dict[str, Any]:
        shown = installation.start([WAKEQUEUE, "status", "--json"])
        assert shown.wait() == 0
        census: dict[str, Any] = json.loads(shown.output)
        return census if census["settled_calls"] == 7 and len(census["processes"]) == 2 else {}

    census = wait_until(settled, 20, "7 calls settled, and both to say that they run")
    assert (census["recorded_calls"], census["drift_calls"], census["buried_calls"]) == (7, 0, 0)
    lines = installation.start([WAKEQUEUE, "status"])
    assert lines.wait() == 0
    assert "settled_calls 7" in lines.lines
    assert census["processes"] == [{"role": role, "version": __version__, "count": 1} for role in ("hook", "worker")]
    assert lines.lines[-2:] == [f"hook {__version__} 1", f"worker {__version__} 1"]


def test_call_as_json(installation: Installation) -> None:
    """`call --json` prints one object."""
    hook = installation.hook()
    call = installation.start([WAKEQUEUE, "call", "shop/cart", "--json"], WAKEQUEUE_GRPC_ADDRESS=hook.grpc_address)
    assert call.wait() == 0
    assert json.loads(call.output).keys() == {"revision", "calls", "seconds", "p50_ms", "p99_ms"}


def test_a_front_that_is_not_there() -> None:
    """`call` without a front, and `status` without Redis, end with exit code 1 and one line that says what to do."""
    address = f"127.0.0.1:{free_port()}"
    with Process([WAKEQUEUE, "call", "shop/cart"], {"WAKEQUEUE_GRPC_ADDRESS": address}) as call:
        assert call.wait() == 1
        assert len(call.lines) == 1
        assert address in call.output
    with Process([WAKEQUEUE, "status"], {"WAKEQUEUE_REDIS_URL": f"redis://127.0.0.1:{free_port()}"}) as status:
        assert status.wait() == 1
        assert len(status.lines) == 1
        assert "WAKEQUEUE_REDIS_URL" in status.output


@pytest.mark.parametrize("command", [[WAKEQUEUE, "up"], [WAKEQUEUE, "hook"], [WAKEQUEUE, "worker"], [*CELERY, "report"]])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WAKEQUEUE_IDLE_AFTER", "5"),
        ("WAKEQUEUE_GRPC_ADRESS", "127.0.0.1:1"),
        ("WAKEQUEUE_KNATIVE_RELEASE", "2.0"),
        ("WAKEQUEUE_REDIS_URL", "sentinel://one,two"),
        ("WAKEQUEUE_REDIS_CA_FILE", "/nowhere/ca.pem"),
        ("WAKEQUEUE_AUTOSCALER_TOKEN_FILE", "/nowhere/token"),
    ],
)
def test_a_wrong_setting_is_one_line(command: list[str], name: str, value: str) -> None:
    """A wrong or unknown setting ends every command with exit code 2 and one line: its name, its value, what is allowed.

    It is text, whatever the log's form. The value of an unknown one may be a secret, and is not shown.
    """
    with Process(command, {name: value, "WAKEQUEUE_LOG_FORMAT": "json"}) as process:
        assert process.wait() == 2
        assert len(process.lines) == 1, process.output
        shown = "***" if name == "WAKEQUEUE_GRPC_ADRESS" else value
        assert process.output.startswith(f"wakequeue: {name} = {shown!r}: ")


def test_a_worker_needs_an_autoscaler(redis_server: RedisServer) -> None:
    """A worker that does not know where reports go refuses to start, and says which setting is missing."""
    with Process([WAKEQUEUE, "worker"], {"WAKEQUEUE_REDIS_URL": redis_server.url}) as worker:
        assert worker.wait() == 2
        assert "WAKEQUEUE_AUTOSCALER_ENDPOINT is not set" in worker.output


def test_a_port_in_use() -> None:
    """A front whose gRPC or HTTP port is taken ends with exit code 1 and names the setting; a taken admin port is only said."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with Process([WAKEQUEUE, "hook"], {"WAKEQUEUE_GRPC_ADDRESS": address}) as hook:
            assert hook.wait() == 1
            assert "WAKEQUEUE_GRPC_ADDRESS" in hook.lines[-1]
        env = {"WAKEQUEUE_GRPC_ADDRESS": f"127.0.0.1:{free_port()}", "WAKEQUEUE_HTTP_ADDRESS": address}
        with Process([WAKEQUEUE, "hook"], env) as hook:
            assert hook.wait() == 1
            assert "WAKEQUEUE_HTTP_ADDRESS" in hook.lines[-1]
            assert "Traceback" not in hook.output
        env |= {"WAKEQUEUE_HTTP_ADDRESS": f"127.0.0.1:{free_port()}", "WAKEQUEUE_ADMIN_ADDRESS": address}
        with Process([WAKEQUEUE, "hook"], env) as hook:
            hook.wait_for_line("admin_port_taken")
            hook.wait_for_line("started")


@pytest.mark.parametrize("role", ["hook", "worker", "beat", "flower"])
def test_an_address_that_is_not_here(role: str, redis_server: RedisServer, stat_server: StatServer) -> None:
    """A process that can't serve its port ends with exit code 1 and one line that names the setting, without a traceback."""
    name = "WAKEQUEUE_FLOWER_ADDRESS" if role == "flower" else "WAKEQUEUE_ADMIN_ADDRESS"
    elsewhere = {
        "WAKEQUEUE_GRPC_ADDRESS": f"127.0.0.1:{free_port()}",
        "WAKEQUEUE_REDIS_URL": redis_server.url,
        "WAKEQUEUE_AUTOSCALER_ENDPOINT": stat_server.url,
        "WAKEQUEUE_FLOWER_PASSWORD": "hunter2",
        name: "192.0.2.1:6101",
    }
    with Process([WAKEQUEUE, role], elsewhere) as process:
        assert process.wait() == 1
        assert len([line for line in process.lines if name in line]) == 1
        assert "Traceback" not in process.output


def test_the_original_adapters_names(redis_server: RedisServer, stat_server: StatServer) -> None:
    """AUTOSCALER_ENDPOINT, POD_NAME and REDIS_URL, the names of the adapter of 2019, work as they are."""
    with Installation("", "") as started:
        original = {"REDIS_URL": redis_server.url, "AUTOSCALER_ENDPOINT": stat_server.url, "POD_NAME": "activator-7"}
        hook = started.hook(**original)
        started.worker(**original)
        assert started.start([WAKEQUEUE, "call", "shop/cart"], WAKEQUEUE_GRPC_ADDRESS=hook.grpc_address).wait() == 0
        assert stat_server.wait_for("shop/cart")[0].stat.pod_name == "activator-7"


def test_celerys_own_tools(installation: Installation) -> None:
    """`celery -A workers.app` finds the worker and its task: inspect, status, flower."""
    worker = installation.worker()
    ping = installation.start([*CELERY, "inspect", "--timeout", "5", "ping"])
    assert ping.wait() == 0
    assert "pong" in ping.output
    registered = installation.start([*CELERY, "inspect", "--timeout", "5", "registered"])
    assert registered.wait() == 0
    assert "wakequeue.deliver" in registered.output
    port = free_port()
    installation.start([*CELERY, "flower", "--address=127.0.0.1", f"--port={port}"])

    def workers() -> str:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/workers", timeout=5) as page:
                return str(page.read().decode())
        except OSError:
            return ""

    wait_until(lambda: f"worker-{worker.process.pid}@" in workers(), 20, "Flower to show the worker")


def test_a_worker_that_takes_nothing_says_so(installation: Installation, stat_server: StatServer) -> None:
    """A worker that was told to consume no more, while wake-ups are due, is not alive by its /livez; then it is again."""
    hook, worker = installation.hook(), installation.worker(WAKEQUEUE_STUCK_AFTER="1s")
    assert installation.start([*CELERY, "control", "--timeout", "5", "cancel_consumer", "wakequeue"]).wait() == 0
    assert worker.get("/livez")[0] == 200
    assert installation.start([WAKEQUEUE, "call", "shop/cart"], WAKEQUEUE_GRPC_ADDRESS=hook.grpc_address).wait() == 0
    wait_until(lambda: worker.get("/livez") == (503, "sender: ok\nsweep: ok\nconsumer: failed\n"), 30, "/livez to fail")
    assert installation.start([*CELERY, "control", "--timeout", "5", "add_consumer", "wakequeue"]).wait() == 0
    stat_server.wait_for("shop/cart")
    wait_until(lambda: worker.get("/livez")[0] == 200, 30, "/livez to be well again")


def test_a_worker_that_breaks_down_says_so_by_its_exit_code(installation: Installation, tmp_path: Path) -> None:
    """Celery logs what it can't recover from, and ends: not with 0, for a supervisor goes by it."""
    worker = installation.start([WAKEQUEUE, "worker"], **hurt({}, "consume", tmp_path / "marks"))
    assert worker.wait() == 1
    assert "broken down" in worker.output


def test_a_plain_celery_worker(installation: Installation, stat_server: StatServer) -> None:
    """`celery -A workers.app worker` without any option is a whole worker."""
    hook = installation.hook()
    installation.start([*CELERY, "worker"], WAKEQUEUE_ADMIN_ADDRESS=f"127.0.0.1:{free_port()}")
    assert installation.start([WAKEQUEUE, "call", "shop/cart"], WAKEQUEUE_GRPC_ADDRESS=hook.grpc_address).wait() == 0
    stat_server.wait_for("shop/cart")


def test_health_and_reflection(installation: Installation) -> None:
    """The front says over gRPC that it serves, and which services."""
    hook = installation.hook()
    with grpc.insecure_channel(hook.grpc_address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for service in ("", "authorization.HandleAuthorizationService"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        asked = iter([reflection_pb2.ServerReflectionRequest(list_services="")])
        listed = next(iter(reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(asked, timeout=5)))
        names = {service.name for service in listed.list_services_response.service}
        assert "authorization.HandleAuthorizationService" in names
