"""`wakequeue doctor`, as an operator runs it, at a Kubernetes API server; all else is well."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.api_server import ApiServer
from support.knative import REVISIONS, revision
from support.processes import free_port
from support.well import Found, Well, all_well

CONFIG_MAPS = "/api/v1/configmaps"

#: How many findings come before the cluster's.
BEFORE = 16


@pytest.fixture(scope="module")
def well() -> Iterator[Well]:
    """An installation without a cluster."""
    with all_well() as started:
        yield started


@pytest.fixture
def server() -> Iterator[ApiServer]:
    """A cluster with Knative Serving 1.18.1, its defaults but for the burst capacity, and no Revision."""
    with ApiServer(token="let-me-in") as started:
        started.answers["/version"] = {"gitVersion": "v1.33.1"}
        started.answers["/apis/serving.knative.dev"] = {"versions": [{"version": "v1"}, {"version": "v1beta1"}]}
        configure(started, **{"target-burst-capacity": "0"})
        yield started


def configure(server: ApiServer, **data: str) -> None:
    """Configure the Autoscaler."""
    metadata = {"name": "config-autoscaler", "namespace": "knative-serving", "labels": {"app.kubernetes.io/version": "1.18.1"}}
    server.put(CONFIG_MAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def found(well: Well, server: ApiServer, folder: Path, **env: str) -> tuple[int, Found]:
    """How the command would end, and what it finds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", str(server.kubeconfig(folder / "kubeconfig")))
        findings = well.found(WAKEQUEUE_KUBERNETES="on", **env)
    return int(any(grade == "error" for _, grade, _ in findings)), findings


def test_all_is_well(well: Well, server: ApiServer, tmp_path: Path) -> None:
    """Exit code 0, and one line a finding, which begins with its grade."""
    kubeconfig = str(server.kubeconfig(tmp_path / "kubeconfig"))
    code, lines = well.doctor(KUBECONFIG=kubeconfig, WAKEQUEUE_KUBERNETES="on")
    assert code == 0
    assert [line.split()[:2] for line in lines[BEFORE:]] == [
        ["ok", "cluster"],
        ["ok", "knative"],
        ["ok", "access"],
        ["ok", "knative"],
        ["ok", "config-autoscaler"],
        ["ok", "revisions"],
    ]
    assert len({line.index(words) for line, words in zip(lines[BEFORE:], ("Kubernetes", "serving", "routes"), strict=False)}) == 1


def test_warnings_are_nothing_wrong(well: Well, server: ApiServer, tmp_path: Path) -> None:
    """Exit code 0: of the configuration and of single Revisions, over more than one page of them."""
    configure(server, **{"enable-scale-to-zero": "false"})
    for number in range(300):
        made = revision("shop", f"cart-{number:05}")
        made["metadata"]["annotations"] = {
            "autoscaling.knative.dev/window": "6s",
            "autoscaling.knative.dev/min-scale": str(number % 2),
        }
        server.put(REVISIONS, made)
    code, findings = found(well, server, tmp_path, WAKEQUEUE_IDLE_AFTER="6s", WAKEQUEUE_HTTP_ADDRESS=f"0.0.0.0:{free_port()}")
    assert code == 0
    words = [words for subject, grade, words in findings if grade == "warning" and subject in {"config-autoscaler", "revisions"}]
    assert "ever sleeps" in words[0]
    assert "target-burst-capacity is what it is by default" in words[1]
    assert "shop/cart-00000, shop/cart-00001, shop/cart-00002 and 297 more" in words[2]
    assert len(words) == 3
    assert findings[-1][2] == "300 in all, of which 150 never sleep: their min-scale is above 0"


def test_what_is_forbidden(well: Well, server: ApiServer, tmp_path: Path) -> None:
    """Exit code 1; the rest is looked at all the same."""
    server.deny = {REVISIONS, CONFIG_MAPS}
    code, findings = found(well, server, tmp_path)
    assert code == 1
    against = [(subject, grade) for subject, grade, _ in findings if grade != "ok"]
    assert against == [("access", "error"), ("config-autoscaler", "warning")]


@pytest.mark.parametrize("how", ["stopped", "unauthorized"])
def test_an_api_that_cannot_be_asked(well: Well, server: ApiServer, tmp_path: Path, how: str) -> None:
    """Exit code 1, and one error that names the cause; the token is not shown."""
    kubeconfig = str(server.kubeconfig(tmp_path / "kubeconfig"))
    if how == "stopped":
        server.stop()
    server.token = "another"
    code, lines = well.doctor(KUBECONFIG=kubeconfig, WAKEQUEUE_KUBERNETES="on")
    assert code == 1
    assert len(lines) == BEFORE + 1
    assert lines[BEFORE].startswith("error")
    assert ("network" if how == "stopped" else "unauthorized") in lines[BEFORE]
    assert "let-me-in" not in lines[BEFORE]


def test_credentials_that_cannot_be_had(well: Well, server: ApiServer, tmp_path: Path) -> None:
    """A program that a kubeconfig has run for them, and that fails, is one error."""
    path = server.kubeconfig(tmp_path / "kubeconfig")
    config = json.loads(path.read_text())
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": "false", "interactiveMode": "Never"}
    config["users"][0]["user"] = {"exec": run}
    path.write_text(json.dumps(config))
    code, lines = well.doctor(KUBECONFIG=str(path), WAKEQUEUE_KUBERNETES="on")
    assert code == 1
    assert len(lines) == BEFORE + 1
    assert "Kubernetes can't be asked: defect" in lines[BEFORE]


def test_no_way_to_the_api(well: Well, tmp_path: Path) -> None:
    """A kubeconfig that can't be read is one error, where the settings insist."""
    code, lines = well.doctor(KUBECONFIG=str(tmp_path / "none"), WAKEQUEUE_KUBERNETES="on")
    assert code == 1
    assert lines[BEFORE].startswith("error    cluster")


@pytest.mark.parametrize("kubernetes", ["off", "auto"])
def test_no_cluster(well: Well, kubernetes: str) -> None:
    """Exit code 0, and one line that says why none is looked at."""
    code, lines = well.doctor(WAKEQUEUE_KUBERNETES=kubernetes)
    assert code == 0
    assert len(lines) == BEFORE + 1
    assert f"not looked at: kubernetes = {kubernetes}" in lines[BEFORE]


def test_a_wrong_setting(well: Well) -> None:
    """Exit code 1, and the refusal is the only finding."""
    code, lines = well.doctor(WAKEQUEUE_IDLE_AFTER="5")
    assert code == 1
    (line,) = lines
    assert line.startswith("error    settings           WAKEQUEUE_IDLE_AFTER = ")
