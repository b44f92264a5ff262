"""Envoy's external authorization, byte by byte: what a check is understood as, and what it is answered."""

import asyncio
import itertools
import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.envoy_messages import CHECK, check_request, headers_added
from support.fakes import FakeContext, FakeRecorder
from support.mixer import field, varint

from gateway_hook.envoy.check_request import call_of
from gateway_hook.envoy.ext_authz import ExtAuthz
from gateway_hook.hook import Hook
from gateway_hook.outcome import Outcome
from gateway_hook.port import Methods
from wakequeue.cluster.knowledge import Unknown
from wakequeue.revision import Revision
from wakequeue.setting_sources import load
from wakequeue.telemetry import CALLS, FRONT, IGNORED, UNRESOLVED

if TYPE_CHECKING:
    import grpc

    from gateway_hook.envoy.ext_authz import Context
    from gateway_hook.recorder import Recorder

HELLO: Final = Revision("default", "hello-00001")
#: CheckResponse: status = 1 {}.
OK: Final = bytes.fromhex("0a00")
NAMED: Final = {b"wakequeue.namespace": b"default", b"wakequeue.revision": b"hello-00001"}
ROUTE: Final = {b"wakequeue": {b"namespace": b"default", b"revision": b"hello-00001"}}
CLUSTER: Final = (("x-wakequeue-cluster", "default/hello-00001"),)
BAD_TEXT: Final = b"/caf\xe9/\xff\xfe\xc0\x80"
Pairs = tuple[tuple[str, str | bytes], ...]


def authz_of(recorder: FakeRecorder, **settings: str) -> ExtAuthz:
    """Return the service of these settings."""
    loaded = load({f"WAKEQUEUE_{name.upper()}": text for name, text in settings.items()})
    return ExtAuthz(Hook(cast("Recorder", recorder), loaded, Unknown()), loaded)


def answer(data: bytes, recorder: FakeRecorder, metadata: Pairs = (), remaining: float | None = None, **settings: str) -> bytes:
    """Return the answer's bytes to one check."""
    context = cast("Context", FakeContext(remaining, metadata))
    return asyncio.run(authz_of(recorder, **settings).check(data, context))


def understood(data: bytes, metadata: Pairs = (), **settings: str) -> list[Revision]:
    """Return whose call was recorded for one check; the user is let through."""
    recorder = FakeRecorder()
    assert answer(data, recorder, metadata, **settings) == OK
    assert not any(one.cold for one in recorder.told)
    return recorder.revisions


@pytest.fixture(autouse=True)
def _from_zero() -> None:
    """Have each test count from zero."""
    for counter in (CALLS, UNRESOLVED, IGNORED):
        counter.clear()


def counted(name: str, **labels: str) -> float:
    """Return a counter's value."""
    return FRONT.get_sample_value(f"wakequeue_{name}_total", labels) or 0.0


# The answer.


@pytest.mark.parametrize("outcome", [*Outcome, RuntimeError("a defect")])
def test_every_outcome_lets_the_user_through(outcome: Outcome | Exception) -> None:
    """Whatever became of the call, our own defects included, the status is OK; it is counted under the protocol's name."""
    assert answer(check_request(extensions=NAMED), FakeRecorder(outcome)) == OK
    label = outcome if isinstance(outcome, Outcome) else "failed"
    assert counted("calls", protocol="envoy_ext_authz", outcome=label) == 1


def test_by_default_nothing_is_added() -> None:
    """The answer has the status and nothing else: the request goes on as it came."""
    assert headers_added(answer(check_request(extensions=NAMED), FakeRecorder())) == (0, {})


@pytest.mark.parametrize(
    "data", [check_request(), b"\xff", check_request(extensions=NAMED, headers={b"user-agent": b"kube-probe/1.29"})]
)
def test_a_request_that_wakes_nothing_is_not_retried(data: bytes) -> None:
    """It has nothing to wait for, and would be tried for minutes."""
    assert headers_added(answer(data, FakeRecorder(), envoy_retry_headers="true")) == (0, {})


@pytest.mark.parametrize("outcome", [Outcome.RECORDED, Outcome.AWAKE, Outcome.BUFFERED, Outcome.DROPPED, RuntimeError("a defect")])
def test_the_answer_may_have_the_router_retry(outcome: Outcome | Exception) -> None:
    """With `envoy_retry_headers`, whatever became of the call: each header replaces what the client may have sent (action 2)."""
    assert headers_added(answer(check_request(extensions=NAMED), FakeRecorder(outcome), envoy_retry_headers="true")) == (
        0,
        {
            "x-envoy-retry-on": ("connect-failure,refused-stream,retriable-headers", 2),
            "x-envoy-retriable-header-names": ("x-wakequeue", 2),
            "x-envoy-max-retries": ("4000", 2),
            "x-envoy-upstream-rq-timeout-ms": ("0", 2),
        },
    )


@pytest.mark.parametrize(
    ("outcome", "retry_headers", "added"),
    [
        (Outcome.RECORDED, "false", 4),
        (Outcome.WAITING, "false", 4),
        (Outcome.BUFFERED, "false", 4),
        (Outcome.DROPPED, "false", 4),
        (Outcome.FAILED, "false", 4),
        (Outcome.AWAKE, "false", 4),
        (Outcome.PASSED, "false", 4),
        (Outcome.IGNORED, "true", 0),
        (Outcome.UNRESOLVED, "true", 0),
    ],
)
def test_in_hold_mode_the_router_retries(outcome: Outcome, retry_headers: str, added: int) -> None:
    """Whatever `envoy_retry_headers` say, and whatever wakes: Envoy may hear after us that the Revision is ready."""
    loaded = load({"WAKEQUEUE_ENVOY_RETRY_HEADERS": retry_headers, "WAKEQUEUE_MODE": "hold", "WAKEQUEUE_KUBERNETES": "on"})
    authz = ExtAuthz(Hook(cast("Recorder", FakeRecorder(outcome)), loaded, Unknown()), loaded)
    data = asyncio.run(authz.check(check_request(extensions=NAMED), cast("Context", FakeContext())))
    assert len(headers_added(data)[1]) == added


@pytest.mark.parametrize(("remaining", "budget"), [(None, 0.1), (10.0, 5.0), (0.2, 0.1), (0.0, 0.0)])
def test_the_answer_comes_before_half_of_envoys_time_is_gone(remaining: float | None, budget: float) -> None:
    """Envoy waits for 200 ms by default: the recorder is given half of what remains."""
    recorder = FakeRecorder()
    answer(check_request(extensions=NAMED), recorder, (), remaining)
    assert [one.budget for one in recorder.told] == [pytest.approx(budget)]
    assert [one.caller for one in recorder.told] == ["envoy_ext_authz 10.0.0.7"]


# Which Revision it means.


def test_a_recorded_check_is_understood() -> None:
    """The bytes of a check, written by the field numbers alone."""
    data = bytes.fromhex(
        "0a 4a"  # CheckRequest.attributes = 1
        "22 09 12 07"  # AttributeContext.request = 4, Request.http = 2
        "12 03 474554"  # HttpRequest.method = 2: GET
        "2200"  # HttpRequest.path = 4, empty
        "52 1e"  # AttributeContext.context_extensions = 10
        "0a 13 77616b6571756575652e6e616d657370616365"  # key: wakequeue.namespace
        "12 07 64656661756c74"  # value: default
        "52 1d"  # and another
        "0a 12 77616b6571756575652e7265766973696f6e"  # key: wakequeue.revision
        "12 07 68656c6c6f2d31"  # value: hello-1
    )
    assert understood(data) == [Revision("default", "hello-1")]


@pytest.mark.parametrize(
    "cluster",
    [
        "default/hello-00001",
        "default/hello-00001/80/da39a3ee5e",
        "outbound|80||hello-00001.default.svc.cluster.local",
        "outbound|8012|v1|hello-00001-private.default.svc.cluster.local",
        "outbound_.80_._.hello-00001.default.svc.cluster.local",
        b"default/hello-00001",
    ],
)
def test_the_cluster_is_read_from_the_gateways_metadata(cluster: str | bytes) -> None:
    """Kourier's, Contour's and Istio's names of a cluster are understood."""
    others = (("x-forwarded-for", "10.0.0.1"), ("x-envoy-internal", "true"))
    assert understood(check_request(), (*others, ("x-wakequeue-cluster", cluster))) == [HELLO]


def test_the_first_cluster_that_says_something_is_taken() -> None:
    """A key may be there more than once, and some clusters are no Revision's."""
    names = ("", "httproute/shop/cart/rule/0", "default/hello-00001", "default/other")
    assert understood(check_request(), tuple(("x-wakequeue-cluster", name) for name in names)) == [HELLO]


def test_the_route_and_the_host_table_are_read() -> None:
    """Route metadata names a Revision, and so does the operator's table."""
    assert understood(check_request(route=ROUTE)) == [HELLO]
    assert understood(check_request(route={b"other": ROUTE[b"wakequeue"]})) == []
    table = '{"hello.example.com": "default/hello-00001", "*.shop.example.com": "shop/any"}'
    assert understood(check_request(host=b"HELLO.example.com:8080"), revisions_by_host=table) == [HELLO]
    assert understood(check_request(host=b"a.shop.example.com"), revisions_by_host=table) == [Revision("shop", "any")]


#: The four sources, the most trusted first: what the check says, its metadata, and the settings; each names another Revision.
SOURCES: Final[dict[str, tuple[dict[str, Any], Pairs, dict[str, str]]]] = {
    "extensions": ({"extensions": {b"wakequeue.namespace": b"n", b"wakequeue.revision": b"extensions"}}, (), {}),
    "cluster": ({}, (("x-wakequeue-cluster", "n/cluster"),), {}),
    "route": ({"route": {b"wakequeue": {b"namespace": b"n", b"revision": b"route"}}}, (), {}),
    "host": ({}, (), {"revisions_by_host": '{"*": "n/host"}'}),
}


@pytest.mark.parametrize("names", [some for count in range(1, 5) for some in itertools.combinations(SOURCES, count)])
def test_the_most_trusted_source_is_taken(names: tuple[str, ...]) -> None:
    """Of any of the sources together the first of their order says which Revision it is."""
    said: dict[str, Any] = {}
    metadata: Pairs = ()
    settings: dict[str, str] = {}
    for name in names:
        said |= SOURCES[name][0]
        metadata += SOURCES[name][1]
        settings |= SOURCES[name][2]
    assert understood(check_request(**said), metadata, **settings) == [Revision("n", names[0])]


def test_half_a_name_says_nothing() -> None:
    """A namespace without a revision is passed over."""
    half = {b"wakequeue.namespace": b"shop"}
    assert understood(check_request(extensions=half, route={b"wakequeue": {b"namespace": b"shop"}}), CLUSTER) == [HELLO]


# What clients can send.

FORGED: Final[dict[str, dict[bytes, bytes]]] = {
    "Knative's": {b"knative-serving-namespace": b"default", b"knative-serving-revision": b"hello-00001"},
    "the cluster": {b"x-wakequeue-cluster": b"default/hello-00001"},
    "the extensions": {**NAMED, b"namespace": b"default", b"revision": b"hello-00001"},
    "the host": {b"host": b"hello-00001.default.svc.cluster.local", b":authority": b"hello-00001.default.svc.cluster.local"},
}


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize("where", ["headers", "raw_headers"])
def test_a_forged_header_wakes_nothing(name: str, where: str) -> None:
    """What a request's headers say of a Revision is its client's word, and names nothing; nor does a host that looks so."""
    data = check_request(**{where: FORGED[name]}, host=b"hello-00001.default.svc.cluster.local")
    assert understood(data) == []
    assert counted("unresolved", reason="unknown_host") == 1
    assert understood(data, (("x-wakequeue-cluster", "shop/cart"),)) == [Revision("shop", "cart")]


def test_only_the_metadata_of_the_call_itself_is_the_gateways() -> None:
    """A key that merely looks like ours is another."""
    assert understood(check_request(), (("x-wakequeue-cluster-2", "default/hello-00001"), ("cluster", "default/hello-00001"))) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"user-agent", b"kube-probe/1.29"),
        (b"user-agent", b"Knative-Ingress-Probe"),
        (b"user-agent", b"Knative-Activator-Probe"),
        (b"user-agent", b"Knative-Queue-Proxy-Probe"),
        (b"user-agent", b"Knative-Autoscaling-Probe"),
        (b"k-network-probe", b"queue"),
        (b"K-Kubelet-Probe", b"\xff"),
    ],
)
@pytest.mark.parametrize("where", ["headers", "raw_headers"])
def test_a_probe_is_not_recorded(key: bytes, value: bytes, where: str) -> None:
    """A probe wakes nothing, in both forms in which Envoy sends headers."""
    assert understood(check_request(extensions=NAMED, **{where: {key: value}})) == []
    assert counted("ignored", reason="probe") == 1


def test_the_rules_hear_what_the_request_is() -> None:
    """Method, path, host and user agent are the request's."""
    data = check_request(headers={b"user-agent": b"curl/8"}, method=b"PUT", path=b"/a?b=c", host=b"shop.example.com:80")
    call = call_of(data, ())
    assert (call.method, call.path, call.host, call.user_agent) == ("PUT", "/a?b=c", "shop.example.com:80", "curl/8")
    assert (call.probe, call.cold, call.request_id) == (False, False, "")
    assert call_of(check_request(raw_headers={b"User-Agent": b"curl/8"}), ()).user_agent == "curl/8"


# What is not as it should be.


def test_invalid_utf8_where_nothing_is_decided_costs_nothing() -> None:
    """A path, a method, a host, a header or another extension may hold any bytes: the call is recorded all the same."""
    everywhere = {BAD_TEXT: BAD_TEXT, b"user-agent": BAD_TEXT}
    data = check_request(
        extensions={**NAMED, BAD_TEXT: BAD_TEXT},
        route={BAD_TEXT: {BAD_TEXT: BAD_TEXT}},
        headers=everywhere,
        raw_headers=everywhere,
        method=BAD_TEXT,
        path=BAD_TEXT,
        host=BAD_TEXT,
    )
    assert understood(data) == [HELLO]


@pytest.mark.parametrize(
    ("reason", "data", "metadata"),
    [
        ("no_service", b"", ()),
        ("unknown_host", check_request(), (("x-wakequeue-cluster", "httproute/shop/cart/rule/0"),)),
        ("invalid_utf8", check_request(extensions={b"wakequeue.revision": BAD_TEXT}), ()),
        ("invalid_utf8", check_request(), (("x-wakequeue-cluster", b"\xff/\xff"),)),
        ("invalid_utf8", check_request(host=BAD_TEXT), ()),
        ("invalid_name", check_request(extensions={b"wakequeue.revision": b"hel_lo"}), CLUSTER),
        ("invalid_name", check_request(extensions={b"wakequeue.revision": b"hello.default.svc"}), CLUSTER),
        ("malformed", b"\xff", CLUSTER),
        ("malformed", check_request()[:-1], CLUSTER),
        ("malformed", field(1, field(4, b"\x12\xff")), CLUSTER),
        ("malformed", b"GET / HTTP/1.1\r\n\r\n", CLUSTER),
    ],
)
def test_what_names_no_revision_lets_the_user_through(
    reason: str, data: bytes, metadata: Pairs, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is recorded; the reason is counted, and logged in one line."""
    caplog.set_level(logging.WARNING, logger="wakequeue")
    assert understood(data, metadata) == []
    assert counted("unresolved", reason=reason) == 1
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"unresolved protocol=envoy_ext_authz reason={reason} ")


def test_fields_that_we_do_not_know_are_read_over() -> None:
    """A later version's fields, of any wire type, cost nothing."""
    unknown = field(99, b"\xff") + varint(98 << 3) + b"\x05" + varint(97 << 3 | 1) + b"\0" * 8 + varint(96 << 3 | 5) + b"\0" * 4
    attributes = field(4, field(2, unknown) + unknown) + unknown
    assert understood(field(1, attributes) + unknown, CLUSTER) == [HELLO]


GOOD: Final = check_request(extensions=NAMED, route=ROUTE, headers={b"a": b"b"}, raw_headers={b"c": b"d"})


@given(
    st.binary(max_size=200) | st.tuples(st.integers(0, len(GOOD)), st.binary(max_size=5)).map(lambda cut: GOOD[: cut[0]] + cut[1]),
    st.lists(st.tuples(st.just("x-wakequeue-cluster"), st.text(max_size=20) | st.binary(max_size=20)), max_size=2),
)
def test_anything_is_answered(data: bytes, metadata: list[tuple[str, str | bytes]]) -> None:
    """Whatever arrives, the answer is the one that lets the user through, and nothing met a defect."""
    CALLS.clear()
    assert answer(data, FakeRecorder(), tuple(metadata)) == OK
    assert counted("calls", protocol="envoy_ext_authz", outcome="failed") == 0


def test_the_method_is_envoys_and_takes_bytes() -> None:
    """The handler answers at Envoy's name, unary, with requests and answers as they are on the wire; at no other name."""
    service = authz_of(FakeRecorder())

    def found(method: str) -> Any:  # noqa: ANN401  gRPC's own type says nothing of asynchronous handlers
        details = cast("grpc.HandlerCallDetails", SimpleNamespace(method=method, invocation_metadata=()))
        return Methods(service.handlers()).service(details)

    handler = found(CHECK)
    assert handler.unary_unary == service.check
    assert (handler.request_streaming, handler.response_streaming) == (False, False)
    assert (handler.request_deserializer, handler.response_serializer) == (None, None)
    assert found("/envoy.service.auth.v2.Authorization/Check") is None
