"""What a request at the HTTP port is, and the call that it means."""

import pytest

from gateway_hook.call import Exact, Host
from gateway_hook.http.request import (
    NAMELESS,
    Cold,
    Headers,
    Kind,
    Probe,
    Request,
    Wake,
    cold_call,
    kind_of,
    probe_call,
)
from wakequeue.errors import Unresolved

ROUTED = {"knative-serving-namespace": "shop", "knative-serving-revision": "cart-00001"}


def request(method: str = "GET", target: str = "/", **headers: str) -> Request:
    """Return a request; underscores in the names of headers are hyphens."""
    return Request(method, target, Headers({name.replace("_", "-"): value for name, value in headers.items()}))


def kind(method: str = "GET", target: str = "/", **headers: str) -> Kind:
    """Return what a request is, where the operator's table has one host."""
    return kind_of(request(method, target, **headers), lambda host: host == "known.example")


def routed(**headers: str) -> Request:
    """Return a cold request."""
    return request(**{name.replace("-", "_"): value for name, value in ROUTED.items()} | headers)


# Headers.


def test_headers_are_known_in_lower_case() -> None:
    """A name in any case is the same header, and white space around a value means nothing."""
    assert Headers.of([(b"X-Request-ID", b" a "), (b"host", b"x")]) == {"x-request-id": "a", "host": "x"}


def test_headers_of_one_name_are_joined() -> None:
    """None of two values is lost, so that one that was forged beside the router's own is seen."""
    assert Headers.of([(b"Knative-Serving-Revision", b"a"), (b"knative-serving-revision", b"b")]) == {
        "knative-serving-revision": "a,b"
    }


def test_headers_that_are_no_text() -> None:
    """Any byte is a character, so that no request can't be read."""
    assert Headers.of([(b"host", bytes(range(128, 256)))])["host"] == bytes(range(128, 256)).decode("latin-1").strip()


# Kinds.


@pytest.mark.parametrize(
    ("headers", "probe"),
    [
        ({"k_network_probe": "activator"}, Probe("activator", "")),
        ({"k_network_probe": "probe", "k_network_hash": "beef"}, Probe("probe", "beef")),
        ({"k_network_probe": "queue"}, Probe("queue", "")),
        ({"k_network_probe": "queue", "user_agent": "kube-probe/1.31"}, Probe("queue", "")),
        ({"k_kubelet_probe": "queue"}, Probe("kubelet", "")),
        ({"user_agent": "kube-probe/1.31"}, Probe("kubelet", "")),
        ({"user_agent": "Kube-Probe/1.31"}, Probe("kubelet", "")),
        ({"user_agent": "Knative-Ingress-Probe"}, Probe("", "")),
        ({"user_agent": "Knative-Activator-Probe"}, Probe("", "")),
    ],
)
@pytest.mark.parametrize("others", [{}, {"knative_serving_namespace": "shop", "knative_serving_revision": "cart"}])
def test_probes_come_first(headers: dict[str, str], probe: Probe, others: dict[str, str]) -> None:
    """Whatever else a probe carries, it is one."""
    assert kind(**headers, **others) == probe
    assert kind("POST", "/wake/shop/cart", **headers) == probe


def test_a_request_with_the_routers_headers_is_cold() -> None:
    """Whatever its path and method."""
    assert kind_of(routed(), lambda _: False) == Cold(wants_page=False)
    assert kind_of(Request("POST", "/wake/a/b", Headers(ROUTED)), lambda _: False) == Cold(wants_page=False)


def test_a_request_for_a_known_host_is_cold() -> None:
    """A host of the operator's table needs no headers, and its application may have a path like ours."""
    assert kind(host="known.example") == Cold(wants_page=False)
    assert kind("POST", "/wake/a/b", host="known.example") == Cold(wants_page=False)


@pytest.mark.parametrize(
    ("method", "accept", "page"),
    [
        ("GET", "text/html", True),
        ("GET", "application/xhtml+xml, Text/HTML;q=0.9", True),
        ("GET", "*/*", False),
        ("GET", "text/plain", False),
        ("GET", "x/text/html", False),
        ("POST", "text/html", False),
        ("HEAD", "text/html", False),
    ],
)
def test_a_browser_wants_a_page(method: str, accept: str, page: bool) -> None:  # noqa: FBT001  pytest's
    """A browser says that it takes HTML; what else says so, or asks by another method, wants the application itself."""
    assert kind(method, host="known.example", accept=accept) == Cold(wants_page=page)


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize(
    ("target", "wake"),
    [
        ("/wake/shop/cart-00001", Wake("shop/cart-00001")),
        ("/wake/shop/cart-00001?for=1m&at=08:55", Wake("shop/cart-00001", "for=1m&at=08:55")),
        ("/wake/shop/cart-00001?a?b", Wake("shop/cart-00001", "a?b")),
        ("/wake", Wake("")),
        ("/wake?revision=a/b", Wake("", "revision=a/b")),
    ],
)
def test_a_call_that_wakes(method: str, target: str, wake: Wake) -> None:
    """The path names the Revision, or leaves it to the query, by whatever method it comes."""
    assert kind(method, target, host="127.0.0.1:8012") == wake


@pytest.mark.parametrize("target", ["/", "*", "/wake/", "/wake/shop", "/wake/shop/", "/wake//x", "/wake/a/b/c", "/x/wake/a/b"])
def test_another_request_is_nothing(target: str) -> None:
    """Without the router's headers, a host that is known, or two names, a request is none of ours."""
    assert kind("POST", target, host="x.example") is None


@pytest.mark.parametrize("name", sorted(ROUTED))
def test_half_of_the_routers_headers(name: str) -> None:
    """A router sets both: a request with one of them isn't routed, and, as it came through a gateway, no call that wakes."""
    headers = Headers({name: "shop"})
    assert kind_of(Request("POST", "/wake/shop/cart", headers), lambda _: False) is None
    assert kind_of(Request("POST", "/wake/shop/cart", headers), lambda _: True) == Cold(wants_page=False)


# Calls.


def test_the_call_of_a_cold_request() -> None:
    """It has all that the rules and the resolver look at, and the name that its attempts share."""
    call = cold_call(routed(host="a.example", user_agent="curl/8", x_request_id="abc", x_envoy_attempt_count="3"))
    assert call.sources == (Exact(b"shop", b"cart-00001"),)
    assert (call.method, call.path, call.host, call.user_agent) == ("GET", "/", "a.example", "curl/8")
    assert (call.cold, call.probe, call.request_id) == (True, False, "abc")


def test_the_call_of_a_request_for_a_host() -> None:
    """Without the router's headers, or with one alone, the host is all that names it."""
    assert cold_call(request(host="a.example")).sources == (Host(b"a.example"),)
    assert cold_call(request(host="a.example", knative_serving_revision="evil")).sources == (Host(b"a.example"),)


@pytest.mark.parametrize(
    ("namespace", "revision"), [("shop,shop", "cart"), ("shop", "evil,cart"), ("shop,", "cart"), ("shop", ",cart")]
)
def test_a_doubled_header_names_nothing(namespace: str, revision: str) -> None:
    """One of two values was forged, and nobody can say which: even two that are equal wake nothing."""
    with pytest.raises(Unresolved) as refused:
        cold_call(routed(knative_serving_namespace=namespace, knative_serving_revision=revision))
    assert refused.value.reason == "doubled_header"


@pytest.mark.parametrize(
    ("attempt", "name"),
    [("", ""), ("0", ""), ("1", ""), ("2", NAMELESS), ("117", NAMELESS), ("-2", ""), ("x", ""), ("9" * 5000, "")],
)
def test_attempts_without_a_name(attempt: str, name: str) -> None:
    """The gateway's count tells a further attempt: those share a name, so that they count once, and keep the waking alive."""
    assert cold_call(routed(x_envoy_attempt_count=attempt)).request_id == name


def test_the_call_of_a_probe() -> None:
    """The rules know it, and ignore it."""
    assert probe_call().probe


@pytest.mark.parametrize(
    ("headers", "has_body"),
    [({}, False), ({"content_length": "0"}, False), ({"content_length": "5"}, True), ({"transfer_encoding": "chunked"}, True)],
)
def test_a_body_is_told_of(headers: dict[str, str], has_body: bool) -> None:  # noqa: FBT001  pytest's
    """By its length, or by its being sent in chunks."""
    assert request(**headers).has_body is has_body


def test_a_client_that_waits_with_its_body() -> None:
    """It says that it expects to be told to go on."""
    assert request(expect="100-continue").waits
    assert not request().waits
