"""Requests written, and answers read, by another protobuf implementation, in upstream's own types."""

import asyncio
from typing import TYPE_CHECKING, Final, cast

import pytest
from support import upstream
from support.fakes import FakeContext, FakeRecorder
from support.templates import METHODS, any_of, params

from gateway_hook.hook import Hook
from gateway_hook.mixer.adapter import Mixer
from gateway_hook.mixer.templates import TEMPLATES
from gateway_hook.outcome import Outcome
from wakequeue.cluster.knowledge import Unknown
from wakequeue.setting_sources import load

if TYPE_CHECKING:
    from gateway_hook.mixer.adapter import Context
    from gateway_hook.recorder import Recorder

SAYS: Final = """
{entries} {{ key: "destination_service_name" value {{ string_value: "cart" }} }}
{entries} {{ key: "destination_service_namespace" value {{ dns_name_value {{ value: "shop" }} }} }}
{entries} {{ key: "source.ip" value {{ ip_address_value {{ value: "\\n\\0\\0\\1" }} }} }}
{entries} {{ key: "response.code" value {{ int64_value: 503 }} }}
{entries} {{ key: "latency" value {{ duration_value {{ value {{ nanos: 5 }} }} }} }}
{entries} {{ key: "headers" value {{ string_map_value {{ value {{ key: "a" value: "b" }} }} }} }}
"""
HOST: Final = "cart.shop.svc.cluster.local"

#: An InstanceMsg of each template, in protobuf's text format; its name goes before it.
INSTANCES: Final = {
    "authorization": f"""
        subject {{ user: "ann" groups: "g" properties {{ key: "iss" value {{ string_value: "x" }} }} }}
        action {{ namespace: "shop" service: "cart" method: "GET" path: "/"
                  {SAYS.format(entries="properties")} }}""",
    "checknothing": "",
    "listentry": f'value {{ string_value: "{HOST}" }}',
    "apikey": f'api: "{HOST}" api_version: "1" api_operation: "get" api_key: "hunter2" timestamp {{ value {{ seconds: 1 }} }}',
    "quota": SAYS.format(entries="dimensions"),
    "reportnothing": "",
    "metric": f"""
        value {{ double_value: 1 }} {SAYS.format(entries="dimensions")} monitored_resource_type: "UNSPECIFIED"
        monitored_resource_dimensions {{ key: "x" value {{ bool_value: true }} }}""",
    "logentry": f"""
        {SAYS.format(entries="variables")} timestamp {{ value {{ seconds: 1 }} }} severity: "info"
        monitored_resource_type: "UNSPECIFIED" monitored_resource_dimensions {{ key: "x" value {{ }} }}""",
}


def request(template: str, more: str = "") -> bytes:
    """Encode a request: its instance names shop/cart by itself, or by the Params of its handler."""
    service, method = METHODS[template].rsplit("/", 1)
    many = "instances" if template in {"metric", "logentry", "reportnothing"} else "instance"
    text = f'{many} {{ name: "wake.instance.istio-system" {INSTANCES[template]} }} dedup_id: "7" {more}'
    if not INSTANCES[template]:
        value = "".join(f"\\x{byte:02x}" for byte in params(b"shop", b"cart"))
        text += f'adapter_config {{ type_url: "type.googleapis.com/wakequeue.mixer.Params" value: "{value}" }}'
    return upstream.encode(f"{service.split('.')[0].strip('/')}.{method}Request", text)


def answer(template: str, data: bytes, recorder: FakeRecorder) -> bytes:
    """Return the answer's bytes to one request."""
    settings = load({})
    mixer = Mixer(Hook(cast("Recorder", recorder), settings, Unknown()), settings)
    return asyncio.run(mixer.answer(TEMPLATES[template], data, cast("Context", FakeContext())))


@pytest.mark.parametrize("template", METHODS)
def test_a_request_of_another_implementation_is_understood(template: str) -> None:
    """Written with `string` and `map` fields and every type of value, it is one call of the Revision that it names."""
    recorder = FakeRecorder()
    answer(template, request(template), recorder)
    assert [str(revision) for revision in recorder.revisions] == ["shop/cart"]


@pytest.mark.parametrize("template", ["authorization", "checknothing", "listentry", "apikey"])
def test_a_check_result_is_read_by_another_implementation(template: str) -> None:
    """It passes, and says for how long and how often it may be used."""
    read = upstream.decode(f"{upstream.MODEL}.CheckResult", answer(template, request(template), FakeRecorder(Outcome.AWAKE)))
    assert read.split() == ["status", "{", "}", "valid_duration", "{", "seconds:", "2", "}", "valid_use_count:", "1000000"]


def test_a_quota_result_is_read_by_another_implementation() -> None:
    """It grants what was asked for, by the instance's name."""
    asked = 'quota_request { quotas { key: "wake.instance.istio-system" value { amount: 5 best_effort: true } } }'
    read = upstream.decode(f"{upstream.MODEL}.QuotaResult", answer("quota", request("quota", asked), FakeRecorder(Outcome.AWAKE)))
    result = "valid_duration { seconds: 2 } granted_amount: 5 status { }"
    assert read.split() == f'quotas {{ key: "wake.instance.istio-system" value {{ {result} }} }}'.split()


def test_a_report_result_is_read_by_another_implementation() -> None:
    """It says nothing, for Mixer asks nothing of it."""
    assert upstream.decode(f"{upstream.MODEL}.ReportResult", answer("metric", request("metric"), FakeRecorder())) == ""


def test_both_write_the_same_params() -> None:
    """The builders of these tests and the schema agree about an Any."""
    text = 'adapter_config { type_url: "a/b" value: "c" }'
    assert upstream.encode("checknothing.HandleCheckNothingRequest", text) == b"\x12" + bytes((8,)) + any_of(b"c", b"a/b")
