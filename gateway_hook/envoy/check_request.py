"""What an external authorization check tells of its request. Pure.

Source: envoyproxy/envoy api/envoy/service/auth/v3. The filter runs before the router, so whatever headers the request has are its
client's: they say what the rules ask for, and never which Revision is meant.
"""

from collections.abc import Iterable

from gateway_hook.call import Call, Host
from gateway_hook.envoy.naming import CLUSTER, clusters, named, named_by_metadata, pairs
from gateway_hook.rules import is_probe
from gateway_hook.wire.ext_authz_pb2 import AttributeContext, CheckRequest

Metadata = Iterable[tuple[str, str | bytes]]


def call_of(request: bytes, metadata: Metadata) -> Call:
    """The call that a CheckRequest tells of, which came with this gRPC metadata. Raises DecodeError."""
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
    )


def _headers(http: AttributeContext.HttpRequest) -> dict[str, str]:
    """The request's headers, as Envoy sends them by default, or with `encode_raw_headers`."""
    said = [(one.key, one.value) for one in http.headers]
    said += [(one.key, one.raw_value or one.value) for one in http.header_map.headers]
    return {key.decode(errors="replace").lower(): value.decode(errors="replace") for key, value in said}
