"""The files of a deployment name what exists."""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.processes import BIN

from wakequeue.cli import COMMANDS
from wakequeue.setting_sources import load

ROOT = Path(__file__).parents[2]


PROMTOOL = ROOT / ".venv" / "prometheus" / "usr" / "bin" / "promtool"

#: What a person gives in the environment.
GIVEN = {"WAKEQUEUE_REDIS_PASSWORD": "hunter2", "WAKEQUEUE_FLOWER_PASSWORD": "hunter3"}
OURS = {"hook", "worker", "beat", "flower", "autoscaler"}

Services = dict[str, dict[str, Any]]


def filled(text: str, given: Mapping[str, str]) -> str:
    """The text with its variables as Compose fills them in, from the inside out. Fails where a required one is not given."""

    def one(found: re.Match[str]) -> str:
        name, kind, rest = found[1], found[2], found[3]
        assert kind != ":?" or given.get(name), f"{name}: {rest}"
        return given.get(name) or (rest if kind == ":-" else "")

    while (more := re.sub(r"\$\{(\w+)(?:(:-|:\?)([^${}]*))?\}", one, text)) != text:
        text = more
    return text


@pytest.fixture
def compose() -> dict[str, Any]:
    """The compose file, read with what a person must give."""

    def every(value: Any) -> Any:  # noqa: ANN401  what YAML holds
        if isinstance(value, dict):
            return {name: every(one) for name, one in value.items()}
        if isinstance(value, list):
            return [every(one) for one in value]
        return filled(value, GIVEN) if isinstance(value, str) else value

    read: dict[str, Any] = every(yaml.safe_load((ROOT / "docker-compose.yml").read_text()))
    return read


@pytest.fixture
def ours(compose: dict[str, Any]) -> Services:
    """The services of our image."""
    return {name: service for name, service in compose["services"].items() if service["image"] == "wakequeue"}


def test_the_compose_file_is_one() -> None:
    """It is what the Compose Specification says, by its schema."""
    check = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.compose-spec", str(ROOT / "docker-compose.yml")]
    done = subprocess.run(check, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_docker_reads_the_compose_file() -> None:
    """Compose itself takes it, where it is installed."""
    command = ["docker", "compose", "--profile", "*", "config", "--quiet"]
    if not shutil.which("docker") or subprocess.run([*command[:2], "version"], check=False, capture_output=True).returncode:
        pytest.skip("Docker's client has no `compose` here")
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | GIVEN)


def test_every_service_runs_a_command(ours: Services) -> None:
    """Each service of our image runs a command that the command line has."""
    assert set(ours) == OURS
    for service in ours.values():
        assert service["command"][0] in COMMANDS


def test_every_variable_is_a_setting(ours: Services) -> None:
    """The variables of each of our services are settings of ours, with values that they take."""
    for service in ours.values():
        settings = load(service["environment"])
        assert settings.redis_url == "redis://:hunter2@redis:6379/0"
        assert settings.autoscaler_endpoint == "ws://autoscaler:8080"
    assert load(ours["flower"]["environment"]).flower_password.reveal() == "hunter3"


def test_no_secret_is_in_it(compose: dict[str, Any]) -> None:
    """Every password is asked for, none is on a command line, and only Flower and Grafana are given Flower's."""
    text = (ROOT / "docker-compose.yml").read_text()
    for name in GIVEN:
        with pytest.raises(AssertionError, match=f"{name}: choose a password"):
            filled(text, {one: value for one, value in GIVEN.items() if one != name})
    assert not [name for name, service in compose["services"].items() if "hunter" in str(service.get("command"))]
    assert {name for name, service in compose["services"].items() if "hunter3" in str(service)} == {"flower", "grafana"}
    assert "requirepass hunter2" in compose["configs"]["redis"]["content"]


def test_every_variable_is_described() -> None:
    """The head of the compose file names each variable and each profile that the rest has."""
    text = (ROOT / "docker-compose.yml").read_text()
    head, rest = text.split("\nname: wakequeue\n")
    assert set(re.findall(r"\$\{(\w+)", rest)) == set(re.findall(r"WAKEQUEUE_\w+", head))
    for profile in re.findall(r"profiles: \[(\w+)\]", rest):
        assert f"#   {profile} " in head


def test_ours_may_do_little(ours: Services) -> None:
    """Our services write to /tmp, and Flower to its history, have no capability, and may gain none."""
    for name, service in ours.items():
        assert service["read_only"]
        assert service["tmpfs"] == ["/tmp"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service.get("volumes", []) == (["flower:/var/lib/wakequeue"] if name == "flower" else [])


def test_every_service_can_be_started(compose: dict[str, Any], ours: Services) -> None:
    """Each has a health check and a pinned image; ports are this machine's; what is waited for is there, or need not be."""
    services = compose["services"]
    for name, service in services.items():
        assert service["healthcheck"]["test"]
        assert name in ours or re.fullmatch(r"[\w/]+:v?\d+\.\d+(\.\d+)?", service["image"])
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))
        for other, how in service["depends_on"].items() if "depends_on" in service else ():
            profiles = services[other].get("profiles", [])
            assert not how.get("required", True) or set(profiles) <= set(service.get("profiles", []))
        assert {one.split(":")[0] for one in service.get("volumes", []) if one[0] != "."} <= set(compose["volumes"])
    assert not {"ports", "container_name"} & set(services["worker"])


def mounted() -> set[str]:
    """The files of ours that the compose file mounts."""
    return set(re.findall(r"- \./([^:]+):", (ROOT / "docker-compose.yml").read_text()))


@pytest.mark.parametrize("path", sorted(mounted()))
def test_what_is_mounted_is_there(path: str) -> None:
    """Each file or folder of ours that the compose file mounts exists."""
    if path.startswith("deploy/helm") and not (ROOT / "deploy" / "helm").exists():
        pytest.skip("the chart is not in this checkout")
    assert (ROOT / path).exists()


@pytest.mark.skipif(not PROMTOOL.exists(), reason="no promtool: `make .venv/prometheus`")
def test_prometheus_takes_its_configuration(tmp_path: Path) -> None:
    """Prometheus reads it, with the rules where they are mounted, and asks every replica of each role that has metrics."""
    configuration = ROOT / "deploy" / "compose" / "prometheus.yml"
    rules = ROOT / "deploy" / "helm" / "wakequeue" / "rules" / "wakequeue.yaml"
    shutil.copy(configuration, tmp_path)
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "wakequeue.yaml").write_text(rules.read_text() if rules.exists() else "groups: []")
    check = [str(PROMTOOL), "check", "config", str(tmp_path / "prometheus.yml")]
    done = subprocess.run(check, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (scraped,) = yaml.safe_load(configuration.read_text())["scrape_configs"]
    assert scraped["dns_sd_configs"][0]["names"] == ["hook", "worker", "beat"]


def test_grafana_finds_its_dashboards(compose: dict[str, Any]) -> None:
    """Where its provider looks, the dashboards are mounted."""
    folder = ROOT / "deploy" / "compose" / "grafana" / "dashboards"
    (provider,) = yaml.safe_load((folder / "wakequeue.yaml").read_text())["providers"]
    assert f"./deploy/helm/wakequeue/dashboards:{provider['options']['path']}:ro" in compose["services"]["grafana"]["volumes"]


def test_the_lock_files_pin_every_dependency() -> None:
    """Each dependency that pyproject.toml names is pinned in the lock file, with hashes and no address."""
    names = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    lock = (ROOT / "requirements.lock").read_text()
    for name in names:
        assert f"\n{name.split('[')[0].split('>')[0].split('=')[0].split('~')[0]}==" in f"\n{lock}"
    assert "--hash=sha256:" in lock
    assert "://" not in lock
