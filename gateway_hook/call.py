"""A call: what a gateway told of one request, whatever the protocol it spoke. Pure."""

from collections.abc import Callable
from typing import Literal, NamedTuple, NoReturn

#: How a Revision's reports are made; see `wakequeue.settings.Settings.report_style`. Empty where the settings say it.
ReportStyle = Literal["", "activator", "original"]


class Exact(NamedTuple):
    """A namespace and a Revision's name, as they are. No name says nothing."""

    namespace: bytes
    name: bytes


class Named(NamedTuple):
    """A namespace and a service in any of the forms that gateways use; see `gateway_hook.resolve`. No service says nothing."""

    namespace: bytes
    service: bytes


class Cluster(NamedTuple):
    """The gateway's own name of where the request goes."""

    name: bytes


class Host(NamedTuple):
    """The host that the request is for, as its client wrote it: it means only what the settings or Kubernetes say of it."""

    name: bytes


Source = Exact | Named | Cluster | Host


class Call(NamedTuple):
    """One request that a gateway told of: whatever it said of it, empty where it said nothing.

    `sources` may name its Revision, the most trusted one first. `probe` is true where it carries a probe's header. A `cold` one
    found no upstream; then `request_id` tells further attempts of the same request from other requests. `trace` is the one that
    its gateway has it be a part of, as a W3C `traceparent`.
    """

    sources: tuple[Source, ...]
    method: str = ""
    path: str = ""
    host: str = ""
    user_agent: str = ""
    probe: bool = False
    cold: bool = False
    request_id: str = ""
    style: ReportStyle = ""
    trace: str = ""


Read = Callable[[], Call]
"""Makes a call of what was received. May raise DecodeError or Unresolved."""


def unread(error: Exception) -> Read:
    """What was received can't be read as a call: the reader raises why."""

    def read() -> NoReturn:
        raise error

    return read
