"""Flower as we run it: behind its door, with tasks that can be read, and a history that outlives it."""

import json
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.flower import PASSWORD, asked, page, paths, shown_by_flower
from support.installation import Installation
from support.mixer import check_all, request
from support.processes import BIN, Process, free_port
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.waiting import wait_until

FLOWER = [str(BIN / "wakequeue"), "flower"]
DATATABLE = "/tasks/datatable?draw=1&start=0&length=10&search[value]=&order[0][column]=0&order[0][dir]=asc"


def status(asked: urllib.request.Request | str, method: str = "GET", **headers: str) -> int:
    """The status of an answer."""
    one = asked if isinstance(asked, urllib.request.Request) else urllib.request.Request(asked)
    one.method = method
    one.headers |= headers
    try:
        with urllib.request.urlopen(one, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_the_door(installation: Installation) -> None:
    """Without the password every route answers 401, whatever is asked of it, but the health check, which says OK and no more."""
    _, url = shown_by_flower(installation, installation.worker())
    served = [*paths("worker-1@here"), "/static/css/flower.css"]
    assert {"/", "/tasks", "/metrics", "/api/worker/shutdown/worker-1@here", "/login", "/nowhere"} <= set(served)
    for path in served:
        if path != "/healthcheck":
            assert {status(f"{url}{path}", method) for method in ("GET", "HEAD", "POST", "OPTIONS")} == {401}, path
    assert urllib.request.urlopen(f"{url}/healthcheck", timeout=10).read() == b"OK"
    assert status(asked(f"{url}/api/task/info/healthcheck", "wrong")) == 401
    wait_until(lambda: "flower_events_total" in page(f"{url}/metrics"), what="its metrics")
    with urllib.request.urlopen(asked(f"{url}/tasks"), timeout=10) as shown_page:
        assert shown_page.headers["Content-Security-Policy"] == "frame-ancestors 'none'"
    revoke = f"{url}/api/task/revoke/1"
    assert status(asked(revoke), "POST", Origin="http://elsewhere.example") == 403
    assert status(asked(revoke), "POST") == 200


def test_without_a_password(redis_server: RedisServer, tmp_path: Path) -> None:
    """On a loopback address its pages are shown, by this machine's names alone; there is no API, whatever Flower is told."""
    address = f"127.0.0.1:{free_port()}"
    env = {"WAKEQUEUE_REDIS_URL": redis_server.url, "WAKEQUEUE_FLOWER_ADDRESS": address, "WAKEQUEUE_DATA_DIR": str(tmp_path)}
    told = {"FLOWER_UNAUTHENTICATED_API": "true", "FLOWER_PORT": "tcp://192.0.2.1:5555", "FLOWER_READ_ONLY": "false"}
    with Process(FLOWER, env | told) as flower:
        wait_until(lambda: page(f"http://{address}/healthcheck"), what="Flower")
        assert status(f"http://{address}/tasks") == 200
        assert status(f"http://{address}/tasks", Host="elsewhere.example") == 403
        assert status(f"http://{address}/api/tasks") == 401
        assert status(f"http://{address}/api/task/send-task/wakequeue.deliver", "POST") == 401
        assert flower.stop() == 0


def test_flowers_own_variables(redis_server: RedisServer, tmp_path: Path) -> None:
    """What the configuration leaves alone, they set; the health check is where probes look for it, at an address of IPv6 too."""
    address = f"[::1]:{free_port()}"
    env = {"WAKEQUEUE_REDIS_URL": redis_server.url, "WAKEQUEUE_FLOWER_ADDRESS": address, "WAKEQUEUE_DATA_DIR": str(tmp_path)}
    with Process(FLOWER, env | {"FLOWER_URL_PREFIX": "shown", "WAKEQUEUE_FLOWER_PASSWORD": "hunter2"}):
        wait_until(lambda: page(f"http://{address}/healthcheck"), what="Flower")
        assert status(f"http://{address}/shown/tasks") == 401
        assert status(asked(f"http://{address}/shown/tasks", "hunter2")) == 200


@pytest.mark.parametrize("command", [FLOWER, [str(BIN / "celery"), "-A", "workers.app", "flower"]])
def test_an_open_address_needs_a_password(command: list[str]) -> None:
    """At an address that others reach, it ends with exit code 2 and one line, however it is started."""
    with Process(command, {"WAKEQUEUE_FLOWER_ADDRESS": f"0.0.0.0:{free_port()}"}) as flower:
        assert flower.wait() == 2
        (line,) = flower.lines
        assert line.startswith("wakequeue: WAKEQUEUE_FLOWER_ADDRESS = '0.0.0.0:")
        assert line.endswith("flower_password_file or flower_password must be set too")


def shown(url: str) -> list[dict[str, object]]:
    """The rows of the page of tasks."""
    rows: list[dict[str, object]] = json.loads(page(f"{url}{DATATABLE}") or '{"data": []}')["data"]
    return rows


def test_history_outlives_it(installation: Installation, stat_server: StatServer) -> None:
    """A task is shown with its Revisions and what became of them, also after a restart, and one after the file was damaged."""
    hook, worker = installation.hook(), installation.worker()
    flower, url = shown_by_flower(installation, worker)
    check_all(hook.grpc_address, [request(b"shop", b"cart")])
    stat_server.wait_for("shop/cart")

    def succeeded() -> list[dict[str, object]]:
        return [one for one in shown(url) if one["args"] == "1 Revision: shop/cart" and one["result"] == "taken 1, reported 1"]

    (first, *_) = wait_until(succeeded, what="Flower to show the task")
    assert flower.stop() == 0
    flower, url = shown_by_flower(installation, worker)
    assert first["uuid"] in {one["uuid"] for one in shown(url)}
    assert flower.stop() == 0
    kept = [path for path in installation.data_dir.iterdir() if path.name.startswith("flower")]
    assert kept
    for path in kept:
        path.write_bytes(b"damaged")
    flower, url = shown_by_flower(installation, worker)
    flower.wait_for_line("moving it aside")
    assert first["uuid"] not in {one["uuid"] for one in shown(url)}


def test_it_listens_again_once_redis_is_back(redis_server: RedisServer, stat_server: StatServer) -> None:
    """However long that was away."""
    with Installation(redis_server.url, stat_server.url) as installation:
        hook, worker = installation.hook(), installation.worker()
        flower, url = shown_by_flower(installation, worker)
        redis_server.kill()
        flower.wait_for_line("Flower hears of no tasks")
        time.sleep(17)  # Flower's own would listen 31 s after the end of Redis, and not sooner
        redis_server.start()

        def heard() -> list[dict[str, object]]:
            check_all(hook.grpc_address, [request(b"shop", b"cart")])
            return [one for one in shown(url) if one["args"] == "1 Revision: shop/cart"]

        wait_until(heard, 8, "Flower to show the task")
        assert "Traceback" not in flower.output


def test_it_ends_at_once(redis_server: RedisServer, tmp_path: Path) -> None:
    """Whatever it waits for, be it for a Redis that hangs, and with its history kept."""
    address = f"127.0.0.1:{free_port()}"
    env = {"WAKEQUEUE_REDIS_URL": redis_server.url, "WAKEQUEUE_FLOWER_ADDRESS": address, "WAKEQUEUE_DATA_DIR": str(tmp_path)}
    with Process(FLOWER, env | {"WAKEQUEUE_FLOWER_PASSWORD": PASSWORD}) as flower, ThreadPoolExecutor() as visitors:
        wait_until(lambda: page(f"http://{address}/healthcheck"), what="Flower")
        redis_server.pause()
        visitors.submit(page, f"http://{address}/api/workers?refresh=1")
        assert page(f"http://{address}/healthcheck")
        began = time.monotonic()
        assert flower.stop() == 0
        assert time.monotonic() - began < 5
        redis_server.resume()
    assert list(tmp_path.glob("flower*"))


def test_a_history_that_can_not_be_kept(redis_server: RedisServer, tmp_path: Path) -> None:
    """Where `data_dir` can't be written to, it says so in one line, and runs."""
    (tmp_path / "file").touch()
    address = f"127.0.0.1:{free_port()}"
    env = {"WAKEQUEUE_REDIS_URL": redis_server.url, "WAKEQUEUE_FLOWER_ADDRESS": address}
    with Process(FLOWER, env | {"WAKEQUEUE_DATA_DIR": str(tmp_path / "file" / "data")}) as flower:
        wait_until(lambda: page(f"http://{address}/tasks"), what="Flower")
        assert flower.stop() == 0
        assert flower.lines[0].startswith("wakequeue: Flower keeps its history in memory alone: WAKEQUEUE_DATA_DIR = ")
        assert "Traceback" not in flower.output
