"""What istiod makes of the files of `deploy/istio/envoy`, put into a gateway's configuration, for a real Envoy.

Of EnvoyFilter only the operations and matches that the files use are done; any other fails. Sources: istio.io/istio
pilot/pkg/networking/core/envoyfilter (rc_patch.go, listener_patch.go), pkg/proto/merge; for extension providers
pilot/pkg/security/authz/builder/extauthz.go and pilot/pkg/model/telemetry_logging.go.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from support.bootstrap import Change, nodes

FILES = Path(__file__).parents[2] / "deploy" / "istio" / "envoy"

#: An ingress gateway's configuration, as `support.envoy` takes it.
GATEWAY = str(Path(__file__).with_name("istio_gateway.yaml"))

API = "type.googleapis.com/envoy.extensions."


def read(file: str) -> dict[str, Any]:
    """The one object of a file."""
    found: dict[str, Any] = yaml.safe_load((FILES / file).read_text())
    return found


def applied(*files: str) -> Change:
    """Have istiod know these files, of EnvoyFilters, of an AuthorizationPolicy or a Telemetry with the providers of mesh.yaml."""

    def change(gateway: object) -> None:
        for file in files:
            _BY_KIND[(resource := read(file))["kind"]](gateway, resource["spec"])

    return change


def _envoy_filter(gateway: object, spec: dict[str, Any]) -> None:
    assert spec["workloadSelector"]["labels"] == {"istio": "ingressgateway"}
    for each in spec["configPatches"]:
        applies_to, match, patch = each["applyTo"], each["match"], each["patch"]
        match applies_to, match, patch["operation"]:
            case "VIRTUAL_HOST", {"context": "GATEWAY", **others}, "MERGE" if not others:
                changed = [_merge(host, patch["value"]) for host in _all(gateway, "virtual_hosts")]
            case "HTTP_FILTER", {"context": "GATEWAY", "listener": {"filterChain": {"filter": filter_}}}, "INSERT_BEFORE":
                changed = [_insert(one["typed_config"], filter_["subFilter"]["name"], patch["value"]) for one in _filters(gateway)]
                assert {one["name"] for one in _filters(gateway)} == {filter_["name"]}
            case _:
                raise NotImplementedError(applies_to, match, patch["operation"])
        assert changed, "it matches nothing"


def _authorization_policy(gateway: object, spec: dict[str, Any]) -> None:
    assert (spec["action"], spec["rules"]) == ("CUSTOM", [{}])
    provider = _provider(spec["provider"]["name"], "envoyExtAuthzGrpc")
    config = {
        "@type": API + "filters.http.ext_authz.v3.ExtAuthz",
        "transport_api_version": "V3",
        "failure_mode_allow": provider.pop("failOpen"),
        "grpc_service": _service(provider) | {"timeout": provider.pop("timeout")},
    }
    assert not provider, provider
    for one in _filters(gateway):
        _insert(one["typed_config"], "envoy.filters.http.router", {"name": "envoy.filters.http.ext_authz", "typed_config": config})


def _telemetry(gateway: object, spec: dict[str, Any]) -> None:
    _, logging = spec["accessLogging"]
    provider = _provider(logging["providers"][0]["name"], "envoyHttpAls")
    common = {"transport_api_version": "V3", "grpc_service": _service(provider), "log_name": provider.pop("logName")}
    config = {
        "@type": API + "access_loggers.grpc.v3.HttpGrpcAccessLogConfig",
        "common_config": common,
        "additional_request_headers_to_log": provider.pop("additionalRequestHeadersToLog"),
    }
    assert not provider, provider
    only = {"@type": API + "access_loggers.filters.cel.v3.ExpressionFilter"} | logging["filter"]
    filter_ = {"extension_filter": {"name": "envoy.access_loggers.extension_filters.cel", "typed_config": only}}
    for one in _filters(gateway):
        one["typed_config"]["access_log"] = [{"name": "http_grpc", "filter": filter_, "typed_config": config}]


_BY_KIND = {"EnvoyFilter": _envoy_filter, "AuthorizationPolicy": _authorization_policy, "Telemetry": _telemetry}


def _provider(name: str, kind: str) -> dict[str, Any]:
    providers = yaml.safe_load((FILES / "mesh.yaml").read_text())["meshConfig"]["extensionProviders"]
    (found,) = (one[kind] for one in providers if one["name"] == name)
    return dict(found)


def _service(provider: dict[str, Any]) -> dict[str, Any]:
    host = provider.pop("service")
    return {"envoy_grpc": {"cluster_name": f"outbound|{provider.pop('port')}||{host}", "authority": host}}


def _all(gateway: object, key: str) -> Iterator[dict[str, Any]]:
    for node in nodes(gateway):
        yield from node.get(key, ())


def _filters(gateway: object) -> list[dict[str, Any]]:
    return list(_all(gateway, "filters"))


def _insert(manager: dict[str, Any], before: str, value: object) -> bool:
    names = [one["name"] for one in manager["http_filters"]]
    manager["http_filters"].insert(names.index(before), value)
    return True


def _merge(into: dict[str, Any], value: dict[str, Any]) -> bool:
    """As protobuf merges messages: what is set replaces, messages are merged, lists grow."""
    for key, new in value.items():
        if isinstance(new, dict) and isinstance(into.get(key), dict):
            _merge(into[key], new)
        else:
            into[key] = into.get(key, []) + new if isinstance(new, list) else new
    return True
