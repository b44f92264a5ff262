"""Mixer's templates: their services, and where each of them has what a call tells. Pure.

Source: istio.io/istio mixer/template/*/template_handler_service.proto. Service, method, name and variety are those of our protos,
which are upstream's own.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from google.protobuf.message import Message

from gateway_hook.mixer.names import Names, entries, plain, text_of
from gateway_hook.wire.apikey_pb2 import HandleApiKeyRequest
from gateway_hook.wire.authorization_pb2 import HandleAuthorizationRequest
from gateway_hook.wire.checknothing_pb2 import HandleCheckNothingRequest
from gateway_hook.wire.extensions_pb2 import TEMPLATE_VARIETY_REPORT, template_name, template_variety
from gateway_hook.wire.listentry_pb2 import HandleListEntryRequest
from gateway_hook.wire.logentry_pb2 import HandleLogEntryRequest
from gateway_hook.wire.metric_pb2 import HandleMetricRequest
from gateway_hook.wire.quota_pb2 import HandleQuotaRequest
from gateway_hook.wire.reportnothing_pb2 import HandleReportNothingRequest

Instance = Any
"""An InstanceMsg of any template: what it has differs."""


@dataclass(frozen=True, slots=True)
class Template:
    """One of Mixer's templates, by its request message.

    `own` says an instance's namespace and service where the template has fields for them, and `said` all else that it says.
    """

    request: type[Message]
    own: Callable[[Instance], tuple[bytes, bytes]]
    said: Callable[[Instance], Names]
    #: Its name in Istio, and its TemplateVariety: CHECK, QUOTA or REPORT.
    name: str
    variety: int
    #: The gRPC service that takes its requests, and that service's only method.
    service: str
    method: str
    #: What its calls are counted as.
    protocol: str

    @classmethod
    def of(
        cls,
        request: type[Message],
        said: Callable[[Instance], Names],
        own: Callable[[Instance], tuple[bytes, bytes]] = lambda _: (b"", b""),
    ) -> "Template":
        """The template that has this request message."""
        file: Any = request.DESCRIPTOR.file
        options, (service,) = file.GetOptions().Extensions, file.services_by_name.values()
        name, method = options[template_name], service.methods[0].name
        return cls(request, own, said, name, options[template_variety], service.full_name, method, f"mixer_{name}")

    def instances(self, request: Any) -> Iterable[Instance]:  # noqa: ANN401  a message of any template
        """The instances in one of its requests."""
        return request.instances if self.variety == TEMPLATE_VARIETY_REPORT else (request.instance,)


def all_names(instance: Instance, own: tuple[bytes, bytes], said: Names) -> Names:
    """All that an instance says, with these fields of its own; what it is called, too.

    `wake.instance.istio-system` is the instance `wake` of the instance namespace `istio-system`.
    """
    name, kind, namespace = instance.name.partition(b".instance.")
    called = {"instance": name, "instancenamespace": namespace} if kind else {}
    return called | said | {name: text for name, text in zip(("namespace", "service"), own, strict=True) if text}


def _fields(said: Names, instance: Instance, *names: str) -> Names:
    """What is said, with those fields of text that say something."""
    for name in names:
        if text := getattr(instance, name):
            said[plain(name)] = text
    return said


def _nothing(_instance: Instance) -> Names:
    return {}


def _authorization(instance: Instance) -> Names:
    subject, action = instance.subject, instance.action
    said = entries(subject.properties, action.properties)
    return _fields(_fields(said, subject, "user", "groups"), action, "method", "path")


def _list_entry(instance: Instance) -> Names:
    return {"value": text_of(instance.value)}


def _api_key(instance: Instance) -> Names:
    # The key itself is a secret, and what is said may be logged.
    return _fields({}, instance, "api", "api_version", "api_operation")


def _quota(instance: Instance) -> Names:
    return entries(instance.dimensions)


def _metric(instance: Instance) -> Names:
    resource = _fields(entries(instance.monitored_resource_dimensions), instance, "monitored_resource_type")
    return {"value": text_of(instance.value)} | resource | entries(instance.dimensions)


def _log_entry(instance: Instance) -> Names:
    resource = _fields(entries(instance.monitored_resource_dimensions), instance, "monitored_resource_type")
    return _fields({}, instance, "severity") | resource | entries(instance.variables)


AUTHORIZATION: Final = Template.of(
    HandleAuthorizationRequest, _authorization, lambda instance: (instance.action.namespace, instance.action.service)
)

#: All of them, by name.
TEMPLATES: Final = {
    template.name: template
    for template in (
        AUTHORIZATION,
        Template.of(HandleCheckNothingRequest, _nothing),
        Template.of(HandleListEntryRequest, _list_entry, lambda instance: (b"", text_of(instance.value))),
        Template.of(HandleApiKeyRequest, _api_key, lambda instance: (b"", instance.api)),
        Template.of(HandleQuotaRequest, _quota),
        Template.of(HandleReportNothingRequest, _nothing),
        Template.of(HandleMetricRequest, _metric),
        Template.of(HandleLogEntryRequest, _log_entry),
    )
}
