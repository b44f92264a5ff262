"""Rules: which calls wake, whatever protocol they come by."""

import pytest

from gateway_hook.call import Call
from gateway_hook.rules import Ignored, Rules, host_of, is_probe
from wakequeue.revision import Revision
from wakequeue.setting_sources import load

HELLO = Revision("shop", "hello-00001")


def rules(**settings: str) -> Rules:
    """Return the rules of these settings."""
    return Rules(load({f"WAKEQUEUE_{name.upper()}": value for name, value in settings.items()}))


def call(**said: str | bool) -> Call:
    """Return a call that says this of itself."""
    return Call(sources=(), **said)  # type: ignore[arg-type]


def test_every_request_wakes_by_default() -> None:
    """Whatever its method, path, host or user agent."""
    assert rules().ignores(call(method="OPTIONS", path="/robots.txt", host="x.example", user_agent="Googlebot/2.1")) is None
    assert rules().allowed([HELLO]) == [HELLO]


@pytest.mark.parametrize(
    "agent",
    [
        "kube-probe/1.29",
        "Knative-Ingress-Probe",
        "Knative-Activator-Probe",
        "Knative-Queue-Proxy-Probe/2",
        "knative-autoscaling-probe",
    ],
)
def test_a_probes_user_agent_never_wakes(agent: str) -> None:
    """Kubernetes' and Knative's own probes are known by how their user agent begins."""
    assert rules().ignores(call(user_agent=agent)) is Ignored.PROBE


@pytest.mark.parametrize("agent", ["", "curl/8 kube-probe/1", "kube-probe"])
def test_another_user_agent_wakes(agent: str) -> None:
    """One that has a probe's name elsewhere is a user's."""
    assert rules().ignores(call(user_agent=agent)) is None


def test_a_call_with_a_probes_header_never_wakes() -> None:
    """Whoever read its headers says so."""
    assert rules().ignores(call(probe=True, user_agent="curl/8")) is Ignored.PROBE


@pytest.mark.parametrize("headers", [{"k-network-probe": "queue"}, {"k-kubelet-probe": "queue", "user-agent": "curl/8"}])
def test_a_probe_is_known_by_its_headers(headers: dict[str, str]) -> None:
    """Two headers are carried by probes alone."""
    assert is_probe(headers)


@pytest.mark.parametrize("headers", [{}, {"k-network-probe": ""}, {"x": "probe"}, {"user-agent": "kube-probe/1"}])
def test_a_request_has_none_of_these_headers(headers: dict[str, str]) -> None:
    """An empty one is an absent one: Mixer writes it so."""
    assert not is_probe(headers)


@pytest.mark.parametrize(("method", "wakes"), [("GET", True), ("get", True), ("POST", True), ("DELETE", False), ("", True)])
def test_methods(method: str, *, wakes: bool) -> None:
    """Where `methods` are set no other wakes; a call that says none isn't held back."""
    assert rules(methods='["GET", "POST"]').ignores(call(method=method)) is (None if wakes else Ignored.METHOD)


@pytest.mark.parametrize(
    ("agent", "wakes"),
    [
        ("Mozilla/5.0 (compatible; GoogleBot/2.1)", False),
        ("UptimeRobot/2.0", False),
        ("curl/8", True),
        ("", True),
        ("xUptimeRobot", True),
    ],
)
def test_user_agents(agent: str, *, wakes: bool) -> None:
    """A user agent that one of the patterns has wakes nothing, whatever its case."""
    held = rules(denied_user_agents='["*googlebot*", "UptimeRobot/*"]').ignores(call(user_agent=agent))
    assert held is (None if wakes else Ignored.USER_AGENT)


@pytest.mark.parametrize(
    ("path", "wakes"),
    [("/api/cart", True), ("/api/cart?x=.php", True), ("/", False), ("/api/x.php", False), ("/api/x.php?y=1", False), ("", True)],
)
def test_paths(path: str, *, wakes: bool) -> None:
    """A path must be allowed, and not denied; its query doesn't count."""
    held = rules(paths="/api/*", denied_paths="*.php").ignores(call(path=path))
    assert held is (None if wakes else Ignored.PATH)


@pytest.mark.parametrize(
    ("host", "wakes"),
    [("Shop.Example.Com:8443", True), ("example.com", False), ("old.example.com", False), ("example.org", False), ("", True)],
)
def test_hosts(host: str, *, wakes: bool) -> None:
    """A host must be allowed, and not denied, whatever its case and port."""
    held = rules(hosts="*.example.com", denied_hosts='["old.*"]').ignores(call(host=host))
    assert held is (None if wakes else Ignored.HOST)


@pytest.mark.parametrize(
    ("allowed", "denied", "wakes"),
    [
        ("shop", None, True),
        ('["team-*", "s?op"]', None, True),
        ("[a-z]*", None, True),
        ("default", None, False),
        ("sho", None, False),
        ("[!s]*", None, False),
        ("*", "shop", False),
        ("*", "sh*", False),
        ("*", "default", True),
    ],
)
def test_namespaces(allowed: str, denied: str | None, *, wakes: bool) -> None:
    """It is the Revision's namespace that must be allowed, and not denied."""
    chosen = {"namespaces": allowed} | ({"denied_namespaces": denied} if denied else {})
    assert rules(**chosen).allowed([HELLO]) == ([HELLO] if wakes else [])


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("A.example:80", "a.example"),
        ("a.example", "a.example"),
        ("a.example.:443", "a.example"),
        ("[::1]:80", "[::1]"),
        ("[::1]", "[::1]"),
        ("", ""),
    ],
)
def test_the_host_of_an_authority(authority: str, host: str) -> None:
    """Lower case, without port and final dot; an IPv6 address keeps its brackets."""
    assert host_of(authority) == host
