"""The passwords that the chart makes: hard to guess, and kept by upgrades."""

from pathlib import Path

import yaml
from support.chart import CHART, helm, needs_helm, objects, of_kind
from support.secret_server import SecretServer

pytestmark = needs_helm


def test_a_password_is_made() -> None:
    """Redis and Flower have passwords of their own, long, and others for each release."""
    first, second = of_kind("Secret"), of_kind("Secret", "--set", "hook.replicas=3")
    made = [one["stringData"]["password"] for secrets in (first, second) for one in secrets.values()]
    assert len(set(made)) == 4
    assert {len(password) for password in made} == {32}


def test_an_upgrade_keeps_passwords(tmp_path: Path) -> None:
    """Helm, on a cluster that has the Secret already, renders the password that is in it; what isn't there is made."""
    with SecretServer(objects(), {"wakequeue-redis": "kept"}, "wakequeue", "wakequeue") as cluster:
        done = helm(
            *("template", "wakequeue", str(CHART), "-n", "wakequeue", "--dry-run=server", "--disable-openapi-validation"),
            *("--kubeconfig", str(cluster.kubeconfig(tmp_path / "kubeconfig"))),
        )
    assert done.returncode == 0, done.stderr
    secrets = {one["metadata"]["name"]: one["stringData"] for one in yaml.safe_load_all(done.stdout) if one["kind"] == "Secret"}
    assert secrets["wakequeue-redis"]["password"] == "kept"
    assert "requirepass kept\n" in secrets["wakequeue-redis"]["redis.conf"]
    assert len(secrets["wakequeue-flower"]["password"]) == 32


def test_the_operator_s_own_secret_counts() -> None:
    """Where the operator names a Secret for Flower, none is made."""
    named = ("--set", "files.flower_password_file.secret=mine,files.flower_password_file.key=word")
    assert set(of_kind("Secret", *named)) == {"wakequeue-redis"}
