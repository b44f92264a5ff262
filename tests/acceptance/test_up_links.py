"""`wakequeue up` with a Redis and an Autoscaler of one's own, reached in every way that there is."""

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.certificates import Authority
from support.processes import BIN, Process, free_port
from support.redis_server import RedisServer
from support.sentinels import NEVER_DOWN, Sentinels
from support.stat_server import StatServer
from support.tls_relay import TlsRelay, server_tls

WAKEQUEUE = str(BIN / "wakequeue")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Everything that ends with the test."""
    with ExitStack() as everything:
        yield everything


def works(folder: Path, settings: dict[str, str], stat_server: StatServer) -> Process:
    """`up` with these settings in a file delivers a call, and ends; returns it."""
    ports = {f"{name}_address": f"127.0.0.1:{free_port()}" for name in ("grpc", "http", "admin", "flower")}
    lines = ports | settings | {"data_dir": str(folder / "data")}
    (folder / "settings.toml").write_text("\n".join(f"{name} = {json.dumps(value)}" for name, value in lines.items()))
    env = {"WAKEQUEUE_SETTINGS_FILE": "settings.toml"}
    with Process([WAKEQUEUE, "up"], env, cwd=folder) as up:
        up.wait_for_line("ready:", 40)
        with Process([WAKEQUEUE, "call", "shop/cart"], env, cwd=folder) as call:
            assert call.wait() == 0, call.output
        stat_server.wait_for("shop/cart")
        with Process([WAKEQUEUE, "status", "--json"], env, cwd=folder) as status:
            assert status.wait() == 0, status.output
            assert json.loads(status.output)["recorded_calls"] == 1
        up.send_signal(signal.SIGINT)
        assert up.wait(30) == 0, up.output
    return up


def test_up_over_tls(stack: ExitStack, tmp_path: Path) -> None:
    """Settings in a file alone reach every process of `up`: TLS and a password for Redis, TLS and a token for the Autoscaler."""
    authority = Authority(tmp_path)
    redis = stack.enter_context(RedisServer(password="hunter2"))
    relay = stack.enter_context(TlsRelay(redis.socket, authority.issue("redis")))
    tls = server_tls(authority.issue("autoscaler"))
    stat_server = stack.enter_context(StatServer(tls=tls, authorization="Bearer hunter3"))
    (tmp_path / "password").write_text("hunter2\n")
    (tmp_path / "token").write_text("hunter3\n")
    settings = {
        "redis_url": f"rediss://localhost:{relay.port}/4",
        "redis_ca_file": str(authority.certificate),
        "redis_password_file": "password",
        "autoscaler_endpoint": stat_server.url,
        "autoscaler_ca_file": "ca.pem",
        "autoscaler_token_file": "token",
    }
    up = works(tmp_path, settings, stat_server)
    assert f"reports go to {stat_server.url}" in up.output
    assert "hunter" not in up.output


def test_up_with_sentinels(stack: ExitStack, tmp_path: Path, stat_server: StatServer) -> None:
    """A Sentinel URL is all that `up` needs."""
    sentinels = stack.enter_context(Sentinels(tmp_path, down_after=NEVER_DOWN))
    works(tmp_path, {"redis_url": sentinels.url(), "autoscaler_endpoint": stat_server.url}, stat_server)


def test_a_redis_that_refuses_is_said(tmp_path: Path) -> None:
    """With the wrong password `up` ends with exit code 1 and one line, without the password."""
    with RedisServer(password="hunter2") as redis:
        env = {"REDIS_URL": redis.url.replace("hunter2", "hunter3"), "WAKEQUEUE_DATA_DIR": str(tmp_path)}
        with Process([WAKEQUEUE, "up"], env) as up:
            assert up.wait() == 1
            (line,) = (line for line in up.lines if line.startswith("wakequeue:"))
    assert "WAKEQUEUE_REDIS_URL" in line
    assert "invalid username-password pair" in line
    assert "hunter" not in up.output
