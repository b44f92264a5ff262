"""What wakequeue may do in a cluster: what it needs, and nothing else."""

from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml

from wakequeue.cluster.mirrored import Collection
from wakequeue.cluster.objects import FRONT, WORKER

FILE = Path(__file__).parents[2] / "deploy/kubernetes/rbac.yaml"

Right = tuple[str, str, str, str]
"""An API group, a resource, the name of the only object (or none), and a verb."""


@pytest.fixture
def objects() -> dict[tuple[str, str], dict[str, Any]]:
    """The file's objects, by kind and name."""
    return {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(FILE.read_text())}


def rights(role: dict[str, Any]) -> set[Right]:
    """All that a role allows."""
    return {
        right
        for rule in role["rules"]
        for right in product(rule["apiGroups"], rule["resources"], rule.get("resourceNames", [""]), rule["verbs"])
    }


def needs(collections: Iterable[Collection]) -> set[Right]:
    """What it takes to mirror collections."""
    return {(one.path.split("/")[2], one.collection(), "", verb) for one in collections for verb in ("list", "watch")}


def test_roles_allow_what_is_mirrored_and_no_more(objects: dict[tuple[str, str], dict[str, Any]]) -> None:
    """A front and a worker list and watch the collections that each mirrors; the doctor gets one ConfigMap besides."""
    assert rights(objects["ClusterRole", "wakequeue-hook"]) == needs(FRONT)
    assert rights(objects["ClusterRole", "wakequeue-worker"]) == needs(WORKER)
    role = objects["Role", "wakequeue-doctor"]
    assert rights(role) == {("", "configmaps", "config-autoscaler", "get")}
    assert role["metadata"]["namespace"] == "knative-serving"


def test_each_account_has_its_roles(objects: dict[tuple[str, str], dict[str, Any]]) -> None:
    """A front and a worker have their own role; the doctor has both, and its own."""
    bound = {
        (subject["name"], one["roleRef"]["kind"], one["roleRef"]["name"])
        for (kind, _), one in objects.items()
        if kind.endswith("Binding")
        for subject in one["subjects"]
    }
    assert bound == {
        ("wakequeue-hook", "ClusterRole", "wakequeue-hook"),
        ("wakequeue-worker", "ClusterRole", "wakequeue-worker"),
        ("wakequeue-doctor", "ClusterRole", "wakequeue-hook"),
        ("wakequeue-doctor", "ClusterRole", "wakequeue-worker"),
        ("wakequeue-doctor", "Role", "wakequeue-doctor"),
    }
    assert {("ServiceAccount", account) for account, _, _ in bound} | {(kind, name) for _, kind, name in bound} <= objects.keys()


def test_bindings_are_where_they_count(objects: dict[tuple[str, str], dict[str, Any]]) -> None:
    """Every account is of the namespace `wakequeue`, and the doctor's binding is beside its role."""
    accounts = [one["metadata"] for (kind, _), one in objects.items() if kind == "ServiceAccount"]
    subjects = [subject for (kind, _), one in objects.items() if kind.endswith("Binding") for subject in one["subjects"]]
    assert {one["namespace"] for one in accounts + subjects} == {"wakequeue"}
    assert objects["RoleBinding", "wakequeue-doctor"]["metadata"]["namespace"] == "knative-serving"
