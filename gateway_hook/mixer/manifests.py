"""The resources that have Mixer call this adapter, as YAML for Istio 1.1 to 1.7. Pure.

An `adapter` and a `template` for each template describe us; they need no change. A `handler` says where the front is, an `instance`
what Mixer tells of a request, and a `rule` for which requests: those are the operator's, and what they have to fill in is in
capitals. Resources of ours are named `wakequeue`, so that none of Istio's own is replaced.

Source: istio.io/istio mixer/pkg/runtime/config/ephemeral.go and istio.io/api policy/v1beta1/cfg.proto.
"""

import base64
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import dedent, indent
from typing import Any, Final

from gateway_hook.mixer.descriptors import descriptor_set
from gateway_hook.mixer.templates import TEMPLATES
from gateway_hook.wire.params_pb2 import Params

HEAD: Final = """\
# Mixer calls wakequeue with these. In Istio 1.1 and later checks are off until Helm's global.disablePolicyChecks is false, and
# they fail the request when the adapter is away until Helm's global.policyCheckFailOpen is true.
"""

#: What wakequeue's rules look at, but for the path: Envoy keeps an answer for requests of which all that is told here is the same.
_REQUEST: Final = """\
host: request.host | ""
user_agent: request.useragent | ""
k_network_probe: request.headers["k-network-probe"] | ""
k_kubelet_probe: request.headers["k-kubelet-probe"] | ""
"""
#: With the Revision. The host names its namespace too: at a gateway, destination.namespace is often just "default".
_SAYS: Final = f"""\
destination_service_host: destination.service.host | ""
destination_service_name: destination.service.name | ""
destination_service_namespace: destination.service.namespace | ""
method: request.method | ""
{_REQUEST}"""
_AUTHORIZATION: Final = f"""\
action:
  namespace: destination.service.namespace | ""
  service: destination.service.host | destination.service.name | ""
  method: request.method | ""
  properties:
{indent(_REQUEST, "    ")}"""

#: The `params` of an instance, by template; empty where the template has no fields. Mixer 1.3 ends where an instance has none.
PARAMS: Final = {
    "authorization": _AUTHORIZATION,
    "checknothing": "",
    "listentry": 'value: destination.service.host | ""\n',
    "apikey": 'api: destination.service.host | ""\n',
    "quota": "dimensions:\n" + indent(_SAYS, "  "),
    "reportnothing": "",
    "metric": 'value: "1"\ndimensions:\n' + indent(_SAYS, "  ") + "monitored_resource_type: '\"UNSPECIFIED\"'\n",
    "logentry": "severity: '\"info\"'\nvariables:\n" + indent(_SAYS, "  ") + "monitored_resource_type: '\"UNSPECIFIED\"'\n",
}

#: For a handler of instances that say nothing: it is one Revision's.
ONE_REVISION: Final = "namespace: NAMESPACE\nservice: REVISION\n"

#: All requests that gateways, and sidecars on the caller's side, tell of: those on the other side would count them twice.
MATCH: Final = 'context.reporter.kind == "outbound"'
MATCH_ONE: Final = f'{MATCH} && destination.service.host == "REVISION.NAMESPACE.svc.cluster.local"'


@dataclass(frozen=True, slots=True)
class _Resource:
    """Writes resources into one namespace."""

    namespace: str

    def write(self, kind: str, name: str, spec: str) -> str:
        meta = f"metadata:\n  name: {name}\n  namespace: {self.namespace}\n"
        return f"---\napiVersion: config.istio.io/v1alpha2\nkind: {kind}\n{meta}spec:\n{indent(spec, '  ')}"


def manifests(templates: Sequence[str], address: str, namespace: str) -> str:
    """The resources for these templates, in a namespace, that reach the front at an address."""
    resource = _Resource(namespace)
    told = [name for name in templates if PARAMS[name]]
    silent = [name for name in templates if not PARAMS[name]]
    parts = [HEAD, *_ours(resource, templates)]
    if told:
        parts += _theirs(resource, "wakequeue", told, address, "", MATCH)
    if silent:
        parts += _theirs(resource, "wakequeue-one", silent, address, ONE_REVISION, MATCH_ONE)
    if "quota" in templates:
        parts += _charges(resource)
    return "".join(parts)


def _ours(resource: _Resource, templates: Iterable[str]) -> Iterator[str]:
    """The adapter, and its templates."""
    for name in templates:
        descriptor = _encoded(TEMPLATES[name].request.DESCRIPTOR.file)
        yield resource.write("template", f"wakequeue-{name}", f"descriptor: {descriptor}\n")
    yield resource.write(
        "adapter",
        "wakequeue",
        "description: Tells Knative's Autoscaler that a sleeping application was called\n"
        "session_based: false\n"
        f"templates:\n{_listed(templates)}"
        f"config: {_encoded(Params.DESCRIPTOR.file)}\n",
    )


def _theirs(resource: _Resource, name: str, templates: Sequence[str], address: str, params: str, match: str) -> Iterator[str]:
    """A handler, an instance of each template, and the rule that sends them."""
    connection = f"connection:\n  address: {json.dumps(address)}\n"
    yield resource.write("handler", name, f"adapter: wakequeue\n{connection}{_block('params', params)}")
    for template in templates:
        params_of = _block("params", PARAMS[template])
        yield resource.write("instance", f"wakequeue-{template}", f"template: wakequeue-{template}\n{params_of}")
    actions = f"actions:\n- handler: {name}\n  instances:\n{indent(_listed(templates), '  ')}"
    yield resource.write("rule", name, f"match: {match}\n{actions}")


def _charges(resource: _Resource) -> Iterator[str]:
    """What has the proxies of all services ask for the quota, once a request."""
    rules = dedent("""\
        rules:
        - quotas:
          - charge: 1
            quota: wakequeue-quota
    """)
    yield resource.write("QuotaSpec", "wakequeue", rules)
    specs = f"quotaSpecs:\n- name: wakequeue\n  namespace: {resource.namespace}\n"
    yield resource.write("QuotaSpecBinding", "wakequeue", f"{specs}services:\n- service: '*'\n")


def _listed(templates: Iterable[str]) -> str:
    return "".join(f"- wakequeue-{name}\n" for name in templates)


def _block(key: str, content: str) -> str:
    return f"{key}:\n{indent(content, '  ')}" if content else f"{key}: {{}}\n"


def _encoded(file: Any) -> str:  # noqa: ANN401  a FileDescriptor
    return base64.b64encode(descriptor_set(file)).decode()
