"""Resolve: which Revision a call means, in every form in which gateways name it."""

import re

import pytest

from gateway_hook.resolve import is_probe, resolve
from wakequeue.errors import Unresolved
from wakequeue.revision import Revision

HELLO = Revision("shop", "hello-00001")


def reason(namespace: bytes, service: bytes, *patterns: str) -> str:
    """Return why a call is not resolved."""
    with pytest.raises(Unresolved) as caught:
        resolve(namespace, service, [re.compile(pattern) for pattern in patterns])
    assert len(caught.value.detail) < 400
    return caught.value.reason


@pytest.mark.parametrize(
    "service",
    [
        "hello-00001",
        "HELLO-00001",
        " hello-00001\n",
        "hello-00001.",
        "hello-00001:80",
        "hello-00001-priv",
        "hello-00001-private",
        "hello-00001-private:8012",
    ],
)
def test_a_bare_name_is_in_the_calls_namespace(service: str) -> None:
    """The service alone is a Revision of the namespace that the call named, whatever its case, port and suffix."""
    assert resolve(b"shop", service.encode()) == HELLO
    assert resolve(b" Shop\n", service.encode()) == HELLO


@pytest.mark.parametrize(
    "host",
    [
        "hello-00001.shop.svc",
        "hello-00001.shop.svc:80",
        "hello-00001.shop.svc.",
        "hello-00001.shop.svc.cluster.local",
        "hello-00001.shop.svc.cluster.local.",
        "hello-00001.shop.svc.cluster.local:8080",
        "hello-00001.shop.svc.cluster.local.:65535",
        "hello-00001.shop.svc.my-company.example",
        "Hello-00001-Private.Shop.Svc.Cluster.Local",
        "hello-00001-priv.shop.svc.cluster.local:80",
    ],
)
@pytest.mark.parametrize("namespace", [b"default", b"istio-system", b"", b"not a namespace"])
def test_a_host_names_its_own_namespace(namespace: bytes, host: str) -> None:
    """The namespace in a Kubernetes host name wins: at the ingress gateway the call's own is often just `default`."""
    assert resolve(namespace, host.encode()) == HELLO


@pytest.mark.parametrize(
    "host",
    ["hello.shop", "example.com", "hello.example.com:443", "hello.shop.svcs", "svc", "10.0.0.1", "a.b.c.svc", "hello.svc.shop"],
)
def test_another_host_is_unknown(host: str) -> None:
    """A host that is no Kubernetes service names no Revision; a word without a dot is no host."""
    if "." in host:
        assert reason(b"shop", host.encode()) == "unknown_host"
    else:
        assert resolve(b"shop", host.encode()) == Revision("shop", host)


def test_only_the_last_private_suffix_is_cut() -> None:
    """A Revision may itself be named `...-priv`: its private service has the suffix once more."""
    assert resolve(b"shop", b"hello-priv-private") == Revision("shop", "hello-priv")
    assert resolve(b"shop", b"hello-private-1") == Revision("shop", "hello-private-1")


@pytest.mark.parametrize("form", ["{}", "{}.shop.svc.cluster.local:80"])
def test_a_digested_name_is_known_as_such(form: str) -> None:
    """A private service whose Revision's name was cut and hashed is refused: guessing would wake another Revision."""
    digested = "a-rather-long-revision-" + "0123456789abcdef" * 2 + "-private"
    assert len(digested) == 63
    assert reason(b"shop", form.format(digested).encode()) == "digested_name"


def test_a_long_name_without_a_digest_is_itself() -> None:
    """A private service of 63 characters whose middle is no digest is that of a Revision of 55."""
    assert resolve(b"shop", b"x" * 55 + b"-private") == Revision("shop", "x" * 55)


@pytest.mark.parametrize(
    ("namespace", "service", "why"),
    [
        (b"shop", b"", "no_service"),
        (b"shop", b" \n", "no_service"),
        (b"", b"", "no_service"),
        (b"\xff", b"hello", "invalid_utf8"),
        (b"shop", b"hel\xfflo", "invalid_utf8"),
        (b"shop", b"hello.shop.svc\xc3", "invalid_utf8"),
        (b"", b"hello", "invalid_name"),
        (b"sh_op", b"hello", "invalid_name"),
        (b"shop", b"hel_lo", "invalid_name"),
        (b"shop", b"-private", "invalid_name"),
        (b"shop", b":80", "invalid_name"),
        (b"shop", b"hello:123456", "invalid_name"),
        (b"shop", b"[::1]:80", "invalid_name"),
        (b"shop", b"x" * 64, "invalid_name"),
        (b"shop", b"x" * 100_000, "invalid_name"),
        (b"shop", b"hello\0", "invalid_name"),
        (b"shop", "h\u00e9llo".encode(), "invalid_name"),
        (b"shop", b"hello.sh_op.svc", "invalid_name"),
    ],
)
def test_what_names_no_revision_says_why(namespace: bytes, service: bytes, why: str) -> None:
    """Every other call is Unresolved, with a reason of the fixed set and a detail of bounded length."""
    assert reason(namespace, service) == why


PATTERN = r"(?P<name>[a-z]+)--(?P<namespace>[a-z]+)\.apps\.example(?::\d+)?"


def test_the_operators_patterns_come_first() -> None:
    """A pattern that matches the whole service decides, before any built-in form; the first such pattern wins."""
    patterns = [re.compile(text) for text in (PATTERN, r"(?P<name>other)\.shop\.svc", r"(?P<name>oth)er\.shop\.svc")]
    assert resolve(b"default", b"Hello--Shop.apps.example:443", patterns) == Revision("shop", "hello")
    assert resolve(b"default", b"other.shop.svc", patterns) == Revision("default", "other")
    assert resolve(b"default", b"hello.shop.svc", patterns) == Revision("shop", "hello")


def test_a_pattern_must_match_the_whole_service() -> None:
    """A pattern that matches a part of the service decides nothing."""
    assert resolve(b"shop", b"hello-00001", [re.compile("(?P<name>hello)")]) == HELLO


def test_a_pattern_without_a_namespace_takes_the_calls() -> None:
    """Where the group `namespace` is absent, or matched nothing, the call's namespace stands."""
    for pattern in (r"(?P<name>[a-z]+)\.x", r"(?:(?P<namespace>[a-z]+)/)?(?P<name>[a-z]+)\.x"):
        assert resolve(b"shop", b"hello.x", [re.compile(pattern)]) == Revision("shop", "hello")


@pytest.mark.parametrize("pattern", [r"(?P<name>y)?x", r"(?P<name>.*)"])
def test_what_a_pattern_names_must_be_a_revision(pattern: str) -> None:
    """A pattern that names nothing, or no DNS label, leaves the call unresolved."""
    assert reason(b"shop", b"x" if "y" in pattern else b"x_y", pattern) == "invalid_name"


@pytest.mark.parametrize("namespaces", [["shop"], ["sh*"], ["team-*", "s?op"], ["[a-z]*"], ["*"]])
@pytest.mark.parametrize(
    ("namespace", "service"), [(b"shop", b"hello-00001"), (b"default", b"hello-00001.shop.svc:80"), (b"Shop ", b"hello-00001")]
)
def test_a_namespace_that_is_allowed(namespaces: list[str], namespace: bytes, service: bytes) -> None:
    """One pattern that matches is enough; it is the Revision's namespace that counts, not the call's."""
    assert resolve(namespace, service, namespaces=namespaces) == HELLO


@pytest.mark.parametrize("namespaces", [["default"], ["hop"], ["sho"], ["shop-*", "?"], ["[!s]*"]])
def test_a_namespace_that_is_not_allowed(namespaces: list[str]) -> None:
    """A call for a Revision of another namespace is unresolved, however it is named; the detail says which Revision."""
    with pytest.raises(Unresolved) as caught:
        resolve(b"default", b"hello-00001.shop.svc", namespaces=namespaces)
    assert (caught.value.reason, caught.value.detail) == ("namespace_not_allowed", "shop/hello-00001")
    with pytest.raises(Unresolved, match="namespace_not_allowed"):
        resolve(b"default", b"shop--hello", [re.compile("(?P<namespace>.+)--(?P<name>.+)")], namespaces)


def test_what_names_no_revision_says_so_wherever_it_would_be() -> None:
    """The allow list hides no other reason."""
    with pytest.raises(Unresolved) as caught:
        resolve(b"shop", b"", namespaces=["default"])
    assert caught.value.reason == "no_service"


PROBES: list[dict[str, str]] = [
    {"user-agent": "kube-probe/1.29"},
    {"user-agent": "Knative-Ingress-Probe"},
    {"user-agent": "Knative-Activator-Probe"},
    {"user-agent": "Knative-Queue-Proxy-Probe"},
    {"user-agent": "knative-autoscaling-probe"},
    {"k-network-probe": "queue"},
    {"k-kubelet-probe": "queue", "user-agent": "curl/8"},
]


@pytest.mark.parametrize("headers", PROBES)
def test_a_probe_is_known_by_its_headers(headers: dict[str, str]) -> None:
    """Kubernetes' and Knative's own probes are told from requests."""
    assert is_probe(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"user-agent": ""},
        {"user-agent": "curl/8 kube-probe/1"},
        {"user-agent": "kube-probe"},
        {"k-network-probe": ""},
        {"x": "probe"},
    ],
)
def test_a_request_is_no_probe(headers: dict[str, str]) -> None:
    """Other headers are a user's, and an empty one is an absent one: Mixer writes it so."""
    assert not is_probe(headers)
