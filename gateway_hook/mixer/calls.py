"""The call that an instance is. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

from google.protobuf.message import DecodeError

from gateway_hook.call import Call, Host, Named, Read, unread
from gateway_hook.knative import PROBE_HEADERS
from gateway_hook.mixer.names import Names, first, plain, says
from gateway_hook.mixer.params import Configured, Form, configured
from gateway_hook.mixer.templates import Instance, Template, all_names
from wakequeue.settings import Settings

#: What instances call what a rule looks at: as Istio's attributes are called, and as its own instances call them.
METHOD: Final = ("method", "requestmethod")
PATH: Final = ("path", "requestpath", "url", "requesturlpath")
HOST: Final = ("host", "requesthost")
USER_AGENT: Final = ("useragent", "requestuseragent")
PROBES: Final = tuple(map(plain, PROBE_HEADERS))


@dataclass(frozen=True, slots=True)
class Search:
    """Under which plain names an instance may say its Revision, the first choice first."""

    namespace: tuple[str, ...]
    service: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings) -> "Search":
        """The names in the settings."""
        return cls(tuple(map(plain, settings.mixer_namespace_names)), tuple(map(plain, settings.mixer_service_names)))


class Received(NamedTuple):
    """A request of Mixer's; None where it can't be read. Each of `reads` makes a call, and may raise DecodeError or Unresolved."""

    request: Any | None
    reads: list[Read]


def receive(template: Template, data: bytes, search: Search, trace: str = "") -> Received:
    """Read a request, a part of this trace; one that can't be read is a call that can't be."""
    try:
        request: Any = template.request.FromString(data)
    except DecodeError as error:
        return Received(None, [unread(error)])
    return Received(request, [partial(_call, template, request, one, search, trace) for one in template.instances(request)])


def _call(template: Template, request: Any, instance: Instance, search: Search, trace: str) -> Call:  # noqa: ANN401  of any template
    """The call of an instance. Raises Unresolved where Params ask for more than it says."""
    params, own, said = configured(request.adapter_config), template.own(instance), template.said(instance)
    host = first(said, HOST)
    return Call(
        sources=(_named(params, own, search, lambda: all_names(instance, own, said)), Host(host)),
        method=first(said, METHOD).decode(errors="replace"),
        path=first(said, PATH).decode(errors="replace"),
        host=host.decode(errors="replace"),
        user_agent=first(said, USER_AGENT).decode(errors="replace"),
        probe=any(map(said.get, PROBES)),
        style=params.style,
        trace=trace,
    )


def _named(params: Configured, own: tuple[bytes, bytes], search: Search, names: Callable[[], Names]) -> Named:
    """The namespace and the service: as Params have them, else in fields of the instance's own, else under one of its names."""
    if params.namespace is None and params.service is None and says(own[0]) and says(own[1]):  # nearly always, and names cost time
        return Named(*own)
    said = names()
    return Named(_part(params.namespace, own[0], said, search.namespace), _part(params.service, own[1], said, search.service))


def _part(form: Form | None, own: bytes, names: Names, wanted: tuple[str, ...]) -> bytes:
    if form is not None:
        return form.fill(names)
    return own if says(own) else first(names, wanted)
