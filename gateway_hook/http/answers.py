"""Every answer of the HTTP port. Pure."""

import json
from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway_hook.admission import Refusal
from gateway_hook.http.page import PAGE
from gateway_hook.http.request import Probe
from gateway_hook.http.wake import Wanted
from gateway_hook.outcome import WAKES_NOTHING, Outcome
from wakequeue.revision import Revision
from wakequeue.setting_types import WORD

Fields = list[tuple[bytes, bytes]]

#: The longest hash that is echoed: Knative's is 64 hexadecimal digits.
LONGEST_HASH: Final = 256

JSON: Final = b"application/json"
RETRY: Final = (b"retry-after", b"1")

#: What becomes of a call that has its Revision woken at a time, or kept warm.
BEGUN: Final = frozenset({Outcome.PLANNED, Outcome.RECORDED})

#: What becomes of a call that is to be made again, or of which nobody knows yet.
NOT_YET: Final = frozenset({Outcome.BUFFERED, Outcome.DROPPED, Outcome.FAILED})


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
    "POST /wake/NAMESPACE/REVISION, or /wake?revision=NAMESPACE/REVISION&revision=..., wakes without one.\n",
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


def to_wake(wanted: Wanted, outcomes: Sequence[Outcome], now: float) -> Answer:
    """Of calls by `/wake`: what became of each, and, where a time is asked for, when it wakes and until when it is kept warm.

    A caller that named several Revisions gets a list. The status tells it to call again, that some wake, or why none does.
    """
    said = [_said(key, outcome, wanted, now) for key, outcome in zip(wanted.keys, outcomes, strict=True)]
    body = json.dumps({"revisions": said} if wanted.several else said[0]).encode() + b"\n"
    if NOT_YET & set(outcomes):
        return _answer(503, body, JSON, RETRY)
    if set(outcomes) - WAKES_NOTHING:
        return _answer(202, body, JSON)
    return _answer(400 if Outcome.UNRESOLVED in outcomes else 200, body, JSON)


def to_wrong(error: ValueError) -> Answer:
    """Of a request by `/wake` that asks for what can't be."""
    return _answer(400, json.dumps({"error": str(error)}).encode() + b"\n", JSON)


def _said(key: str, outcome: Outcome, wanted: Wanted, now: float) -> dict[str, str | int]:
    said: dict[str, str | int] = {"revision": key, "outcome": outcome}
    if outcome is Outcome.UNRESOLVED:
        return said | {"error": _why_not(key)}
    return said | (wanted.asked.times(now) if wanted.asked and outcome in BEGUN else {})


def _why_not(key: str) -> str:
    try:
        Revision.parse(key)
    except ValueError as error:
        return str(error)
    return "there is no such Revision"


def to_refused(refusal: Refusal) -> Answer:
    """Of a caller of `/wake` that showed no token that will do."""
    return _text(401, f"{refusal}\n", (b"www-authenticate", b"Bearer"))
