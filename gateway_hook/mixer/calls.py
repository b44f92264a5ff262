"""The call that an instance is. Pure."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from google.protobuf.message import DecodeError

from gateway_hook.call import Call, Host, Named, Read, unread
from gateway_hook.knative import PROBE_HEADERS
from gateway_hook.mixer.names import Names, first, plain, says
from gateway_hook.mixer.params import Configured, Form, configured
from gateway_hook.mixer.templates import Instance, Template
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


@dataclass(frozen=True, slots=True)
class Received:
    """A request of Mixer's; None where it can't be read. Each of `reads` makes a call, and may raise DecodeError or Unresolved."""

    request: Any | None
    reads: tuple[Read, ...]


def receive(template: Template, data: bytes, search: Search, trace: str = "") -> Received:
    """Read a request, a part of this trace; one that can't be read is a call that can't be."""
    try:
        request: Any = template.request.FromString(data)
    except DecodeError as error:
        return Received(None, (unread(error),))
    return Received(request, tuple(partial(_call, template, request, one, search, trace) for one in template.instances(request)))


def _call(template: Template, request: Any, instance: Instance, search: Search, trace: str) -> Call:  # noqa: ANN401  of any template
    return call_of(template.own(instance), template.names(instance), configured(request.adapter_config), search, trace)


def call_of(own: tuple[bytes, bytes], names: Names, params: Configured, search: Search, trace: str = "") -> Call:
    """The call of an instance with these fields of its own, which says this. Raises Unresolved where Params ask for more."""
    namespace = _part(params.namespace, own[0], names, search.namespace)
    service = _part(params.service, own[1], names, search.service)
    host = first(names, HOST)
    return Call(
        sources=(Named(namespace, service), Host(host)),
        method=_text(first(names, METHOD)),
        path=_text(first(names, PATH)),
        host=_text(host),
        user_agent=_text(first(names, USER_AGENT)),
        probe=any(map(names.get, PROBES)),
        style=params.style,
        trace=trace,
    )


def _part(form: Form | None, own: bytes, names: Names, wanted: tuple[str, ...]) -> bytes:
    if form is not None:
        return form.fill(names)
    return own if says(own) else first(names, wanted)


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
