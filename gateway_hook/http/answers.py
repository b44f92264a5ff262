"""Every answer of the HTTP port. Pure."""

import json
from typing import Final, NamedTuple

from gateway_hook.admission import Refusal
from gateway_hook.http.page import PAGE
from gateway_hook.http.request import Probe, Wake
from gateway_hook.outcome import WAKES_NOTHING, Outcome
from wakequeue.revision import Revision
from wakequeue.setting_types import WORD

Fields = list[tuple[bytes, bytes]]

#: The longest hash that is echoed: Knative's is 64 hexadecimal digits.
LONGEST_HASH: Final = 256

RETRY: Final = (b"retry-after", b"1")

#: What becomes of a call that is to be made again, or of which nobody knows yet.
NOT_YET: Final = {Outcome.BUFFERED, Outcome.DROPPED, Outcome.FAILED}


class Answer(NamedTuple):
    """Status, headers, and body."""

    status: int
    headers: Fields
    body: bytes


def _answer(status: int, body: bytes, kind: bytes, *headers: tuple[bytes, bytes]) -> Answer:
    length = (b"content-length", str(len(body)).encode())
    return Answer(status, [length, *([(b"content-type", kind)] if body else []), *headers], body)


def _text(status: int, text: str, *headers: tuple[bytes, bytes]) -> Answer:
    return _answer(status, text.encode(), b"text/plain; charset=utf-8", *headers)


#: Without a body: Envoy resets a request that it tries again unless the answer ended with its headers (source/common/router,
#: onUpstreamHeaders), and over HTTP/1.1 that is the end of the connection, one for each attempt.
COLD: Final = _text(503, "", (b"x-wakequeue", b"cold"), RETRY)
WAKING_PAGE: Final = _answer(503, PAGE, b"text/html; charset=utf-8", RETRY, (b"cache-control", b"no-store"))
NOT_COLD: Final = _text(
    503, "The application sleeps, and this request doesn't wake it: by the rules, or as it names no Revision.\n"
)
NOTHING: Final = _text(
    404,
    "This is wakequeue's port for requests that found no application: they name it by Knative-Serving-Namespace and\n"
    "Knative-Serving-Revision, or by a host: one in revisions_by_host, or a Route's where Kubernetes is read.\n"
    "POST /wake/NAMESPACE/REVISION wakes without one.\n",
)
NOT_A_POST: Final = _text(405, "POST wakes.\n", (b"allow", b"POST"))
NOT_OPEN: Final = _text(403, "Without a token set (grpc_token or grpc_token_file), /wake answers on a loopback address alone.\n")
NO_CERTIFICATE: Final = _text(
    403, "grpc_client_ca_file is set, and this port asks for no certificate: set grpc_token or grpc_token_file too.\n"
)


def to_probe(probe: Probe, *, draining: bool) -> Answer:
    """As Knative's activator answers, or as one that isn't the application: only that may say that it is ready."""
    match probe.kind:
        case "activator":
            return _text(200, "activator")
        case "probe" if len(probe.hash) <= LONGEST_HASH and WORD.fullmatch(probe.hash):
            return _text(200, "", (b"k-network-hash", probe.hash.encode()))
        case "probe":
            return _text(400, "A probe carries K-Network-Hash.\n")
        case "kubelet":
            return _text(503, "draining\n") if draining else _text(200, "ok\n")
    return _text(503, "The application sleeps, and a probe doesn't wake it.\n")


def to_cold(outcome: Outcome, *, page: bool) -> Answer:
    """Of a request that found no upstream: to be tried again until it finds one, if it wakes at all."""
    if outcome in WAKES_NOTHING:
        return NOT_COLD
    return WAKING_PAGE if page else COLD


def to_wake(wake: Wake, outcome: Outcome) -> Answer:
    """Of a call by `/wake`: what became of it."""
    said = {"revision": f"{wake.namespace}/{wake.revision}", "outcome": outcome}
    if outcome is Outcome.UNRESOLVED:
        said["error"] = _why_not(wake)
    body, kind = json.dumps(said).encode() + b"\n", b"application/json"
    if outcome in NOT_YET:
        return _answer(503, body, kind, RETRY)
    return _answer({Outcome.UNRESOLVED: 400, Outcome.IGNORED: 200}.get(outcome, 202), body, kind)


def _why_not(wake: Wake) -> str:
    try:
        Revision(wake.namespace, wake.revision)
    except ValueError as error:
        return str(error)
    return "there is no such Revision"


def to_refused(refusal: Refusal) -> Answer:
    """Of a caller of `/wake` that showed no token that will do."""
    return _text(401, f"{refusal}\n", (b"www-authenticate", b"Bearer"))
