"""What Helm prints after an install: what to do next, and what is still missing."""

import re

import pytest
from support.chart import CHART, CHOICES, helm, needs_helm, of_kind

from wakequeue.cli import COMMANDS

pytestmark = needs_helm


def notes(*values: str) -> str:
    """What is printed."""
    done = helm("install", "wakequeue", str(CHART), "-n", "wakequeue", "--dry-run=client", *values)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("\nNOTES:\n")[2]


@pytest.mark.parametrize("values", [CHOICES["defaults"], CHOICES["network-policies"]])
def test_they_name_what_is_there(values: tuple[str, ...]) -> None:
    """The Services, Deployments and Secrets in the notes are rendered, and the commands are commands."""
    said = notes(*values)
    services, deployments = of_kind("Service", *values), of_kind("Deployment", *values)
    assert set(re.findall(r"(wakequeue-[-a-z]+)\.wakequeue\.svc", said)) <= services.keys()
    assert set(re.findall(r"svc/(\S+)", said)) <= services.keys()
    assert set(re.findall(r"deploy/(\S+)", said)) <= deployments.keys()
    assert set(re.findall(r"get secret -n wakequeue (\S+)", said)) <= of_kind("Secret", *values).keys()
    assert set(re.findall(r"-- wakequeue (\w+)", said)) == {"doctor", "status"} <= COMMANDS.keys()


def test_they_say_what_is_missing() -> None:
    """Whoever tries it out is told of what is open, and of the one Redis; whoever named Secrets, which ones have to be made."""
    assert all(word in notes() for word in ("Redis is one pod", "grpc_token_file", "guardAutoscaler"))
    assert "that forgets all with its end" in notes(*CHOICES["try-out"])
    assert "Redis is reached without a password" in notes(*CHOICES["autoscaler-tls"])
    said = notes(*CHOICES["production-sentinel-tls"])
    assert "Secret redis, key sentinel-password" in said
    assert "Redis is" not in said
    assert "files.grpc_token_file" not in said
    assert "ConfigMap redis-ca, key ca.crt" in notes(*CHOICES["keda"])
    assert "Flower" not in notes(*CHOICES["autoscaler-tls"])
