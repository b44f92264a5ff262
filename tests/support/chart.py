"""The Helm chart, rendered by a real Helm: each choice of values once for all tests."""

import functools
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from support.processes import BIN

DEPLOY = Path(__file__).parents[2] / "deploy"
CHART = DEPLOY / "helm" / "wakequeue"
EXAMPLES = sorted((DEPLOY / "helm" / "examples").glob("*.yaml"))
PLAIN = DEPLOY / "kubernetes" / "values.yaml"
HELM = BIN.parent / "helm" / "helm"

#: The mark of tests that need it. It exists for few machines; the Makefile knows for which.
needs_helm = pytest.mark.skipif(not HELM.exists(), reason=f"there is no Helm at {HELM}: `make .venv/helm` installs it")

#: What an operator may render: by name, Helm's arguments.
CHOICES = {"defaults": ()} | {path.stem: ("-f", str(path)) for path in (*EXAMPLES, PLAIN)}

Object = dict[str, Any]


class Pod(NamedTuple):
    """What an object has pods made from."""

    owner: Object
    metadata: Object
    spec: Object

    @property
    def labels(self) -> dict[str, str]:
        """The labels of its pods."""
        labels: dict[str, str] = self.metadata["labels"]
        return labels

    @property
    def component(self) -> str:
        """Which of ours it is."""
        return self.labels["app.kubernetes.io/component"]

    @property
    def container(self) -> Object:
        """Its one container."""
        (container,) = self.spec["containers"]
        assert isinstance(container, dict)
        return container


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Helm to its end, on nobody's cluster."""
    with tempfile.TemporaryDirectory(prefix="helm-") as home:
        environment = {"HOME": home, "KUBECONFIG": "/dev/null"}
        return subprocess.run([str(HELM), *arguments], env=environment, capture_output=True, text=True, timeout=30, check=False)


@functools.cache
def text(*arguments: str, release: str = "wakequeue", namespace: str = "wakequeue") -> str:
    """The manifests that Helm renders."""
    done = helm("template", release, str(CHART), "-n", namespace, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


@functools.cache
def objects(*arguments: str, release: str = "wakequeue", namespace: str = "wakequeue") -> tuple[Object, ...]:
    """The objects in them."""
    return tuple(yaml.load_all(text(*arguments, release=release, namespace=namespace), yaml.CSafeLoader))


def refusal(*arguments: str) -> str:
    """What Helm says where it refuses values."""
    done = helm("template", "wakequeue", str(CHART), *arguments)
    assert done.returncode != 0, "it is rendered"
    return done.stderr


def of_kind(kind: str, *arguments: str) -> dict[str, Object]:
    """The objects of one kind, by name."""
    return {one["metadata"]["name"]: one for one in objects(*arguments) if one["kind"] == kind}


def pods(*arguments: str) -> Iterator[Pod]:
    """What has pods."""
    for one in objects(*arguments):
        if one["kind"] == "Pod":
            yield Pod(one, one["metadata"], one["spec"])
        elif one["kind"] in {"Deployment", "StatefulSet"}:
            yield Pod(one, one["spec"]["template"]["metadata"], one["spec"]["template"]["spec"])


def pod(component: str, *arguments: str) -> Pod:
    """The pod of one component."""
    (found,) = (one for one in pods(*arguments) if one.component == component)
    return found


def environment(pod: Pod, *arguments: str) -> dict[str, str]:
    """The variables that its container of ours sees, but for those out of Secrets."""
    maps = of_kind("ConfigMap", *arguments)
    seen: dict[str, str] = {}
    for source in pod.container.get("envFrom", ()):
        seen |= maps[source["configMapRef"]["name"]]["data"]
    return seen | {one["name"]: one["value"] for one in pod.container.get("env", ()) if "value" in one}


def selects(selector: Object, labels: dict[str, str]) -> bool:
    """Whether a label selector matches: of its expressions those that the chart has."""
    for expression in selector.get("matchExpressions", ()):
        assert expression["operator"] == "In", expression
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()
