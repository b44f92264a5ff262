"""What `wakequeue mixer manifests` prints: resources as Mixer 1.1 to 1.7 reads them, with descriptors in upstream's own types."""

import asyncio
import base64
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
import yaml
from click.testing import CliRunner
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet, FileOptions
from support import upstream
from support.fakes import FakeContext, FakeRecorder
from support.protobuf import fields
from support.templates import METHODS

from gateway_hook.hook import Hook
from gateway_hook.mixer.adapter import Mixer
from gateway_hook.mixer.command import mixer
from gateway_hook.mixer.templates import TEMPLATES
from wakequeue.cluster.knowledge import Unknown
from wakequeue.setting_sources import load

if TYPE_CHECKING:
    from gateway_hook.mixer.adapter import Context
    from gateway_hook.recorder import Recorder

#: The numbers of Mixer's options for a template's file: its variety and its name.
VARIETY, NAME = 72295727, 72295888
VARIETIES: Final = dict.fromkeys(METHODS, 0) | {"quota": 2, "reportnothing": 1, "metric": 1, "logentry": 1}


def printed(*arguments: str) -> list[dict[str, Any]]:
    """Return the resources that the command prints."""
    result = CliRunner().invoke(mixer, ["manifests", *arguments])
    assert result.exit_code == 0, result.output
    return [one for one in yaml.safe_load_all(result.output) if one]


def only(resources: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """Return the one resource of a kind."""
    (found,) = (one for one in resources if one["kind"] == kind)
    return found


def descriptors(encoded: str) -> FileDescriptorSet:
    """Read a descriptor of a resource: base64 of a FileDescriptorSet."""
    return FileDescriptorSet.FromString(base64.b64decode(encoded, validate=True))


def template_of(name: str) -> FileDescriptorSet:
    """Return the descriptors of a template's resource."""
    return descriptors(only(printed("--template", name), "template")["spec"]["descriptor"])


def pool_of(files: FileDescriptorSet) -> descriptor_pool.DescriptorPool:
    """Load descriptors into a pool of their own, which fails where one lacks what it needs."""
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    return pool


def options_of(file: FileDescriptorProto) -> dict[int, object]:
    """Read a file's options from their bytes alone."""
    return dict(fields(file.options.SerializeToString()))


# The resources.


def test_every_resource_is_where_mixer_looks() -> None:
    """All are of config.istio.io/v1alpha2, in one namespace, with a name that no other of their kind has."""
    resources = printed(*(part for name in METHODS for part in ("--template", name)))
    assert {one["apiVersion"] for one in resources} == {"config.istio.io/v1alpha2"}
    assert {one["metadata"]["namespace"] for one in resources} == {"istio-system"}
    names = [(one["kind"], one["metadata"]["name"]) for one in resources]
    assert len(set(names)) == len(names)
    assert all(name.startswith("wakequeue") for _, name in names)


def test_one_template_by_default() -> None:
    """Without an option it is authorization: adapter, template, handler, instance and rule, which refer to each other."""
    resources = printed()
    assert [one["kind"] for one in resources] == ["template", "adapter", "handler", "instance", "rule"]
    assert only(resources, "template")["metadata"]["name"] == "wakequeue-authorization"
    assert only(resources, "adapter")["spec"] | {"config": ""} == {
        "description": "Tells Knative's Autoscaler that a sleeping application was called",
        "session_based": False,
        "templates": ["wakequeue-authorization"],
        "config": "",
    }
    assert only(resources, "handler")["spec"] == {
        "adapter": only(resources, "adapter")["metadata"]["name"],
        "connection": {"address": "wakequeue-hook.wakequeue.svc.cluster.local:6100"},
        "params": {},
    }
    assert only(resources, "instance")["spec"]["template"] == "wakequeue-authorization"
    assert only(resources, "rule")["spec"] == {
        "match": 'context.reporter.kind == "outbound"',
        "actions": [{"handler": "wakequeue", "instances": ["wakequeue-authorization"]}],
    }


@pytest.mark.parametrize("name", METHODS)
def test_every_instance_has_params(name: str) -> None:
    """Mixer 1.3 ends where an instance has none. Those of a template without fields are empty: its handler names the Revision."""
    resources = printed("--template", name)
    params, handler = only(resources, "instance")["spec"]["params"], only(resources, "handler")
    if name in {"checknothing", "reportnothing"}:
        assert params == {}
        assert handler["spec"]["params"] == {"namespace": "NAMESPACE", "service": "REVISION"}
        assert 'destination.service.host == "REVISION.NAMESPACE.svc.cluster.local"' in only(resources, "rule")["spec"]["match"]
    else:
        assert params
        assert handler["spec"]["params"] == {}
    assert only(resources, "rule")["spec"]["actions"] == [
        {"handler": handler["metadata"]["name"], "instances": [only(resources, "instance")["metadata"]["name"]]}
    ]


def test_a_quota_is_charged() -> None:
    """Proxies ask for a quota only where a QuotaSpec is bound to their services."""
    resources = printed("--template", "quota")
    assert only(resources, "QuotaSpec")["spec"] == {"rules": [{"quotas": [{"charge": 1, "quota": "wakequeue-quota"}]}]}
    assert only(resources, "QuotaSpecBinding")["spec"] == {
        "quotaSpecs": [{"name": "wakequeue", "namespace": "istio-system"}],
        "services": [{"service": "*"}],
    }


def test_the_names_can_be_given() -> None:
    """Address and namespace are the operator's; a template that is named twice is printed once."""
    options = ["--template", "metric", "--template", "metric", "--address", "[::1]:7000", "--namespace", "mixer"]
    resources = printed(*options)
    assert only(resources, "handler")["spec"]["connection"] == {"address": "[::1]:7000"}
    assert {one["metadata"]["namespace"] for one in resources} == {"mixer"}


@pytest.mark.parametrize(
    "options",
    [["--template", "tracespan"], ["--address", "front"], ["--address", "a:1\nb:2"], ["--namespace", "Istio"], ["--namespace", ""]],
)
def test_what_cannot_be_is_refused(options: list[str]) -> None:
    """A wrong option is an error of usage, and nothing is printed."""
    result = CliRunner().invoke(mixer, ["manifests", *options])
    assert result.exit_code == 2
    assert "apiVersion" not in result.output


# The descriptors.


@pytest.mark.parametrize("name", METHODS)
def test_exactly_one_file_is_the_template(name: str) -> None:
    """Mixer takes the one file with the option template_variety, and its template_name, which must be letters alone."""
    (file,) = (one for one in template_of(name).file if options_of(one).keys() & {VARIETY, NAME})
    assert options_of(file) == {VARIETY: VARIETIES[name], NAME: name.encode()}
    assert file.package == name
    (service,) = file.service
    assert f"/{name}.{service.name}/{service.method[0].name}" == METHODS[name]
    assert service.method[0].input_type == f".{name}.{service.method[0].name}Request"


@pytest.mark.parametrize("name", METHODS)
def test_the_types_are_upstreams_own(name: str) -> None:
    """Each message is what protoc makes of upstream's own: text is `string`, maps are maps, and fields have their JSON names."""
    ours = {f"{file.package}.{one.name}": one for file in template_of(name).file for one in file.message_type}
    theirs = {f"{file.package}.{one.name}": one for file in upstream.descriptors(f"{name}.proto").file for one in file.message_type}
    # That file differs from one version of protobuf to the next; Mixer brings its own.
    compared = {each for each in ours if not _of_descriptor_proto(each)}
    assert {f"{name}.InstanceMsg", f"{name}.{METHODS[name].rsplit('/')[-1]}Request", "google.protobuf.Any"} <= compared
    for each in compared:
        assert ours[each] == theirs[each], each


@pytest.mark.parametrize("name", METHODS)
def test_the_set_is_whole(name: str) -> None:
    """It has all that its files import, before they do: it can be loaded by itself, and its extensions too."""
    pool = pool_of(template_of(name))
    assert pool.FindMessageTypeByName(f"{name}.InstanceMsg").fields_by_name["name"].number == VARIETY
    assert pool.FindExtensionByName("istio.mixer.adapter.model.v1beta1.template_name").number == NAME


@pytest.mark.parametrize("name", METHODS)
def test_an_instance_written_with_a_template_is_understood(name: str) -> None:
    """What is encoded by the printed descriptors, in the fields that the printed instance fills, is a call of the Revision."""
    spec = only(printed("--template", name), "instance")["spec"]["params"]
    pool, method = pool_of(template_of(name)), METHODS[name].rsplit("/")[-1]
    request = message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{name}.{method}Request"))()
    repeated = "instances" in request.DESCRIPTOR.fields_by_name
    instance = request.instances.add() if repeated else request.instance
    instance.name = "wake.instance.istio-system"
    _fill(instance, spec)
    if not spec:
        request.adapter_config.type_url = "type.googleapis.com/wakequeue.mixer.Params"
        request.adapter_config.value = _params(namespace="shop", service="cart")
    recorder, settings = FakeRecorder(), load({})
    adapter = Mixer(Hook(cast("Recorder", recorder), settings, Unknown()), settings)
    asyncio.run(adapter.answer(TEMPLATES[name], request.SerializeToString(), cast("Context", FakeContext())))
    assert [str(revision) for revision in recorder.revisions] == ["shop/cart"]


def test_the_adapters_params_are_ours() -> None:
    """The adapter's `config` describes a message `Params`, in the package by whose name we know it, and no other of that name."""
    files = descriptors(only(printed(), "adapter")["spec"]["config"])
    assert [file.package for file in files.file for one in file.message_type if one.name == "Params"] == ["wakequeue.mixer"]
    params = pool_of(files).FindMessageTypeByName("wakequeue.mixer.Params")
    assert {one.name: (one.number, one.json_name) for one in params.fields} == {
        "namespace": (1, "namespace"),
        "service": (2, "service"),
        "report_style": (3, "reportStyle"),
        "awake_cache": (4, "awakeCache"),
    }


#: What Mixer makes of the expressions in the printed instances.
ATTRIBUTES: Final = {
    "destination.service.host": "cart.shop.svc.cluster.local",
    "destination.service.name": "cart",
    "destination.service.namespace": "shop",
    "request.method": "GET",
    "request.host": "shop.example",
    "request.useragent": "curl",
}


def _fill(message: Any, params: dict[str, Any]) -> None:  # noqa: ANN401  a message of the printed descriptors
    """Fill a message as Mixer does; fails for a field that it doesn't have."""
    for name, expression in params.items():
        field = message.DESCRIPTOR.fields_by_name[name]
        if isinstance(expression, str) and field.message_type is None:
            setattr(message, name, ATTRIBUTES.get(expression.split(" |")[0], ""))
        elif isinstance(expression, str):
            getattr(message, name).string_value = ATTRIBUTES.get(expression.split(" |")[0], "")
        elif field.message_type.GetOptions().map_entry:
            for key, value in expression.items():
                getattr(message, name)[key].string_value = ATTRIBUTES.get(value.split(" |")[0], "")
        else:
            _fill(getattr(message, name), expression)


def _params(**texts: str) -> bytes:
    pool = pool_of(descriptors(only(printed(), "adapter")["spec"]["config"]))
    return bytes(message_factory.GetMessageClass(pool.FindMessageTypeByName("wakequeue.mixer.Params"))(**texts).SerializeToString())


def _of_descriptor_proto(name: str) -> bool:
    """Whether a message is one of google/protobuf/descriptor.proto's."""
    return name.removeprefix("google.protobuf.") in FileOptions.DESCRIPTOR.file.message_types_by_name
