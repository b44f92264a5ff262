"""The files of a deployment name what exists."""

import tomllib
from pathlib import Path

import pytest
import yaml

from wakequeue.cli import COMMANDS
from wakequeue.setting_sources import load

ROOT = Path(__file__).parents[2]


@pytest.fixture
def compose() -> dict[str, dict[str, dict[str, object]]]:
    """The compose file, read."""
    read: dict[str, dict[str, dict[str, object]]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return read


def test_every_service_runs_a_command(compose: dict[str, dict[str, dict[str, object]]]) -> None:
    """Each service of our image runs a command that the command line has."""
    ours = {name: service for name, service in compose["services"].items() if service["image"] == "wakequeue"}
    assert set(ours) == {"hook", "worker", "beat", "flower", "autoscaler"}
    for service in ours.values():
        command = service["command"]
        assert isinstance(command, list)
        assert command[0] in COMMANDS


def test_every_variable_is_a_setting(compose: dict[str, dict[str, dict[str, object]]]) -> None:
    """The variables that the compose file sets are settings of ours, with values that they take; no secret is in it."""
    environment = compose["services"]["hook"]["environment"]
    assert isinstance(environment, dict)
    chosen = {name: value for name, value in environment.items() if "${" not in value}
    assert load(chosen).grpc_address == "0.0.0.0:6100"
    assert set(environment) - set(chosen) == {
        "WAKEQUEUE_REDIS_URL",
        "WAKEQUEUE_AUTOSCALER_ENDPOINT",
        "WAKEQUEUE_KNATIVE_RELEASE",
        "WAKEQUEUE_SCHEDULES",
        "WAKEQUEUE_GROUPS",
        "WAKEQUEUE_ZONE",
    }
    assert "${WAKEQUEUE_REDIS_PASSWORD:?" in environment["WAKEQUEUE_REDIS_URL"]


def test_the_lock_files_pin_every_dependency() -> None:
    """Each dependency that pyproject.toml names is pinned in the lock file, with hashes and no address."""
    names = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    lock = (ROOT / "requirements.lock").read_text()
    for name in names:
        assert f"\n{name.split('[')[0].split('>')[0].split('=')[0].split('~')[0]}==" in f"\n{lock}"
    assert "--hash=sha256:" in lock
    assert "://" not in lock
