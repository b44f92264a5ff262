"""What a request at the HTTP port is: a probe, a cold request, a call that wakes, or nothing of that. Pure."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from gateway_hook.call import Call, Exact, Host
from gateway_hook.knative import KUBELET_AGENT, KUBELET_PROBE, NAMESPACE, NETWORK_HASH, NETWORK_PROBE, REVISION
from gateway_hook.rules import is_probe, is_probes_agent
from wakequeue.errors import Unresolved
from wakequeue.traces import NO_TRACES, TraceOf

#: A cold request's name, which the gateway gives to all its attempts; and which of them this is, where it says so.
REQUEST_ID: Final = "x-request-id"
ATTEMPT: Final = "x-envoy-attempt-count"

#: The name that further attempts share where their gateway names no request: they count as one more request, that waits.
NAMELESS: Final = "nameless"

#: How long Envoy's router waits for a try, in ms (docs/root/configuration/http/http_filters/router_filter.rst).
TIMEOUT: Final = "x-envoy-expected-rq-timeout-ms"

WAKE: Final = re.compile(r"/wake(?:/(?P<key>[^/]+/[^/]+))?")


class Headers(dict[str, str]):
    """Request headers, with names in lower case; several values of one name are joined with commas (RFC 9110, section 5.3)."""

    @classmethod
    def of(cls, fields: Iterable[tuple[bytes, bytes]]) -> "Headers":
        """The headers of these fields. Bytes beyond ASCII stay what they are, as Latin-1."""
        headers = cls()
        for name, value in fields:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1").strip()
            headers[key] = f"{headers[key]},{text}" if key in headers else text
        return headers


class Request(NamedTuple):
    """A request without its body; `target` is the path with its query, as its client wrote it."""

    method: str
    target: str
    headers: Headers

    @property
    def has_body(self) -> bool:
        """Whether a body comes after an HTTP/1.1 request's headers (RFC 9112, section 6.3)."""
        return "transfer-encoding" in self.headers or self.headers.get("content-length", "0") != "0"

    @property
    def remaining(self) -> float | None:
        """For how many seconds its gateway waits for the answer; None where it doesn't say."""
        text = self.headers.get(TIMEOUT, "")
        return int(text) / 1000 if text.isdecimal() and len(text) < 10 and int(text) else None  # noqa: PLR2004  as below

    @property
    def waits(self) -> bool:
        """Whether its client sends its body only once it is told to."""
        return "expect" in self.headers


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe: the value of its `K-Network-Probe`, or `kubelet`, or empty for another one; with the hash that it carries."""

    kind: str
    hash: str


@dataclass(frozen=True, slots=True)
class Cold:
    """A request that found no upstream."""

    wants_page: bool


@dataclass(frozen=True, slots=True)
class Wake:
    """A call that wakes, by whatever method it came: the key of the Revision in its path, or empty, and its query."""

    key: str
    query: str = ""


Kind = Probe | Cold | Wake | None


def kind_of(request: Request, knows_host: Callable[[str], bool]) -> Kind:
    """What a request is; `knows_host` says whether a host is known to mean a Revision."""
    headers = request.headers
    if is_probe(headers) or is_probes_agent(headers.get("user-agent", "")):
        return Probe(_probe(headers), headers.get(NETWORK_HASH, ""))
    if _is_routed(headers) or knows_host(headers.get("host", "")):
        return Cold(wants_page=request.method == "GET" and _accepts_html(headers))
    path, _, query = request.target.partition("?")
    match = WAKE.fullmatch(path)
    if match is None or NAMESPACE in headers or REVISION in headers:
        return None
    return Wake(match["key"] or "", query)


def probe_call() -> Call:
    """The call that a probe means, for the rules to ignore."""
    return Call(sources=(), probe=True)


def cold_call(request: Request, trace_of: TraceOf = NO_TRACES.trace_of) -> Call:
    """The call that a cold request means. Raises Unresolved where a router's header came twice: one of the two is forged."""
    headers = request.headers
    namespace, revision = headers.get(NAMESPACE, ""), headers.get(REVISION, "")
    if "," in namespace + revision:
        raise Unresolved("doubled_header", f"{namespace} / {revision}"[:140])
    host = headers.get("host", "")
    return Call(
        sources=(Exact(namespace.encode(), revision.encode()) if _is_routed(headers) else Host(host.encode()),),
        method=request.method,
        path=request.target,
        host=host,
        user_agent=headers.get("user-agent", ""),
        cold=True,
        request_id=headers.get(REQUEST_ID, "") or (NAMELESS if _comes_again(headers) else ""),
        trace=trace_of(headers.items()),
    )


def _is_routed(headers: Headers) -> bool:
    return NAMESPACE in headers and REVISION in headers


def _probe(headers: Headers) -> str:
    if probe := headers.get(NETWORK_PROBE):
        return probe
    return "kubelet" if KUBELET_PROBE in headers or headers.get("user-agent", "").lower().startswith(KUBELET_AGENT) else ""


def _accepts_html(headers: Headers) -> bool:
    ranges = headers.get("accept", "").lower().split(",")
    return any(one.partition(";")[0].strip() == "text/html" for one in ranges)


def _comes_again(headers: Headers) -> bool:
    attempt = headers.get(ATTEMPT, "")
    return attempt.isdecimal() and len(attempt) < 10 and int(attempt) > 1  # noqa: PLR2004  no number of ours
