"""The call that an external authorization check means. Pure.

Of what the client sent, the rules look at all, and only the host may name the Revision: by the operator's table.
"""

from gateway_hook.call import Call, Cluster, Host
from gateway_hook.envoy.texts import headers, named, named_by, pairs
from gateway_hook.rules import is_probe
from gateway_hook.wire.ext_authz_pb2 import CheckRequest


def read(data: bytes, cluster: bytes) -> Call:
    """The call of a CheckRequest, for which the gateway's route chose a cluster. Raises DecodeError."""
    attributes = CheckRequest.FromString(data).attributes
    http = attributes.request.http
    sent = headers(http.header_map.headers or http.headers)
    return Call(
        sources=(
            named(pairs(attributes.context_extensions)),
            Cluster(cluster),
            named_by(attributes.route_metadata_context),
            Host(http.host),
        ),
        method=http.method.decode(errors="replace"),
        path=http.path.decode(errors="replace"),
        host=http.host.decode(errors="replace"),
        user_agent=sent.get("user-agent", ""),
        probe=is_probe(sent),
    )
