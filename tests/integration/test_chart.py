"""The Helm chart: what it renders is what Kubernetes and the operators of its custom resources take, and hangs together."""

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudcoil.models.keda.v1alpha1 as keda
import cloudcoil.models.prometheus_operator.v1 as prometheus
import kubernetes_validate
import pytest
import yaml
from redis import Redis
from redis.exceptions import AuthenticationError, RedisError
from support.chart import CHART, CHOICES, DEPLOY, Object, environment, helm, needs_helm, objects, of_kind, pod, pods, selects
from support.processes import Process, free_port
from support.waiting import wait_until

from wakequeue import __version__
from wakequeue.cli import COMMANDS
from wakequeue.embedded import server_command

pytestmark = needs_helm

each_choice = pytest.mark.parametrize("values", CHOICES.values(), ids=CHOICES)

#: The models of custom resources, by group.
MODELS = {"keda.sh": keda, "monitoring.coreos.com": prometheus}


def all_objects() -> list[Object]:
    """What all choices render, each object once."""
    return [json.loads(one) for one in {json.dumps(one) for values in CHOICES.values() for one in objects(*values)}]


@each_choice
def test_helm_finds_nothing(values: tuple[str, ...]) -> None:
    """Helm's own linter, at its strictest, finds nothing."""
    linted = helm("lint", "--strict", str(CHART), *values)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "WARNING" not in linted.stdout


@pytest.mark.parametrize("version", ["1.32", "1.35", "1.37"])
def test_kubernetes_takes_every_object(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every object is one of this Kubernetes, without a field that it doesn't know."""
    # It would read its schemas anew for each object.
    monkeypatch.setattr(kubernetes_validate.utils, "schema_contents", functools.cache(kubernetes_validate.utils.schema_contents))
    ours = [one for one in all_objects() if one["apiVersion"].split("/")[0] not in MODELS]
    assert len(ours) > 50
    for one in ours:
        kubernetes_validate.validate(one, version, strict=True)


def test_operators_take_every_object() -> None:
    """Every custom resource is as its operator defines it: read by its model and written again it is the same."""
    custom = [one for one in all_objects() if one["apiVersion"].split("/")[0] in MODELS]
    assert {one["kind"] for one in custom} == {"ScaledObject", "TriggerAuthentication", "PodMonitor", "PrometheusRule"}
    for one in custom:
        model: Any = getattr(MODELS[one["apiVersion"].split("/")[0]], one["kind"])
        assert model.model_validate(one).model_dump(by_alias=True, exclude_unset=True, mode="json") == one


@each_choice
def test_every_container_is_locked_and_watched(values: tuple[str, ...]) -> None:
    """No pod is root, can write where it need not, or goes unwatched; each asks for what it needs."""
    for one in pods(*values):
        security, own = one.spec["securityContext"], one.container["securityContext"]
        assert security["runAsNonRoot"] is True
        assert (security["runAsUser"], security["seccompProfile"]) == (10001, {"type": "RuntimeDefault"})
        assert own == {"readOnlyRootFilesystem": True, "allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        assert one.container["resources"]["requests"].keys() == {"cpu", "memory"}
        if one.component != "doctor":
            assert {"startupProbe", "readinessProbe", "livenessProbe"} <= one.container.keys()


@each_choice
def test_every_pod_runs_a_command(values: tuple[str, ...]) -> None:
    """The pods of our image run commands that the command line has, and there is a writable /tmp."""
    ours = [one for one in pods(*values) if one.component != "redis"]
    assert {"hook", "worker", "doctor"} <= {one.component for one in ours}
    for one in ours:
        assert one.container["args"] == [one.component]
        assert one.component in COMMANDS
        assert {"name": "tmp", "mountPath": "/tmp"} in one.container["volumeMounts"]


@each_choice
def test_ports_are_where_they_are_looked_for(values: tuple[str, ...]) -> None:
    """A Service, a probe or a monitor names a port that its pods have; and a server listens at the one that is named."""
    found = list(pods(*values))
    for service in of_kind("Service", *values).values():
        (behind,) = (one for one in found if service["spec"]["selector"].items() <= one.labels.items())
        names = {port["name"]: port["containerPort"] for port in behind.container["ports"]}
        for port in service["spec"]["ports"]:
            assert names[port["targetPort"]] == port["port"]
    for one in found:
        named = {port["name"] for port in one.container.get("ports", ())}
        probes = [probe["httpGet"]["port"] for key, probe in one.container.items() if key.endswith("Probe") and "httpGet" in probe]
        assert named >= set(probes)
        listens = {
            variable.split("_")[1].lower(): address
            for variable, address in environment(one, *values).items()
            if "ADDRESS" in variable
        }
        for port in one.container.get("ports", ()):
            role = "flower" if one.component == "flower" else port["name"]
            assert one.component == "redis" or listens[role].endswith(f":{port['containerPort']}")
    for monitor in of_kind("PodMonitor", *values).values():
        watched = [one for one in found if selects(monitor["spec"]["selector"], one.labels)]
        assert {one.component for one in watched} >= {"hook", "worker"}
        for one in watched:
            assert {end["port"] for end in monitor["spec"]["podMetricsEndpoints"]} <= {
                port["name"] for port in one.container["ports"]
            }


@each_choice
def test_selectors_find_their_pods(values: tuple[str, ...]) -> None:
    """What is to select pods, or to scale them, finds those of one component and no other."""
    found = list(pods(*values))
    for one in objects(*values):
        if one["kind"] in {"Deployment", "StatefulSet", "PodDisruptionBudget"}:
            (chosen,) = (each for each in found if selects(one["spec"]["selector"], each.labels))
            assert one["metadata"]["name"] == chosen.owner["metadata"]["name"]
        if one["kind"] in {"HorizontalPodAutoscaler", "ScaledObject"}:
            scaled = of_kind("Deployment", *values)[one["spec"]["scaleTargetRef"]["name"]]
            assert "replicas" not in scaled["spec"]
    for each in found:
        for spread in each.spec.get("topologySpreadConstraints", ()):
            assert selects(spread["labelSelector"], each.labels)


def references(spec: Object) -> Iterator[tuple[str, str]]:
    """The Secrets, ConfigMaps, claims and accounts that a pod needs, by kind and name."""
    if "serviceAccountName" in spec:
        yield "ServiceAccount", spec["serviceAccountName"]
    for volume in spec["volumes"]:
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]
        if "secret" in volume:
            yield "Secret", volume["secret"]["secretName"]
        for source in volume.get("projected", {}).get("sources", ()):
            yield from ((kind[0].upper() + kind[1:], item["name"]) for kind, item in source.items())
    for container in spec["containers"]:
        yield from (("ConfigMap", source["configMapRef"]["name"]) for source in container.get("envFrom", ()))
        for variable in container.get("env", ()):
            for kind, item in variable.get("valueFrom", {}).items():
                yield kind.removesuffix("KeyRef").replace("secret", "Secret"), item["name"]


@each_choice
def test_what_pods_need_is_there(values: tuple[str, ...]) -> None:
    """What a pod refers to is rendered, or is named by the operator."""
    given = yaml.safe_load(Path(values[1]).read_text()) if values else {}
    own = {
        ("Secret", file["secret"]) if "secret" in file else ("ConfigMap", file["configMap"])
        for file in given.get("files", {}).values()
    }
    if given.get("rbac") == {"create": False}:
        accounts = yaml.safe_load_all((DEPLOY / "kubernetes" / "rbac.yaml").read_text())
        own |= {(one["kind"], one["metadata"]["name"]) for one in accounts}
    there = {(one["kind"], one["metadata"]["name"]) for one in objects(*values)} | own
    assert {needed for one in pods(*values) for needed in references(one.spec)} <= there


@each_choice
def test_secrets_are_in_secrets(values: tuple[str, ...]) -> None:
    """No ConfigMap and no variable holds what is secret: settings of that kind name files, and what is made is in a Secret."""
    made = [word for one in of_kind("Secret", *values).values() for word in (one["stringData"]["password"],)]
    others = json.dumps([one for one in objects(*values) if one["kind"] != "Secret"])
    assert not any(word in others for word in made)
    for one in pods(*values):
        for name, value in environment(one, *values).items():
            assert name.endswith("_FILE") == value.startswith("/etc/wakequeue/"), name
            assert name.endswith("_FILE") or not any(word in name for word in ("PASSWORD", "SECRET")), name


@each_choice
def test_a_token_is_where_kubernetes_is_read(values: tuple[str, ...]) -> None:
    """Front, worker and doctor have the token of their account, unless Kubernetes isn't to be read; nothing else has one."""
    wanted = environment(pod("hook", *values), *values)["WAKEQUEUE_KUBERNETES"] != "off"
    for one in pods(*values):
        reads = wanted and one.component in {"hook", "worker", "doctor"}
        assert one.spec["automountServiceAccountToken"] is reads
        assert ("serviceAccountName" in one.spec) is reads


def test_accounts_may_what_the_plain_manifest_says() -> None:
    """The chart's roles and who has them are those of rbac.yaml, under names of the release's own."""
    plain = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "rbac.yaml").read_text()))

    def said(ones: list[Object]) -> set[str]:
        mentioned = [
            {key: one.get(key) for key in ("kind", "rules", "subjects")}
            | {"role": one.get("roleRef", {}).get("name", "").removeprefix("wakequeue:"), "in": one["metadata"].get("namespace")}
            for one in ones
            if one["apiVersion"].startswith("rbac.")
        ]
        return {json.dumps(one, sort_keys=True) for one in mentioned}

    assert said(list(objects())) == said(plain)


def names(release: str, namespace: str) -> set[tuple[str, str, str]]:
    """The objects of a release, as the cluster tells them apart."""
    values = ("--set", "networkPolicy.enabled=true,networkPolicy.guardAutoscaler=true")
    rendered = objects(*values, release=release, namespace=namespace)
    return {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in rendered}


@pytest.mark.parametrize(("first", "second"), [(("a", "x"), ("b", "x")), (("wakequeue", "x"), ("wakequeue", "y"))])
def test_releases_share_nothing(first: tuple[str, str], second: tuple[str, str]) -> None:
    """Two releases in one namespace, or of one name in two, have no object in common."""
    assert names(*first).isdisjoint(names(*second))


@pytest.mark.parametrize("release", ["a" * 53, "wakequeue-" + "a" * 43])
def test_a_long_name_is_cut(release: str) -> None:
    """A release may have the longest name that Helm lets it have: names and labels stay within what Kubernetes takes."""
    rendered = objects(release=release)
    for one in rendered:
        metadata = one["metadata"]
        assert len(metadata["name"].rpartition(":")[2]) <= 63
        assert all(len(value) <= 63 for value in metadata["labels"].values())
        # The label of its pods that names their revision.
        assert one["kind"] != "StatefulSet" or len(metadata["name"]) + len("-0123456789") <= 63
    assert {one["metadata"]["name"][-14:] for one in rendered} >= {"-hook-headless"}


def test_releases_have_their_own_pods() -> None:
    """A Service of one release finds no pod of another one beside it."""
    first, second = objects(release="a", namespace="x"), objects(release="b", namespace="x")
    others = [one["spec"]["template"]["metadata"]["labels"] for one in second if one["kind"] == "Deployment"]
    for one in first:
        if one["kind"] == "Service":
            assert not any(one["spec"]["selector"].items() <= labels.items() for labels in others)


@pytest.mark.parametrize(("drain", "seconds"), [("5s", 5), ("500ms", 1), ("2.5s", 3), ("2m", 120), ("1h", 3600)])
def test_pods_have_time_to_end(drain: str, seconds: int) -> None:
    """Kubernetes waits for longer than a front takes to be forgotten and to drain, and a worker or a beat to finish."""
    values = ("--set", f"settings.drain_within={drain},settings.schedules.a.every=1h,settings.schedules.a.wakes=shop/cart")
    hook = pod("hook", *values)
    (before,) = (int(word) for word in hook.container["lifecycle"]["preStop"]["exec"]["command"][1:])
    assert hook.spec["terminationGracePeriodSeconds"] == before + seconds + 5
    assert before >= 5
    for component in ("worker", "beat"):
        assert pod(component, *values).spec["terminationGracePeriodSeconds"] == seconds + 5


def test_another_setting_makes_other_pods() -> None:
    """Pods are replaced where a setting is another one, and are not where only the number of replicas is."""
    was = pod("worker").metadata
    assert pod("worker", "--set", "settings.idle_after=4s").metadata != was
    assert pod("worker", "--set", "worker.replicas=5").metadata == was


def test_the_version_is_the_package_s() -> None:
    """The chart's version, and that of the image that it runs, are those of the package."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (__version__, __version__)
    assert pod("hook").container["image"] == f"wakequeue:{__version__}"


def test_alerts_and_dashboard_are_the_chart_s_files() -> None:
    """The files that Prometheus and Grafana elsewhere read are rendered as they are, braces and all."""
    values = CHOICES["prometheus-operator"]
    (rule,) = of_kind("PrometheusRule", *values).values()
    assert rule["spec"] == yaml.safe_load((CHART / "rules" / "wakequeue.yaml").read_text())
    shown = of_kind("ConfigMap", *values)["wakequeue-dashboard"]["data"]["wakequeue.json"]
    assert json.loads(shown) == json.loads((CHART / "dashboards" / "wakequeue.json").read_text())


def test_redis_takes_its_configuration(tmp_path: Path) -> None:
    """A real Redis starts with the file in the Secret: append-only, never evicting, and shut without the password."""
    secret = of_kind("Secret")["wakequeue-redis"]["stringData"]
    port = free_port()
    file = tmp_path / "redis.conf"
    file.write_text(secret["redis.conf"].replace("dir /data", f"dir {tmp_path}") + f"port {port}\nbind 127.0.0.1\n")
    with Process([server_command(str(tmp_path))[0], str(file)], {}), Redis(port=port, password=secret["password"]) as client:

        def answers() -> bool:
            try:
                return bool(client.ping())
            except RedisError:
                return False

        wait_until(answers, what="Redis")
        settings = client.config_get("appendonly", "maxmemory-policy")
        assert settings == {"appendonly": "yes", "maxmemory-policy": "noeviction"}
        with Redis(port=port) as stranger, pytest.raises(AuthenticationError):
            stranger.ping()
