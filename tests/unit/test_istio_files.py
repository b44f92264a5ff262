"""The files of `deploy/istio`: what Istio and Kubernetes read, with no field that they don't know, and names that exist."""

import json
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from click.testing import CliRunner
from cloudcoil.models.istio.networking.v1alpha3 import EnvoyFilter
from cloudcoil.models.istio.security.v1beta1 import AuthorizationPolicy
from cloudcoil.models.istio.telemetry.v1alpha1 import Telemetry
from cloudcoil.models.prometheus_operator.v1 import PodMonitor

from gateway_hook.mixer.command import mixer
from wakequeue.cli import COMMANDS
from wakequeue.doctor.scaling import CAPACITY, DURATIONS, WINDOW
from wakequeue.setting_sources import load

ISTIO = Path(__file__).parents[2] / "deploy" / "istio"

#: The definitions of Istio's objects, of the release that the tests' packages have.
MODELS = {
    "envoyfilter.yaml": EnvoyFilter,
    "retry.yaml": EnvoyFilter,
    "ext-authz.yaml": AuthorizationPolicy,
    "access-log.yaml": Telemetry,
}

#: The fields of providers, in JSON, and which are lists (istio.io/api mesh/v1alpha1/config.proto, MeshConfig.ExtensionProvider).
PROVIDERS = {
    "envoyExtAuthzGrpc": {"service": str, "port": int, "timeout": str, "failOpen": bool, "statusOnError": str},
    "envoyHttpAls": {"service": str, "port": int, "logName": str, "additionalRequestHeadersToLog": list},
}

#: How a handler reaches its adapter (istio.io/api policy/v1beta1/cfg.proto, Connection).
CONNECTION = {
    "address": str,
    "timeout": str,
    "authentication": {
        "tls": {"caCertificates": str, "tokenPath": str, "authHeader": str, "customHeader": str, "serverName": str},
        "mutual": {"privateKey": str, "clientCertificate": str, "caCertificates": str, "serverName": str},
    },
}

#: Where the front is, as the chart has it.
FRONT = "wakequeue-hook.wakequeue.svc.cluster.local"


def read(path: str) -> list[dict[str, Any]]:
    """The objects of a file."""
    return list(yaml.safe_load_all((ISTIO / path).read_text()))


def fits(value: object, shape: object) -> bool:
    """Whether a value has the fields of a shape alone, and of their types."""
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(key in shape and fits(part, shape[key]) for key, part in value.items())
    return isinstance(shape, type) and type(value) is shape


# Today's Istio.


def test_every_file_is_tested() -> None:
    """There is no file that no test here or in a real Envoy looks at."""
    names = {path.name for path in (ISTIO / "envoy").iterdir()}
    assert names == {*MODELS, "activator-service.yaml", "pod-monitor.yaml", "mesh.yaml", "README.md"}


@pytest.mark.parametrize("file", MODELS)
def test_istio_knows_every_field(file: str) -> None:
    """Read into Istio's own definition and written again, an object is what it was: a field that isn't known would be lost."""
    (found,) = read(f"envoy/{file}")
    written = MODELS[file].model_validate(found).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert written == found


@pytest.mark.parametrize("file", MODELS)
def test_it_is_the_ingress_gateways(file: str) -> None:
    """Every object is for the ingress gateway alone."""
    (found,) = read(f"envoy/{file}")
    spec = found["spec"]
    assert (spec.get("workloadSelector") or {"labels": spec["selector"]["matchLabels"]})["labels"] == {"istio": "ingressgateway"}
    assert found["metadata"]["namespace"] == "istio-system"


def test_providers_are_what_istio_has() -> None:
    """The providers have fields that MeshConfig has; a front that is away forbids nothing, and one that hangs costs 0.2 s."""
    providers = read("envoy/mesh.yaml")[0]["meshConfig"]["extensionProviders"]
    for one in providers:
        (kind,) = one.keys() - {"name"}
        assert fits(one[kind], PROVIDERS[kind])
        assert (one[kind]["service"], one[kind]["port"]) == (FRONT, 6100)
    by_name = {one["name"]: one for one in providers}
    assert (
        by_name["wakequeue"]["envoyExtAuthzGrpc"] | {"failOpen": True, "timeout": "0.2s"}
        == by_name["wakequeue"]["envoyExtAuthzGrpc"]
    )
    assert read("envoy/ext-authz.yaml")[0]["spec"]["provider"]["name"] in by_name
    _, ours = read("envoy/access-log.yaml")[0]["spec"]["accessLogging"]
    assert ours["providers"][0]["name"] in by_name


def test_the_filter_fails_open() -> None:
    """The EnvoyFilter's front is the same, and forbids nothing either."""
    (patch,) = read("envoy/envoyfilter.yaml")[0]["spec"]["configPatches"]
    config = patch["patch"]["value"]["typed_config"]
    assert config["failure_mode_allow"] is True
    assert config["grpc_service"]["timeout"] == "0.2s"
    assert config["grpc_service"]["envoy_grpc"] == {"cluster_name": f"outbound|6100||{FRONT}", "authority": FRONT}


# In the activator's place.


@pytest.fixture
def pods() -> dict[str, Any]:
    """The template of the pods that take the activator's place."""
    template: dict[str, Any] = read("envoy/activator-service.yaml")[0]["spec"]["template"]
    return template


@pytest.mark.parametrize("number", range(2))
def test_kubernetes_knows_every_field(number: int) -> None:
    """Deployment and PodDisruptionBudget are valid in the newest release of Kubernetes, by its own schema, strictly."""
    found = read("envoy/activator-service.yaml")
    assert len(found) == 2
    kubernetes_validate.validate(found[number], kubernetes_validate.latest_version(), strict=True)


def test_fronts_listen_where_knative_looks(pods: dict[str, Any]) -> None:
    """A front each for 8012 and 8013, set as they can be, at addresses of their own; readiness and life are asked for."""
    addresses = []
    for container in pods["spec"]["containers"]:
        assert container["args"][0] in COMMANDS
        settings = load({one["name"]: one["value"] for one in container["env"]} | {"WAKEQUEUE_REDIS_URL": "rediss://redis:6379"})
        addresses += [settings.http_address, settings.grpc_address, settings.admin_address]
        ports = {one["name"]: one["containerPort"] for one in container["ports"]}
        assert set(ports.values()) == {settings.http_address.port, settings.admin_address.port}
        probed = {probe: container[probe]["httpGet"]["port"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")}
        admin = settings.admin_address.port
        assert probed == {"startupProbe": admin, "readinessProbe": settings.http_address.port, "livenessProbe": admin}
    assert [one.port for one in addresses[::3]] == [8012, 8013]
    assert len({one.port for one in addresses}) == len(addresses)


def test_their_metrics_are_the_installations(pods: dict[str, Any]) -> None:
    """The monitor has no field that the Prometheus Operator doesn't know, and reads each admin port of these pods."""
    (found,) = read("envoy/pod-monitor.yaml")
    assert PodMonitor.model_validate(found).model_dump(mode="json", by_alias=True, exclude_none=True) == found
    assert found["spec"]["selector"]["matchLabels"] == pods["metadata"]["labels"]
    ports = {port["name"] for container in pods["spec"]["containers"] for port in container["ports"]}
    assert {one["port"] for one in found["spec"]["podMetricsEndpoints"]} == {name for name in ports if name.startswith("admin")}


def test_the_readme_selects_these_pods(pods: dict[str, Any]) -> None:
    """The selector that the page gives to Knative's Service, and to its operator, is that of these pods, and of nothing else's."""
    page = (ISTIO / "envoy/README.md").read_text()
    (patch,) = re.findall(r"patch service activator-service -n knative-serving -p '(.+)'", page)
    selector = json.loads(patch)["spec"]["selector"]
    assert selector == pods["metadata"]["labels"]
    (told,) = re.findall(r"```\n(spec:\n.+?)```", page, re.DOTALL)
    assert yaml.safe_load(told) == {"spec": {"services": [{"name": "activator-service", "selector": selector}]}}


def test_the_readme_says_what_the_doctor_checks() -> None:
    """The page names what the doctor looks at in Knative's configuration, and sets the burst capacity to what it wants."""
    page = (ISTIO / "envoy/README.md").read_text()
    for key in (CAPACITY, WINDOW, "enable-scale-to-zero", "scale-to-zero-grace-period"):
        assert f"| `{key}`" in page
    assert {WINDOW, "scale-to-zero-grace-period"} < DURATIONS.keys()
    (patch,) = re.findall(r"patch configmap config-autoscaler -n knative-serving -p '(.+)'", page)
    assert json.loads(patch) == {"data": {CAPACITY: "0"}}


@pytest.mark.parametrize("folder", ["mixer", "envoy"])
def test_the_readme_names_every_file(folder: str) -> None:
    """Each page has every file beside it, and names no other."""
    page = (ISTIO / folder / "README.md").read_text()
    named = set(re.findall(r"(?<![\w./-])[\w-]+\.yaml", page))
    assert named == {path.name for path in (ISTIO / folder).glob("*.yaml")}


# Mixer's.


def test_the_manifests_are_what_the_command_prints() -> None:
    """`wakequeue mixer manifests > deploy/istio/mixer/wakequeue.yaml` changes nothing; where it does, run it."""
    printed = CliRunner().invoke(mixer, ["manifests"]).output
    assert (ISTIO / "mixer/wakequeue.yaml").read_text() == printed


@pytest.mark.parametrize("file", ["handler-token.yaml", "handler-mutual.yaml"])
def test_a_handler_is_the_printed_one_over_tls(file: str) -> None:
    """It differs from the printed handler by how Mixer authenticates, in fields that Istio's API has."""
    (handler,) = read(f"mixer/{file}")
    (printed,) = (one for one in read("mixer/wakequeue.yaml") if one and one["kind"] == "handler")
    assert fits(handler["spec"]["connection"], CONNECTION)
    assert len(handler["spec"]["connection"].pop("authentication")) == 1
    assert handler == printed
