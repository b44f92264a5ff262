"""The chart's values: what is wrong is refused with its reason; what is right arrives as settings that wakequeue takes."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from msgspec import inspect
from support.certificates import Authority
from support.chart import CHART, CHOICES, DEPLOY, Pod, environment, needs_helm, objects, of_kind, pod, pods, refusal, text

from wakequeue.broker import QUEUE
from wakequeue.redis_url import Place
from wakequeue.setting_sources import load
from wakequeue.setting_types import Seconds
from wakequeue.settings import Settings

pytestmark = needs_helm

each_choice = pytest.mark.parametrize("values", CHOICES.values(), ids=CHOICES)

FIELDS = {field.name: field.type for field in msgspec.structs.fields(Settings)}

#: What the chart sets itself, and what could only be said in the open.
NOT_FOR_VALUES = {"grpc_address", "http_address", "admin_address", "flower_address", "data_dir", "grpc_token", "flower_password"}


@pytest.fixture
def schema() -> dict[str, Any]:
    """The schema of the values."""
    read: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text())
    return read


def test_every_setting_can_be_a_value(schema: dict[str, Any]) -> None:
    """The schema has the settings: all that are no files and no secrets in `settings`, and the files in `files`."""
    files = {name for name in FIELDS if name.endswith("_file")}
    assert set(schema["properties"]["files"]["properties"]) == files
    assert set(schema["properties"]["settings"]["properties"]) == FIELDS.keys() - files - NOT_FOR_VALUES


def test_the_schema_knows_of_what_kind_a_setting_is(schema: dict[str, Any]) -> None:
    """A duration, a number, a choice, a yes or no is refused by Helm where it is something else."""
    kinds: dict[type, Any] = {inspect.BoolType: "boolean", inspect.IntType: "integer", inspect.FloatType: "number"}
    for name, said in schema["properties"]["settings"]["properties"].items():
        kind = inspect.type_info(FIELDS[name])
        if FIELDS[name] is Seconds:
            assert said == {"$ref": "#/definitions/duration"}, name
        elif isinstance(kind, inspect.LiteralType):
            assert set(said["enum"]) == set(kind.values), name
        elif type(kind) in kinds:
            assert said == {"type": kinds[type(kind)]}, name


def test_every_value_is_in_the_schema(schema: dict[str, Any]) -> None:
    """The schema has the keys of values.yaml, and nothing besides but what a value may hold."""

    def keys(said: dict[str, Any]) -> dict[str, Any]:
        while "$ref" in said:
            said = schema["definitions"][said["$ref"].rpartition("/")[2]]
        return said.get("properties", {}) if said.get("additionalProperties") is False else {}

    def compare(values: dict[str, Any], said: dict[str, Any], path: str) -> None:
        known = keys(said)
        assert not known or values.keys() <= known.keys(), path
        assert (
            path in {".settings", ".files", ".resources"}
            or path.endswith(".resources")
            or known.keys() - {"global"} <= values.keys()
        ), path
        for key, value in values.items():
            if isinstance(value, dict) and key in known:
                compare(value, known[key], f"{path}.{key}")

    compare(yaml.safe_load((CHART / "values.yaml").read_text()), schema, "")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ("hokk.replicas=2", "additional properties 'hokk' not allowed"),
        ("hook.replica=2", "at '/hook': additional properties 'replica' not allowed"),
        ("hook.replicas=two", "at '/hook/replicas': got string, want integer"),
        ("hook.replicas=0", "at '/hook/replicas': minimum: got 0, want 1"),
        ("settings.idle_aftr=4s", "at '/settings': additional properties 'idle_aftr' not allowed"),
        ("settings.idle_after=4", "at '/settings/idle_after': got number, want string"),
        ("settings.idle_after=soon", "at '/settings/idle_after': 'soon' does not match pattern"),
        ("settings.kubernetes=true", "at '/settings/kubernetes': value must be one of 'off', 'auto', 'on'"),
        ("settings.grpc_token=word", "at '/settings': additional properties 'grpc_token' not allowed"),
        ("settings.grpc_address=0.0.0.0:1", "at '/settings': additional properties 'grpc_address' not allowed"),
        ("files.redis_password_file=word", "at '/files/redis_password_file': got string, want object"),
        ("files.redis_password_file.secret=redis", "missing property 'key'"),
        ("files.redis_key_file.configMap=redis,files.redis_key_file.key=a", "additional properties 'configMap' not allowed"),
        ("image.digest=latest", "at '/image/digest': 'latest' does not match pattern"),
        ("worker.autoscaling.by=cpu", "at '/worker/autoscaling/by': value must be one of 'none', 'keda', 'metric'"),
        ("worker.autoscaling.minReplicas=0", "minimum: got 0, want 1"),
        ("worker.autoscaling.minReplicas=20", "worker.autoscaling.minReplicas is more than its maxReplicas"),
        ("networkPolicy.gateways[0].namespace=x", "at '/networkPolicy/gateways/0': additional properties 'namespace' not allowed"),
        ("settings.redis_url=redis://redis", "redis.enabled brings another one: set redis.enabled to false"),
        ("redis.enabled=false", "no Redis: set settings.redis_url to yours, or redis.enabled to true"),
        ("redis.enabled=false,settings.redis_url=unix:///a", "at '/settings/redis_url': 'unix:///a' does not match pattern"),
        (
            "redis.enabled=false,settings.redis_url=redis://:word@redis",
            "put that in a Secret, and name it in files.redis_password_file",
        ),
        ("redis.enabled=false,settings.redis_url=redis://redis?password=word", "put that in a Secret"),
        ("files.redis_password_file.secret=a,files.redis_password_file.key=b", "is for a Redis of your own"),
        ("settings.autoscaler_endpoint=ws://me:word@host", "put a token in a Secret, and name it in files.autoscaler_token_file"),
        ("settings.mode=hold,settings.kubernetes=off", "settings.mode = hold needs settings.kubernetes auto or on"),
    ],
)
def test_what_is_wrong_is_refused(values: str, reason: str) -> None:
    """A wrong value is refused in words that say which one, and what to do; a secret in it isn't repeated."""
    said = refusal("--set", values)
    assert reason in said
    assert ":word@" not in said


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A real file for each setting that names one."""
    folder = tmp_path_factory.mktemp("files")
    authority = Authority(folder)
    pair = authority.issue("us")
    secret = folder / "secret"
    secret.write_text("word\n")
    kinds = {"ca": authority.certificate, "certificate": pair.certificate, "key": pair.key}
    return {name: str(kinds.get(name.split("_")[-2], secret)) for name in FIELDS if name.endswith("_file")}


def settings_of(one: Pod, files: dict[str, str], *values: str) -> Settings:
    """What a pod's process reads, with real files in the place of those that would be mounted."""
    seen = environment(one, *values)
    found = {name: files[Path(path).name] for name, path in seen.items() if name.endswith("_FILE")}
    for name, path in seen.items():
        assert not name.endswith("_FILE") or name == f"WAKEQUEUE_{Path(path).name.upper()}"
    return load(seen | found)


@each_choice
def test_every_pod_s_settings_are_taken(values: tuple[str, ...], files: dict[str, str]) -> None:
    """Each process starts with the settings that it finds: none is unknown, and none needs another that isn't there."""
    for one in pods(*values):
        if one.component != "redis":
            settings = settings_of(one, files, *values)
            assert settings.redis_url
            mounted = {
                item["path"]
                for volume in one.spec["volumes"]
                for source in volume.get("projected", {}).get("sources", ())
                for kind in source.values()
                for item in kind["items"]
            }
            assert mounted == {
                name.removeprefix("WAKEQUEUE_").lower() for name in environment(one, *values) if name.endswith("_FILE")
            }


def test_settings_arrive_as_they_are_written(files: dict[str, str]) -> None:
    """Numbers however large, lists, tables and words come out as an operator wrote them."""
    values = CHOICES["production-sentinel-tls"]
    given = yaml.safe_load(Path(values[1]).read_text())["settings"]
    hook, worker = (settings_of(pod(name, *values), files, *values) for name in ("hook", "worker"))
    assert hook.grpc_allowed_clients == tuple(given["grpc_allowed_clients"])
    assert not worker.grpc_allowed_clients
    assert (worker.rate_limit, worker.drain_within, worker.log_format) == (50_000, 10.0, "json")
    assert worker.schedules["office"].pods == 2
    assert worker.groups == {"shop/web": ("shop/cart", "shop/search")}
    assert 'WAKEQUEUE_RATE_LIMIT: "20000000"' in text("--set", "settings.rate_limit=20000000")


def test_pods_may_have_ipv6_alone(files: dict[str, str]) -> None:
    """Servers listen where the operator says, at the ports of the chart."""
    values = ("--set", "listenHost=[::]")
    settings = settings_of(pod("hook", *values), files, *values)
    assert (settings.grpc_address, settings.http_address) == ("[::]:6100", "[::]:8012")
    assert (settings.admin_address, settings.flower_address) == ("[::]:6101", "[::]:5555")


def test_files_are_where_they_are_needed() -> None:
    """A pod has the secrets of its own work alone."""
    has = {
        one.component: {name.split("_")[1] for name in environment(one, *CHOICES["autoscaler-tls"]) if name.endswith("_FILE")}
        for one in pods(*CHOICES["autoscaler-tls"])
    }
    assert has == {"hook": set(), "worker": {"AUTOSCALER"}, "doctor": {"AUTOSCALER"}}
    values = CHOICES["production-sentinel-tls"]
    has = {
        one.component: {name.split("_")[1] for name in environment(one, *values) if name.endswith("_FILE")} for one in pods(*values)
    }
    assert has == {
        "hook": {"REDIS", "GRPC"},
        "worker": {"REDIS"},
        "beat": {"REDIS"},
        "flower": {"REDIS", "FLOWER"},
        "doctor": {"REDIS", "GRPC"},
    }


def test_the_beat_is_there_for_schedules() -> None:
    """Without a schedule there is no beat, and no budget for it."""
    assert "wakequeue-beat" not in of_kind("Deployment")
    assert "wakequeue-beat" not in of_kind("PodDisruptionBudget")


@pytest.mark.parametrize(
    "url",
    [
        "redis://redis.example.com",
        "redis://redis:7000/4",
        "rediss://wakequeue@redis:7000/4?ssl_check_hostname=false",
        "rediss://wakequeue:@redis",
        "sentinel://one,two:26380,three/primary",
        "sentinels://me@one:26379,two:26379/primary/2",
    ],
)
def test_keda_looks_where_the_workers_do(url: str) -> None:
    """KEDA's trigger is the queue's list, in the Redis that the URL means to wakequeue."""
    place = Place.parse(url)
    values = (
        "--set-json",
        json.dumps({"redis": {"enabled": False}, "settings": {"redis_url": url}, "worker": {"autoscaling": {"by": "keda"}}}),
    )
    (scaled,) = of_kind("ScaledObject", *values).values()
    (trigger,) = scaled["spec"]["triggers"]
    said = trigger["metadata"]
    addresses = ",".join(f"{host}:{port}" for host, port in place.nodes)
    assert said.pop("addresses" if place.primary else "address") == addresses
    assert said.pop("sentinelMaster", "") == place.primary
    assert said.pop("username", "") == place.username
    assert said == {"databaseIndex": str(place.db), "listName": QUEUE, "listLength": "8"}
    assert trigger["type"] == ("redis-sentinel" if place.primary else "redis")
    authentications = of_kind("TriggerAuthentication", *values)
    assert trigger.get("authenticationRef", {}).get("name") == (next(iter(authentications)) if place.tls else None)
    told = [target["parameter"] for one in authentications.values() for target in one["spec"]["configMapTargetRef"]]
    assert told == (["tls"] if place.tls else [])


@pytest.mark.parametrize("by", ["keda", "metric"])
def test_the_queue_may_grow_with_the_workers(by: str) -> None:
    """Where workers are scaled by the queue, it is let grow to where it takes the most of them; and else as by default."""
    data = of_kind("ConfigMap", "--set", f"worker.autoscaling.by={by},worker.autoscaling.maxReplicas=5")["wakequeue-settings"][
        "data"
    ]
    assert data["WAKEQUEUE_RING_BELOW"] == "80"
    assert "WAKEQUEUE_RING_BELOW" not in of_kind("ConfigMap")["wakequeue-settings"]["data"]


def test_the_plain_manifests_are_the_chart_s() -> None:
    """deploy/kubernetes/wakequeue.yaml is what `make manifests` renders."""
    rendered = text(*CHOICES["values"], "--skip-tests")
    assert (DEPLOY / "kubernetes" / "wakequeue.yaml").read_text() == rendered, "`make manifests` renders them anew"


def test_the_plain_manifests_stand_alone() -> None:
    """They are of the namespace that rbac.yaml makes, have no secret in them, and need nothing that isn't Kubernetes's own."""
    plain = objects(*CHOICES["values"], "--skip-tests")
    assert {one["metadata"]["namespace"] for one in plain} == {"wakequeue"}
    assert {one["kind"] for one in plain} == {"ConfigMap", "Deployment", "PodDisruptionBudget", "Service"}


def test_every_example_is_listed() -> None:
    """The README names each of the examples."""
    readme = (CHART / "README.md").read_text()
    for name in CHOICES.keys() - {"defaults", "values"}:
        assert f"`{name}.yaml`" in readme
