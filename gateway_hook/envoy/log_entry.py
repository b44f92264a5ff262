"""What an entry of an access log tells of its request. Pure.

Source: envoyproxy/envoy api/envoy/data/accesslog/v3/accesslog.proto. The router sets `upstream_request_attempt_count` just before
it puts the route's headers into the request (source/common/router/router.cc), and logs by itself (`upstream_log`) only after.
"""

from enum import StrEnum
from typing import Final

from gateway_hook.call import Call, Host, Source
from gateway_hook.envoy.naming import CLUSTER, clusters, named, named_by_metadata, pairs
from gateway_hook.knative import NAMESPACE, REVISION
from gateway_hook.rules import is_probe
from gateway_hook.wire.envoy_core_pb2 import METHOD_UNSPECIFIED, RequestMethod
from gateway_hook.wire.log_entry_pb2 import AccessLogCommon, AccessLogType, HTTPAccessLogEntry
from wakequeue.traces import NO_TRACES, TraceOf

#: What Envoys before 1.18 say beside the flag NR, where a route was found and its cluster wasn't.
CLUSTER_NOT_FOUND: Final = b"cluster_not_found"

METHODS: Final = {number: name for name, number in RequestMethod.items() if number != METHOD_UNSPECIFIED}


class Kind(StrEnum):
    """What an entry tells; the label `kind` of `wakequeue_log_entries`."""

    #: A routed request found no upstream.
    COLD = "cold"
    #: A request began; nothing is known of what comes of it.
    START = "start"
    #: Anything else: an upstream answered, or a filter, or there was no route.
    OTHER = "other"


def kind_of(entry: HTTPAccessLogEntry) -> Kind:
    """What an entry tells."""
    if entry.common_properties.access_log_type == AccessLogType.DownstreamStart:
        return Kind.START
    return Kind.COLD if _found_no_upstream(entry) else Kind.OTHER


def is_last(entry: HTTPAccessLogEntry) -> bool:
    """Whether nothing more is logged of an entry's request."""
    return bool(entry.common_properties.access_log_type == AccessLogType.DownstreamEnd)


def request_of(entry: HTTPAccessLogEntry) -> str:
    """The id of an entry's request, the same in all its entries; empty where the gateway gives none."""
    return (entry.request.request_id or entry.common_properties.stream_id).decode(errors="replace")


def call_of(entry: HTTPAccessLogEntry, *, cold: bool, trace_of: TraceOf = NO_TRACES.trace_of) -> Call:
    """The call that an entry tells of."""
    request = entry.request
    headers = {one.key.decode(errors="replace").lower(): one.value.decode(errors="replace") for one in request.request_headers}
    return Call(
        sources=_sources(entry) if cold else _said_by_the_gateway(entry.common_properties),
        method=METHODS.get(request.request_method, ""),
        path=request.path.decode(errors="replace"),
        host=request.authority.decode(errors="replace"),
        user_agent=request.user_agent.decode(errors="replace"),
        probe=is_probe(headers),
        cold=cold,
        request_id=request_of(entry),
        trace=trace_of(headers.items()),
    )


def _found_no_upstream(entry: HTTPAccessLogEntry) -> bool:
    common = entry.common_properties
    flags = common.response_flags
    none = flags.no_healthy_upstream or flags.upstream_connection_failure or flags.no_cluster_found
    none = none or (flags.no_route_found and entry.response.response_code_details == CLUSTER_NOT_FOUND)
    return none and not common.HasField("time_to_first_upstream_rx_byte")


def _sources(entry: HTTPAccessLogEntry) -> tuple[Source, ...]:
    """What may name the Revision of a request that was routed."""
    common = entry.common_properties
    router_ran = common.upstream_request_attempt_count or common.access_log_type == AccessLogType.UpstreamEnd
    headers = pairs(entry.request.request_headers) if router_ran else {}
    return *_said_by_the_gateway(common), *named(headers, NAMESPACE.encode(), REVISION.encode()), Host(entry.request.authority)


def _said_by_the_gateway(common: AccessLogCommon) -> tuple[Source, ...]:
    """What names it before the router ran, too."""
    tags = pairs(common.custom_tags)
    chosen = clusters(tags.get(CLUSTER.encode(), b""), common.upstream_cluster)
    return *named(tags), *chosen, *named_by_metadata(common.metadata)
