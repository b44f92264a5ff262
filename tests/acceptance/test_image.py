"""The image, made by the steps of its Dockerfile, and every role in it as it is run: as user 10001, on a read-only root."""

import os
from pathlib import Path

import psutil
import pytest
from support.dockerfile import Stage, build, can_mount, sent
from support.processes import Process
from support.redis_server import RedisServer
from support.waiting import wait_until

ROOT = Path(__file__).parents[2]

pytestmark = [
    pytest.mark.skipif(not can_mount(), reason="only root on Linux may lay file systems over its own"),
    pytest.mark.timeout(600),
]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """The image."""
    folder = tmp_path_factory.mktemp("image")
    for one in (folder, *folder.parents[:2]):
        one.chmod(0o755)
    return build(ROOT / "deploy" / "Dockerfile", ROOT, folder, VERSION="1.2.3")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """The container's /var/lib/wakequeue."""
    os.chown(tmp_path, 10001, 10001)
    return tmp_path


def run(image: Stage, data: Path, *arguments: str, **env: str) -> Process:
    """A container."""
    return Process(image.container(list(arguments), env, {"/var/lib/wakequeue": data}), {})


def test_what_is_in_it(image: Stage, data: Path) -> None:
    """wakequeue, compiled and for everybody to read; no pip, no compiler, nothing of the build; and it says its version."""
    files = [path for path in (image.layer / "opt").rglob("*") if path.is_file() and not path.is_symlink()]
    megabytes = sum(path.stat().st_size for path in files) / 1e6
    print(f"/opt/wakequeue: {megabytes:.0f} MB in {len(files)} files")  # noqa: T201  shown by `pytest -s`
    assert 50 < megabytes < 200
    assert all(path.stat().st_mode & 0o444 == 0o444 for path in files)
    names = {path.name for path in files}
    assert {"wakequeue", "celery", "flower.css", "record.lua"} <= names
    assert not {"pip", "pip3", "uv", "gcc", "hatchling", "pytest"} & names
    modules = [path for path in files if path.suffix == ".py" and "wakequeue" in path.parent.parts[-1:]]
    assert modules
    assert all(list((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc")) for path in modules)
    assert not (image.layer / "src").exists()
    assert image.labels["org.opencontainers.image.version"] == "1.2.3"
    for python in ("/opt/wakequeue/bin/python", f"{os.path.realpath(image.layer / 'opt/wakequeue/bin/python')}"):
        with run(image, data, python, "-c", "import pip") as asked:
            assert asked.wait() == 1
            assert "No module named 'pip'" in asked.output
    with run(image, data, *image.entrypoint, "--version") as asked:
        assert asked.wait() == 0


@pytest.mark.parametrize("role", ["hook", "worker", "beat", "flower", "autoscaler"])
def test_every_role(image: Stage, role: str, data: Path) -> None:
    """As process 1, with these settings and no other environment, it is healthy by the image's check; SIGTERM ends it."""
    env = {"WAKEQUEUE_AUTOSCALER_ENDPOINT": "ws://127.0.0.1:8080", "WAKEQUEUE_FLOWER_PASSWORD": "hunter2"}
    with RedisServer("--unixsocketperm", "777") as redis:
        redis.data_dir.chmod(0o755)
        env["WAKEQUEUE_REDIS_URL"] = f"unix:///mnt/{redis.socket.name}"
        mounts = {"/var/lib/wakequeue": data, "/mnt": redis.data_dir}
        with Process(image.container([*image.entrypoint, role], env, mounts), {}) as container:
            (process,) = wait_until(psutil.Process(container.pid).children, what="the container")

            def healthy() -> bool:
                assert container.returncode is None, container.output
                with Process(image.inside(process.pid, image.healthcheck, env), {}) as check:
                    return check.wait() == 0

            wait_until(healthy, 30, f"the {role} to be healthy")
            assert process.uids().effective == 10001
            assert process.children() == []
            process.terminate()
            assert container.wait(10) == 0, container.output
        assert "Traceback" not in container.output


def test_nothing_is_healthy(image: Stage, data: Path) -> None:
    """Where nothing runs, the health check says so."""
    with run(image, data, *image.healthcheck) as check:
        assert check.wait() == 1
        assert check.lines == ["nothing listens at 0.0.0.0:6101, 0.0.0.0:5555, 127.0.0.1:8080"]


def test_its_root_is_read_only(image: Stage, data: Path) -> None:
    """A container writes to /tmp and to its data, and nowhere else."""
    script = "touch /tmp/a /var/lib/wakequeue/a && ! touch /opt/wakequeue/a /etc/a /a"
    with run(image, data, "sh", "-c", script) as tried:
        assert tried.wait() == 0, tried.output
        assert tried.output.count("Read-only file system") == 3


@pytest.mark.parametrize(
    ("name", "goes"),
    [
        ("wakequeue/cli.py", True),
        ("README.md", True),
        ("wakequeue/ledger/__pycache__/front.cpython-311.pyc", False),
        ("tests/conftest.py", False),
        (".env", False),
        (".git/config", False),
    ],
)
def test_what_is_sent(name: str, goes: bool) -> None:  # noqa: FBT001  a test's example
    """The build is sent the sources and what it needs beside them, and nothing else."""
    assert sent(Path(name), (ROOT / ".dockerignore").read_text().split()) == goes
