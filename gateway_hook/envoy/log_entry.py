"""What an access log entry says of a request, and the call that it means. Pure.

A request is logged when it starts (where the gateway's `flush_access_log_on_new_request` is set), after each attempt (by the
router's `upstream_log`), and when it has ended; each entry is of one of these types. It tells of a cold request where its flags say
that the router found no upstream, which an answer of any filter, such as a 403, never does. (Measured with Envoy 1.40: the entry of
an attempt has no count of attempts, and its upstream cluster is that of the host, not of the route.)
"""

from enum import StrEnum
from typing import Final

from gateway_hook.call import Call, Cluster, Host, Named
from gateway_hook.envoy.texts import CLUSTER, headers, named, named_by, pairs
from gateway_hook.rules import is_probe
from gateway_hook.wire.access_log_pb2 import (
    AccessLogCommon,
    AccessLogType,
    DownstreamEnd,
    DownstreamStart,
    HTTPAccessLogEntry,
    NotSet,
    UpstreamEnd,
)
from gateway_hook.wire.core_pb2 import RequestMethod

#: The headers by which the router says the route's Revision; before it ran, they are what the client sent.
ROUTED: Final = ("knative-serving-namespace", "knative-serving-revision")


class Says(StrEnum):
    """What an entry says; the label `says` of `wakequeue_log_entries`."""

    #: A request starts, and its route names a Revision; the router hasn't run.
    START = "start"
    #: An attempt of a request, or all of it, found no upstream.
    COLD = "cold"
    #: Nothing that wakes.
    NOTHING = "nothing"


#: The types of entries that tell of a cold request; older gateways name no type.
ENDS: Final[frozenset[AccessLogType]] = frozenset({NotSet, DownstreamEnd, UpstreamEnd})


def says(entry: HTTPAccessLogEntry) -> Says:
    """What an entry says."""
    common = entry.common_properties
    if common.access_log_type == DownstreamStart:
        return Says.START if any(one.service for one in _route(common)) else Says.NOTHING
    flags = common.response_flags
    found_none = (
        flags.no_healthy_upstream or flags.upstream_connection_failure or flags.no_cluster_found or flags.dns_resolution_failure
    )
    return Says.COLD if found_none and common.access_log_type in ENDS else Says.NOTHING


def call_of(entry: HTTPAccessLogEntry) -> Call:
    """The call that an entry means which says anything."""
    common, request = entry.common_properties, entry.request
    sent = headers(request.request_headers)
    cold = common.access_log_type != DownstreamStart
    return Call(
        sources=(*_route(common), *(_router(common, sent) if cold else ()), Host(request.authority)),
        method=RequestMethod.Name(request.request_method) if request.request_method else "",
        path=(request.original_path or request.path).decode(errors="replace"),
        host=request.authority.decode(errors="replace"),
        user_agent=request.user_agent.decode(errors="replace"),
        probe=is_probe(sent),
        cold=cold,
        request_id=request.request_id.decode(errors="replace"),
    )


def _route(common: AccessLogCommon) -> tuple[Named, Named]:
    """What the route's own configuration names."""
    return named(pairs(common.custom_tags)), named_by(common.metadata)


def _router(common: AccessLogCommon, sent: dict[str, str]) -> tuple[Cluster | Named, ...]:
    """What the router's choice names: the cluster of the route, of the host, and its own headers where it ran."""
    namespace, revision = (sent.get(name, "").encode() for name in ROUTED)
    ran = common.upstream_request_attempt_count > 0
    clusters = Cluster(pairs(common.custom_tags).get(CLUSTER, b"")), Cluster(common.upstream_cluster)
    return (*clusters, Named(namespace, revision)) if ran else clusters
