"""Envoy's external authorization, byte by byte: whose call a check is, and that every request may pass."""

import asyncio
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.envoy_wire import check_request, read_check_response
from support.fakes import FakeContext, FakeRecorder

from gateway_hook.envoy.ext_authz import METHOD, SERVICE, ExtAuthz
from gateway_hook.hook import Hook
from gateway_hook.outcome import Outcome
from wakequeue.revision import Revision
from wakequeue.setting_sources import load
from wakequeue.telemetry import CALLS, FRONT, IGNORED

if TYPE_CHECKING:
    from gateway_hook.envoy.ext_authz import Context
    from gateway_hook.recorder import Recorder

HELLO = Revision("default", "hello-00001")
CLUSTER = (("x-wakequeue-cluster", "default/hello-00001"),)
EXTENSIONS = {b"wakequeue.namespace": b"default", b"wakequeue.revision": b"hello-00001"}
ROUTE = {b"other": {b"namespace": b"no", b"revision": b"no"}, b"wakequeue": {b"namespace": b"default", b"revision": b"hello-00001"}}
TABLE = '{"hello.example.com": "default/hello-00001"}'


def answer(
    data: bytes, metadata: tuple[tuple[str, str | bytes], ...] = (), recorder: FakeRecorder | None = None, **settings: str
) -> bytes:
    """Return the answer's bytes to one check."""
    loaded = load({f"WAKEQUEUE_{name.upper()}": text for name, text in settings.items()})
    service = ExtAuthz(Hook(cast("Recorder", recorder or FakeRecorder()), loaded), loaded)
    return asyncio.run(service.check(data, cast("Context", FakeContext(0.2, metadata))))


def understood(data: bytes, metadata: tuple[tuple[str, str | bytes], ...] = (), **settings: str) -> list[Revision]:
    """Return whose call was recorded for one check; the request may pass, as it is."""
    recorder = FakeRecorder()
    checked = read_check_response(answer(data, metadata, recorder, **settings))
    assert (checked.passes, checked.headers) == (True, {})
    return recorder.revisions


def test_the_routes_context_names_the_revision() -> None:
    """It is the gateway's own configuration; who told, and the time that there is, go with the call."""
    recorder = FakeRecorder()
    answer(check_request(extensions=EXTENSIONS), recorder=recorder)
    (told,) = recorder.told
    assert (told.revision, told.caller, told.budget, told.cold) == (HELLO, "envoy_ext_authz 10.0.0.7", pytest.approx(0.1), False)


@pytest.mark.parametrize(
    "cluster",
    [
        "default/hello-00001",
        "default/hello-00001/80/0a1b2c",
        "outbound|80||hello-00001.default.svc.cluster.local",
        "outbound_.8012_._.hello-00001-private.default.svc.cluster.local",
    ],
)
def test_the_cluster_that_the_route_chose_names_it(cluster: str) -> None:
    """In the call's metadata, as text or as bytes."""
    assert understood(check_request(), (("x-other", "y"), ("x-wakequeue-cluster", cluster))) == [HELLO]
    assert understood(check_request(), (("x-wakequeue-cluster", cluster.encode()),)) == [HELLO]


def test_the_routes_metadata_name_it() -> None:
    """Those of our own filter's name, whatever others say."""
    assert understood(check_request(route=ROUTE)) == [HELLO]


def test_the_table_of_hosts_names_it() -> None:
    """Where nothing of the route does."""
    assert understood(check_request(host=b"Hello.Example.Com:8443"), revisions_by_host=TABLE) == [HELLO]


def test_the_sources_have_their_order() -> None:
    """Context, cluster, route metadata, host: the first that says anything decides."""
    other = {b"wakequeue.namespace": b"a", b"wakequeue.revision": b"context"}
    route = {b"wakequeue": {b"namespace": b"a", b"revision": b"route"}}
    table = '{"hello.example.com": "a/host"}'
    cluster = (("x-wakequeue-cluster", "a/cluster"),)
    request = check_request(extensions=other, route=route)
    assert understood(request, cluster, revisions_by_host=table) == [Revision("a", "context")]
    assert understood(check_request(route=route), cluster, revisions_by_host=table) == [Revision("a", "cluster")]
    unknown = (("x-wakequeue-cluster", "placeholder"),)
    assert understood(check_request(route=route), unknown, revisions_by_host=table) == [Revision("a", "route")]
    assert understood(check_request(), unknown, revisions_by_host=table) == [Revision("a", "host")]


@pytest.mark.parametrize(
    "headers",
    [
        {b"knative-serving-namespace": b"default", b"knative-serving-revision": b"hello-00001"},
        {b"x-wakequeue-cluster": b"default/hello-00001"},
        {b"wakequeue.namespace": b"default", b"wakequeue.revision": b"hello-00001"},
    ],
)
def test_a_forged_identity_wakes_nothing(headers: dict[bytes, bytes]) -> None:
    """What a client may send as headers names no Revision, in either form in which the gateway sends them."""
    assert understood(check_request(headers=headers)) == []
    assert understood(check_request(raw_headers=headers)) == []
    cluster = (("x-wakequeue-cluster", "shop/cart-00007"),)
    assert understood(check_request(headers=headers), cluster) == [Revision("shop", "cart-00007")]


@pytest.mark.parametrize(
    "headers",
    [{b"user-agent": b"kube-probe/1.29"}, {b"k-network-probe": b"queue"}, {b"K-Kubelet-Probe": b"x", b"user-agent": b"curl/8"}],
)
def test_a_probe_wakes_nothing(headers: dict[bytes, bytes]) -> None:
    """In either form in which the gateway sends headers."""
    IGNORED.clear()
    assert understood(check_request(headers=headers, extensions=EXTENSIONS)) == []
    assert understood(check_request(raw_headers=headers, extensions=EXTENSIONS)) == []
    assert FRONT.get_sample_value("wakequeue_ignored_total", {"reason": "probe"}) == 2


def test_the_rules_see_the_request() -> None:
    """Its method, path, host and user agent."""
    request = check_request(
        method=b"PUT", path=b"/x?y", host=b"h.example", headers={b"user-agent": b"A Bot"}, extensions=EXTENSIONS
    )
    rules = {"methods": "GET", "denied_paths": "/x", "denied_hosts": "h.example", "denied_user_agents": "*bot"}
    for name, value in rules.items():
        assert understood(request, **{name: value}) == []
    assert understood(request) == [HELLO]


def test_what_is_no_text_costs_nothing() -> None:
    """A path, a header and a host may hold any bytes: the route names the Revision all the same."""
    bad = b"\xff\xfe"
    request = check_request(path=b"/" + bad, host=bad, headers={b"x": bad, bad: b"x"}, extensions=EXTENSIONS)
    assert understood(request) == [HELLO]


@given(st.binary(max_size=200))
def test_any_bytes_may_pass(data: bytes) -> None:
    """What is no check is answered OK too."""
    assert read_check_response(answer(data)).passes


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_lets_the_request_pass(outcome: Outcome) -> None:
    """Whatever became of the call."""
    assert read_check_response(answer(check_request(extensions=EXTENSIONS), recorder=FakeRecorder(outcome))).passes


def test_our_own_defect_lets_the_request_pass() -> None:
    """It is counted."""
    CALLS.clear()
    assert read_check_response(answer(check_request(extensions=EXTENSIONS), recorder=FakeRecorder(RuntimeError()))).passes
    assert FRONT.get_sample_value("wakequeue_calls_total", {"protocol": "envoy_ext_authz", "outcome": "failed"}) == 1


def test_the_answer_may_carry_a_retry_policy() -> None:
    """With `envoy_retry_headers` a request that wakes is tried again until its application is up, whoever sent such headers."""
    given_headers = read_check_response(answer(check_request(extensions=EXTENSIONS), envoy_retry_headers="true")).headers
    assert given_headers == {
        b"x-envoy-retry-on": (b"connect-failure,refused-stream,retriable-headers", 2),
        b"x-envoy-retriable-header-names": (b"x-wakequeue", 2),
        b"x-envoy-max-retries": (b"4000", 2),
        b"x-envoy-upstream-rq-timeout-ms": (b"0", 2),
    }


@pytest.mark.parametrize(
    "request_", [check_request(), check_request(headers={b"user-agent": b"kube-probe/1"}, extensions=EXTENSIONS)]
)
def test_who_wakes_nothing_has_nothing_to_wait_for(request_: bytes) -> None:
    """Its request is not tried for minutes."""
    assert read_check_response(answer(request_, envoy_retry_headers="true")).headers == {}


def test_the_method_is_envoys() -> None:
    """At its name alone."""
    loaded = load({})
    handlers = ExtAuthz(Hook(cast("Recorder", FakeRecorder()), loaded), loaded).handlers()
    assert (list(handlers), METHOD) == (["envoy.service.auth.v3.Authorization"], "Check")
    assert SERVICE in handlers
