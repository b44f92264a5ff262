"""Mixer's templates, from the field numbers alone: nothing of the front's own protocol code is used."""

from collections.abc import Iterable
from typing import Final

from support.mixer import field, varint
from support.protobuf import Value, fields

#: The method of each template (istio.io/istio mixer/template/*/template_handler_service.proto).
METHODS: Final = {
    "authorization": "/authorization.HandleAuthorizationService/HandleAuthorization",
    "checknothing": "/checknothing.HandleCheckNothingService/HandleCheckNothing",
    "listentry": "/listentry.HandleListEntryService/HandleListEntry",
    "apikey": "/apikey.HandleApiKeyService/HandleApiKey",
    "quota": "/quota.HandleQuotaService/HandleQuota",
    "reportnothing": "/reportnothing.HandleReportNothingService/HandleReportNothing",
    "metric": "/metric.HandleMetricService/HandleMetric",
    "logentry": "/logentry.HandleLogEntryService/HandleLogEntry",
}
BACKEND: Final = "/istio.mixer.adapter.model.v1beta1.InfrastructureBackend/"
CHECKS: Final = ("authorization", "checknothing", "listentry", "apikey")
REPORTS: Final = ("reportnothing", "metric", "logentry")

NAME: Final = b"wake.instance.istio-system"
#: The field of an InstanceMsg that is a map<string, Value>.
MAPS: Final = {"quota": 1, "metric": 2, "logentry": 1}

OUR_TYPE: Final = b"type.googleapis.com/wakequeue.mixer.Params"
SESSION_TYPE: Final = b"google.protobuf.Any.type_url"


def entry(number: int, key: bytes, value: bytes) -> bytes:
    """Write an entry of a map<string, Value>: {1 key, 2 value}."""
    return field(number, field(1, key) + field(2, value))


def said(template: str, texts: dict[bytes, bytes], name: bytes = NAME) -> bytes:
    """Write an InstanceMsg that says these texts, as dimensions, variables or properties; {72295727 name}."""
    if template == "authorization":
        return field(72295727, name) + field(2, b"".join(entry(5, key, field(1, text)) for key, text in texts.items()))
    return field(72295727, name) + b"".join(entry(MAPS[template], key, field(1, text)) for key, text in texts.items())


def naming(template: str, namespace: bytes, service: bytes) -> tuple[bytes, bytes]:
    """Write an InstanceMsg that names a Revision as its template can, and an adapter_config where only that can."""
    host = service + b"." + namespace + b".svc.cluster.local"
    match template:
        case "authorization":
            return field(72295727, NAME) + field(2, field(1, namespace) + field(2, service)), b""
        case "listentry":
            return field(72295727, NAME) + field(1, field(1, host)), b""
        case "apikey":
            return field(72295727, NAME) + field(1, host), b""
        case "checknothing" | "reportnothing":
            return field(72295727, NAME), any_of(params(namespace, service))
    return said(template, {b"destination_service_namespace": namespace, b"destination_service_name": service}), b""


def message(instances: Iterable[bytes], config: bytes = b"", rest: bytes = b"") -> bytes:
    """Write a request: {1 instance or instances, 2 adapter_config, 3 dedup_id}, and whatever else."""
    return b"".join(field(1, one) for one in instances) + (field(2, config) if config else b"") + field(3, b"9") + rest


def asked(amounts: dict[bytes, int]) -> bytes:
    """Write a quota_request, 4 {1 map<string, {1 amount}>}."""
    quotas = (field(1, field(1, key) + field(2, b"\x08" + varint(amount))) for key, amount in amounts.items())
    return field(4, b"".join(quotas))


def params(namespace: bytes = b"", service: bytes = b"", *, style: int = 0, awake_cache: bytes | None = None) -> bytes:
    """Write wakequeue.mixer.Params {1 namespace, 2 service, 3 report_style, 4 awake_cache}."""
    cache = b"" if awake_cache is None else field(4, awake_cache)
    return field(1, namespace) + field(2, service) + b"\x18" + varint(style) + cache


def any_of(value: bytes, kind: bytes = OUR_TYPE) -> bytes:
    """Write a google.protobuf.Any {1 type_url, 2 value}."""
    return field(1, kind) + field(2, value)


def grants(data: bytes) -> dict[bytes, tuple[int, float]]:
    """Read a QuotaResult {1 map<string, {2 valid_duration {1 seconds, 2 nanos}, 3 granted_amount}>}: amount and seconds."""
    granted = {}
    for _, one in fields(data):
        part = dict(fields(_bytes(one)))
        result = dict(fields(_bytes(part[2])))
        duration = dict(fields(_bytes(result[2])))
        granted[_bytes(part.get(1, b""))] = (_int(result[3]), _int(duration.get(1, 0)) + _int(duration.get(2, 0)) / 1e9)
    return granted


def _bytes(value: Value) -> bytes:
    assert isinstance(value, bytes)
    return value


def _int(value: Value) -> int:
    assert isinstance(value, int)
    return value
