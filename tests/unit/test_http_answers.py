"""Every answer of the HTTP port."""

import json
from html.parser import HTMLParser
from typing import Final
from zoneinfo import ZoneInfo

import pytest

from gateway_hook.admission import Refusal
from gateway_hook.http import answers
from gateway_hook.http.answers import Answer, to_cold, to_probe, to_refused, to_wake, to_wrong
from gateway_hook.http.page import PAGE
from gateway_hook.http.request import Probe
from gateway_hook.http.wake import Wanted
from gateway_hook.outcome import Outcome
from wakequeue.by_hand import Asked

CART = Wanted(("shop/cart",))
#: 2026-11-30T08:00Z.
NOW: Final = 1_796_025_600.0
WAKES = set(Outcome) - {Outcome.IGNORED, Outcome.UNRESOLVED}


def header(answer: Answer, name: str) -> str | None:
    """Return a header's value; None where the answer doesn't have it."""
    return dict(answer.headers).get(name.encode(), b"").decode() or None


@pytest.mark.parametrize("outcome", sorted(WAKES))
@pytest.mark.parametrize("page", [False, True])
def test_a_request_that_wakes(outcome: Outcome, page: bool) -> None:  # noqa: FBT001  pytest's
    """Whatever became of its call, the gateway tries it again until the application is up; a page reaches the browser instead."""
    answer = to_cold(outcome, page=page)
    assert answer.status == 503
    assert header(answer, "x-wakequeue") == (None if page else "cold")
    assert header(answer, "retry-after") == "1"
    assert header(answer, "cache-control") == ("no-store" if page else None)


def test_the_cold_answer_ends_with_its_headers() -> None:
    """Envoy would end the connection of an answer with a body for each attempt."""
    assert answers.COLD.body == b""
    assert header(answers.COLD, "content-length") == "0"


@pytest.mark.parametrize("outcome", [Outcome.IGNORED, Outcome.UNRESOLVED])
@pytest.mark.parametrize("page", [False, True])
def test_a_request_that_wakes_nothing(outcome: Outcome, page: bool) -> None:  # noqa: FBT001  pytest's
    """It isn't tried again, which would be for ever, and says why."""
    answer = to_cold(outcome, page=page)
    assert (answer.status, header(answer, "x-wakequeue")) == (503, None)
    assert b"doesn't wake it" in answer.body


@pytest.mark.parametrize("draining", [False, True])
@pytest.mark.parametrize(
    ("probe", "status", "body"),
    [
        (Probe("activator", ""), 200, b"activator"),
        (Probe("probe", "beef"), 200, b""),
        (Probe("probe", ""), 400, None),
        (Probe("probe", "a b"), 400, None),
        (Probe("probe", "h" * 257), 400, None),
        (Probe("probe", "caf\xe9"), 400, None),
        (Probe("queue", ""), 503, None),
        (Probe("activator,queue", ""), 503, None),
        (Probe("", ""), 503, None),
    ],
)
def test_probes(probe: Probe, status: int, body: bytes | None, draining: bool) -> None:  # noqa: FBT001  pytest's
    """Knative's are answered as its activator would; one that asks for the application isn't told that it is ready."""
    answer = to_probe(probe, draining=draining)
    assert answer.status == status
    assert body is None or answer.body == body
    assert header(answer, "k-network-hash") == (probe.hash if status == 200 and probe.hash else None)
    assert header(answer, "x-wakequeue") is None


def test_the_kubelets_probe() -> None:
    """The port is ready until it drains."""
    assert to_probe(Probe("kubelet", ""), draining=False).status == 200
    assert to_probe(Probe("kubelet", ""), draining=True).status == 503


def test_a_name_that_can_not_be_one_is_said_why() -> None:
    """A caller of `/wake` can mend it."""
    answer = to_wake(Wanted(("shop/Bad_",)), [Outcome.UNRESOLVED], NOW)
    assert json.loads(answer.body)["error"] == "name 'Bad_' is not a DNS label (at most 63 of a-z, 0-9 and '-')"
    answer = to_wake(Wanted(("cart",), several=True), [Outcome.UNRESOLVED], NOW)
    assert json.loads(answer.body)["revisions"][0]["error"] == "'cart' is not NAMESPACE/REVISION"


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Outcome.RECORDED, 202),
        (Outcome.PLANNED, 202),
        (Outcome.AWAKE, 202),
        (Outcome.WAITING, 202),
        (Outcome.IGNORED, 200),
        (Outcome.UNRESOLVED, 400),
        (Outcome.BUFFERED, 503),
        (Outcome.DROPPED, 503),
        (Outcome.FAILED, 503),
    ],
)
def test_what_became_of_a_call(outcome: Outcome, status: int) -> None:
    """A caller of `/wake` is told, and whether to call again."""
    answer = to_wake(CART, [outcome], NOW)
    assert answer.status == status
    said = json.loads(answer.body)
    assert said == {"revision": "shop/cart", "outcome": outcome} | ({"error": "there is no such Revision"} if status == 400 else {})
    assert header(answer, "content-type") == "application/json"
    assert header(answer, "retry-after") == ("1" if status == 503 else None)


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        ([Outcome.PLANNED, Outcome.IGNORED, Outcome.UNRESOLVED], 202),
        ([Outcome.RECORDED, Outcome.AWAKE], 202),
        ([Outcome.RECORDED, Outcome.BUFFERED, Outcome.UNRESOLVED], 503),
        ([Outcome.IGNORED, Outcome.UNRESOLVED], 400),
        ([Outcome.IGNORED, Outcome.IGNORED], 200),
    ],
)
def test_what_became_of_several(outcomes: list[Outcome], status: int) -> None:
    """Each is told in its place; the status says whether to call again, else whether any wakes."""
    keys = tuple(f"shop/{number}" for number, _ in enumerate(outcomes))
    answer = to_wake(Wanted(keys, several=True), outcomes, NOW)
    assert answer.status == status
    told = json.loads(answer.body)["revisions"]
    assert [(one["revision"], one["outcome"]) for one in told] == list(zip(keys, outcomes, strict=True))


def test_when_it_wakes_is_told() -> None:
    """In the zone that was asked for, with until when it is kept; not of what doesn't wake."""
    at, until = "2026-11-30T09:55:00+01:00", "2026-11-30T10:05:00+01:00"
    asked = Asked(NOW + 55 * 60, 600, 2, ZoneInfo("Europe/Berlin"))
    answer = to_wake(Wanted(("shop/cart",), asked), [Outcome.PLANNED], NOW)
    assert json.loads(answer.body) == {"revision": "shop/cart", "outcome": "planned", "at": at, "until": until, "pods": 2}
    for outcome in (Outcome.IGNORED, Outcome.UNRESOLVED, Outcome.DROPPED, Outcome.FAILED):
        assert "at" not in json.loads(to_wake(Wanted(("shop/cart",), asked), [outcome], NOW).body)


def test_a_request_that_can_not_be() -> None:
    """Its caller is told why."""
    answer = to_wrong(ValueError("at = '08:61': no"))
    assert (answer.status, json.loads(answer.body)) == (400, {"error": "at = '08:61': no"})


def test_whoever_may_not_wake() -> None:
    """It is told what it needs: a token, or that this port can't let it in."""
    refused = to_refused(Refusal.WRONG_TOKEN)
    assert (refused.status, header(refused, "www-authenticate")) == (401, "Bearer")
    assert answers.NOT_OPEN.status == answers.NO_CERTIFICATE.status == 403
    assert b"grpc_token" in answers.NOT_OPEN.body
    assert b"grpc_token" in answers.NO_CERTIFICATE.body


def test_other_answers() -> None:
    """Another method is told the right one, and what is none of ours, what this port is for."""
    assert (answers.NOT_A_POST.status, header(answers.NOT_A_POST, "allow")) == (405, "POST")
    assert answers.NOTHING.status == 404
    assert b"Knative-Serving-Revision" in answers.NOTHING.body


@pytest.mark.parametrize("answer", [one for one in vars(answers).values() if isinstance(one, Answer)])
def test_every_answer_tells_its_length(answer: Answer) -> None:
    """So that a connection can be used again; and its kind, where it has a body."""
    assert header(answer, "content-length") == str(len(answer.body))
    assert (header(answer, "content-type") is None) == (not answer.body)


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page() -> None:
    """It asks again by itself, says what happens in words that are read out, fits dark and light, and loads nothing."""
    page = _Page()
    page.feed(PAGE.decode())
    tags = dict(page.tags)
    assert tags["html"]["lang"] == "en"
    assert tags["main"]["role"] == "status"
    assert ("meta", {"http-equiv": "refresh", "content": "2"}) in page.tags
    assert ("meta", {"name": "color-scheme", "content": "light dark"}) in page.tags
    assert {"title", "h1", "p"} <= set(tags)
    assert not {"script", "link", "img"} & set(tags)
    assert b"://" not in PAGE
    assert b"url(" not in PAGE
