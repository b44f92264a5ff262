"""Mixer's templates: their services, and where each of them has what a call tells. Pure.

Source: istio.io/istio mixer/template/*/template_handler_service.proto. Service, method, name and variety are those of our protos,
which are upstream's own.
"""

from collections.abc import Callable, Iterable, Iterator
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

Pairs = Iterable[tuple[str, bytes]]
"""Plain names, and what is said under them."""


@dataclass(frozen=True, slots=True)
class Template:
    """One of Mixer's templates, by its request message.

    `own` says an instance's namespace and service where the template has fields for them, and `said` all else that it says.
    """

    request: type[Message]
    own: Callable[[Instance], tuple[bytes, bytes]]
    said: Callable[[Instance], Pairs]
    #: Its name in Istio, and its TemplateVariety: CHECK, QUOTA or REPORT.
    name: str
    variety: int
    #: The gRPC service that takes its requests, and that service's only method.
    service: str
    method: str

    @classmethod
    def of(
        cls,
        request: type[Message],
        said: Callable[[Instance], Pairs],
        own: Callable[[Instance], tuple[bytes, bytes]] = lambda _: (b"", b""),
    ) -> "Template":
        """The template that has this request message."""
        file: Any = request.DESCRIPTOR.file
        options, (service,) = file.GetOptions().Extensions, file.services_by_name.values()
        return cls(
            request, own, said, options[template_name], options[template_variety], service.full_name, service.methods[0].name
        )

    @property
    def protocol(self) -> str:
        """What its calls are counted as."""
        return f"mixer_{self.name}"

    def instances(self, request: Any) -> Iterable[Instance]:  # noqa: ANN401  a message of any template
        """The instances in one of its requests."""
        return request.instances if self.variety == TEMPLATE_VARIETY_REPORT else (request.instance,)

    def names(self, instance: Instance) -> Names:
        """All that an instance says; what it is called, too."""
        names = dict(_of_its_name(instance))
        names.update(self.said(instance))
        names.update((key, text) for key, text in zip(("namespace", "service"), self.own(instance), strict=True) if text)
        return names


def _of_its_name(instance: Instance) -> Iterator[tuple[str, bytes]]:
    """`wake.instance.istio-system` is the instance `wake` of the instance namespace `istio-system`."""
    name, kind, namespace = instance.name.partition(b".instance.")
    if kind:
        yield plain("instance"), name
        yield plain("instance_namespace"), namespace


def _fields(instance: Instance, *names: str) -> Iterator[tuple[str, bytes]]:
    """Fields of text that say something."""
    return ((plain(name), text) for name in names if (text := getattr(instance, name)))


def _nothing(_instance: Instance) -> Pairs:
    return ()


def _authorization(instance: Instance) -> Iterator[tuple[str, bytes]]:
    yield from entries(instance.subject.properties)
    yield from entries(instance.action.properties)
    yield from _fields(instance.subject, "user", "groups")
    yield from _fields(instance.action, "method", "path")


def _list_entry(instance: Instance) -> Iterator[tuple[str, bytes]]:
    yield "value", text_of(instance.value)


def _api_key(instance: Instance) -> Iterator[tuple[str, bytes]]:
    # The key itself is a secret, and what is said may be logged.
    return _fields(instance, "api", "api_version", "api_operation")


def _quota(instance: Instance) -> Iterator[tuple[str, bytes]]:
    return entries(instance.dimensions)


def _metric(instance: Instance) -> Iterator[tuple[str, bytes]]:
    yield "value", text_of(instance.value)
    yield from entries(instance.monitored_resource_dimensions)
    yield from entries(instance.dimensions)
    yield from _fields(instance, "monitored_resource_type")


def _log_entry(instance: Instance) -> Iterator[tuple[str, bytes]]:
    yield from entries(instance.monitored_resource_dimensions)
    yield from entries(instance.variables)
    yield from _fields(instance, "severity", "monitored_resource_type")


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
