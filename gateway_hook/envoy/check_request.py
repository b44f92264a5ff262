"""What an external authorization check tells of its request. Pure.

Source: envoyproxy/envoy api/envoy/service/auth/v3. The filter runs before the router, so whatever headers the request has are its
client's: they say what the rules ask for, and never which Revision is meant.
"""

from collections.abc import Iterable

from gateway_hook.call import Call, Host
from gateway_hook.envoy.naming import CLUSTER, clusters, named, named_by_metadata, pairs
from gateway_hook.rules import is_probe
from gateway_hook.wire.ext_authz_pb2 import AttributeContext, CheckRequest
from wakequeue.traces import NO_TRACES, TraceOf

Metadata = Iterable[tuple[str, str | bytes]]


def call_of(request: bytes, metadata: Metadata, trace_of: TraceOf = NO_TRACES.trace_of) -> Call:
    """The call that a CheckRequest tells of, which came with this gRPC metadata. Raises DecodeError.

    A trace that Envoy began, or goes on with, is in the metadata (source/common/grpc/async_client_impl.cc); the headers are as the
    client sent them, so that they may name another one.
    """
    attributes = CheckRequest.FromString(request).attributes
    http = attributes.request.http
    headers = _headers(http)
    chosen = (value.encode() if isinstance(value, str) else value for key, value in metadata if key == CLUSTER)
    return Call(
        sources=(
            *named(pairs(attributes.context_extensions)),
            *clusters(*chosen),
            *named_by_metadata(attributes.route_metadata_context),
            Host(http.host),
        ),
        method=http.method.decode(errors="replace"),
        path=http.path.decode(errors="replace"),
        host=http.host.decode(errors="replace"),
        user_agent=headers.get("user-agent", ""),
        probe=is_probe(headers),
        trace=trace_of(metadata, headers.items()),
    )


def _headers(http: AttributeContext.HttpRequest) -> dict[str, str]:
    """The request's headers, as Envoy sends them by default, or with `encode_raw_headers`."""
    said = [(one.key, one.value) for one in http.headers]
    said += [(one.key, one.raw_value or one.value) for one in http.header_map.headers]
    return {key.decode(errors="replace").lower(): value.decode(errors="replace") for key, value in said}
