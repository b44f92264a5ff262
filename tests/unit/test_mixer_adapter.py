"""Mixer's protocol, byte by byte: what a check is understood as, and what it is answered."""

import asyncio
import logging
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import FakeContext, FakeRecorder
from support.mixer import field, read_answer, request, varint
from support.templates import BACKEND, METHODS

from gateway_hook.hook import Hook
from gateway_hook.mixer.adapter import Mixer
from gateway_hook.mixer.templates import AUTHORIZATION
from gateway_hook.outcome import Outcome
from gateway_hook.port import Methods
from wakequeue.cluster.knowledge import Unknown
from wakequeue.revision import Revision
from wakequeue.setting_sources import load
from wakequeue.telemetry import CALLS, FRONT, IGNORED, UNRESOLVED

if TYPE_CHECKING:
    import grpc

    from gateway_hook.mixer.adapter import Context
    from gateway_hook.recorder import Recorder

HELLO: Final = Revision("default", "hello-00001")
#: A plain check of HELLO.
CHECK: Final = request(b"default", b"hello-00001")
#: CheckResult: status = 1 {}, valid_duration = 2 {seconds = 1: 1}; no valid_use_count, which is 0: never used again.
NOT_CACHED: Final = bytes.fromhex("0a00 12020801")
#: CheckResult: status = 1 {}, valid_duration = 2 {seconds = 1: 2}, valid_use_count = 3: 1,000,000.
CACHED: Final = bytes.fromhex("0a00 12020802 18c0843d")


def mixer_of(recorder: FakeRecorder, **settings: str) -> tuple[Mixer, Hook]:
    """Return the adapter of these settings, and its hook."""
    loaded = load({f"WAKEQUEUE_{name.upper()}": text for name, text in settings.items()})
    hook = Hook(cast("Recorder", recorder), loaded, Unknown())
    return Mixer(hook, loaded), hook


def answer(data: bytes, recorder: FakeRecorder, remaining: float | None = None, **settings: str) -> bytes:
    """Return the answer's bytes to one check."""
    mixer, _ = mixer_of(recorder, **settings)
    return asyncio.run(mixer.answer(AUTHORIZATION, data, cast("Context", FakeContext(remaining))))


def understood(data: bytes, **settings: str) -> list[Revision]:
    """Return whose call was recorded for one check; the user is let through, and nothing is cached."""
    recorder = FakeRecorder()
    assert answer(data, recorder, None, **settings) == NOT_CACHED
    return recorder.revisions


def check_of(action: bytes, subject: bytes = b"") -> bytes:
    """Write a HandleAuthorizationRequest of an ActionMsg and a SubjectMsg."""
    instance = field(72295727, b"wake.instance.istio-system") + field(1, subject) + field(2, action)
    return field(1, instance)


def property_of(key: bytes, value: bytes, arm: int = 1) -> bytes:
    """Write an entry of a map<string, Value>: {1 key, 2 {arm value}}."""
    return field(1, key) + field(2, field(arm, value))


@pytest.fixture(autouse=True)
def _from_zero() -> None:
    """Have each test count from zero."""
    CALLS.clear()
    UNRESOLVED.clear()
    IGNORED.clear()


def calls(outcome: str) -> float:
    """Return how many calls were counted with an outcome."""
    return FRONT.get_sample_value("wakequeue_calls_total", {"protocol": "mixer_authorization", "outcome": outcome}) or 0.0


# The answer.


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_lets_the_user_through(outcome: Outcome) -> None:
    """Whatever became of the call, the status is OK, and the answer is never the empty one, which Envoy caches for a minute."""
    data = answer(CHECK, FakeRecorder(outcome))
    assert data
    read = read_answer(data)
    assert read.code == 0
    assert read.valid_seconds > 0


@pytest.mark.parametrize("outcome", [one for one in Outcome if one not in {Outcome.AWAKE, Outcome.PASSED}])
def test_only_an_awake_answer_may_be_used_again(outcome: Outcome) -> None:
    """An answer that was cached would swallow the calls that are to wake the Revision: 0 uses, with a duration, means never."""
    assert answer(CHECK, FakeRecorder(outcome)) == NOT_CACHED
    read = read_answer(NOT_CACHED)
    assert (read.code, read.valid_seconds, read.uses) == (0, 1.0, 0)


@pytest.mark.parametrize("outcome", [Outcome.AWAKE, Outcome.PASSED])
def test_an_awake_answer_is_cached_for_awake_cache(outcome: Outcome) -> None:
    """It may be used again for `awake_cache`, and so often that only the time limits it."""
    assert answer(CHECK, FakeRecorder(outcome)) == CACHED
    read = read_answer(CACHED)
    assert (read.code, read.valid_seconds, read.uses) == (0, 2.0, 1_000_000)


@pytest.mark.parametrize(("text", "seconds"), [("1500ms", 1.5), ("250ms", 0.25), ("1ms", 0.001), ("4s", 4.0)])
def test_awake_cache_is_a_setting(text: str, seconds: float) -> None:
    """The duration is the setting's, fractions of a second too."""
    read = read_answer(answer(CHECK, FakeRecorder(Outcome.AWAKE), awake_cache=text))
    assert (read.code, read.valid_seconds) == (0, pytest.approx(seconds))
    assert read.uses > 0


@pytest.mark.parametrize(("remaining", "budget"), [(None, 0.1), (10.0, 5.0), (1.0, 0.5), (0.1, 0.05), (0.0, 0.0), (-1.0, -0.5)])
def test_the_answer_comes_before_half_of_the_callers_time_is_gone(remaining: float | None, budget: float) -> None:
    """The recorder is given half of what remains until the caller's deadline, or `answer_within` where there is none."""
    recorder = FakeRecorder()
    answer(CHECK, recorder, remaining)
    assert [(one.revision, one.budget) for one in recorder.told] == [(HELLO, pytest.approx(budget))]


def test_answer_within_is_a_setting() -> None:
    """Without a deadline of the caller's, the setting is the budget."""
    recorder = FakeRecorder()
    answer(CHECK, recorder, answer_within="30ms")
    assert [one.budget for one in recorder.told] == [pytest.approx(0.03)]


def test_our_own_defect_lets_the_user_through(caplog: pytest.LogCaptureFixture) -> None:
    """An error inside is answered OK, not cached, counted and logged: Mixer would make it HTTP 500."""
    caplog.set_level(logging.WARNING, logger="wakequeue")
    assert answer(CHECK, FakeRecorder(RuntimeError("a defect"))) == NOT_CACHED
    assert calls("failed") == 1
    assert "a defect" in caplog.text


@pytest.mark.parametrize("outcome", Outcome)
def test_each_call_is_counted_by_its_outcome(outcome: Outcome) -> None:
    """A call adds one to the counter of what became of it, and to nothing else."""
    answer(CHECK, FakeRecorder(outcome))
    for other in Outcome:
        assert calls(other) == (other is outcome)


def test_the_front_knows_how_many_calls_were_answered() -> None:
    """Each answer adds one, whatever it was: the front drains until no more are added."""
    mixer, hook = mixer_of(FakeRecorder())
    for expected, data in enumerate((CHECK, b"", b"\xff"), 1):
        asyncio.run(mixer.answer(AUTHORIZATION, data, cast("Context", FakeContext())))
        assert hook.answered == expected


# The request.


def test_a_recorded_request_is_understood() -> None:
    """The bytes of a check, written by the field numbers alone."""
    data = bytes.fromhex(
        "0a27"  # HandleAuthorizationRequest.instance = 1, 39 bytes
        "fad2e49302 01 78"  # InstanceMsg.name = 72295727: x
        "121e"  # InstanceMsg.action = 2, 30 bytes
        "0a07 64656661756c74"  # ActionMsg.namespace = 1: default
        "120b 68656c6c6f2d3030303031"  # ActionMsg.service = 2: hello-00001
        "1a03 474554"  # ActionMsg.method = 3: GET
        "2201 2f"  # ActionMsg.path = 4: /
        "1a01 39"  # HandleAuthorizationRequest.dedup_id = 3: 9
    )
    assert understood(data) == [HELLO]


@pytest.mark.parametrize(
    ("namespace", "service"),
    [
        (b"default", b"hello-00001-private"),
        (b"istio-system", b"hello-00001.default.svc.cluster.local:80"),
        (b"", b"hello-00001.default.svc.cluster.local"),
    ],
)
def test_the_service_is_resolved(namespace: bytes, service: bytes) -> None:
    """The namespace and the service are read in every form that `resolve` knows."""
    assert understood(request(namespace, service)) == [HELLO]


def test_the_operators_patterns_are_used() -> None:
    """`service_patterns` has its say."""
    assert understood(request(b"x", b"hello-00001.apps"), service_patterns=r"(?P<name>.+)\.apps") == [Revision("x", "hello-00001")]


def test_a_namespace_that_is_not_allowed_lets_the_user_through() -> None:
    """`namespaces` has its say: nothing is recorded, and the reason is counted."""
    assert understood(CHECK, namespaces="shop") == []
    assert FRONT.get_sample_value("wakequeue_ignored_total", {"reason": "namespace"}) == 1
    assert understood(CHECK, namespaces='["shop", "def*"]') == [HELLO]


def test_the_config_of_another_adapter_is_read_over() -> None:
    """An `adapter_config` that isn't ours and the `dedup_id`, present or absent, mean nothing to us."""
    config = field(2, field(1, b"type.googleapis.com/wakequeue.Params") + field(2, b"\x08\x01"))
    assert understood(CHECK + config + field(3, b"\xff")) == [HELLO]
    assert understood(config + CHECK) == [HELLO]


def test_fields_that_we_do_not_know_are_read_over() -> None:
    """A later template's fields, of any wire type, cost nothing."""
    unknown = field(99, b"\xff") + varint(98 << 3) + b"\x05" + varint(97 << 3 | 1) + b"\0" * 8 + varint(96 << 3 | 5) + b"\0" * 4
    action = field(1, b"default") + field(2, b"hello-00001") + unknown
    assert understood(check_of(action + unknown, unknown) + unknown) == [HELLO]


def test_explicit_empty_strings_are_absent_ones() -> None:
    """Mixer writes an attribute without a value as an empty string, and an entry of a map without one as empty too."""
    empty = b"".join(field(number, b"") for number in (1, 2, 3, 4, 5))
    headers = b"".join(field(5, property_of(key, b"")) for key in (b"", b"user-agent", b"k-network-probe"))
    action = empty + field(1, b"default") + field(2, b"hello-00001") + field(3, b"") + headers
    assert understood(check_of(action, subject=field(1, b"") + field(2, b"") + field(3, b""))) == [HELLO]


def over_long(number: int, width: int) -> bytes:
    """Write a varint in more bytes than it needs."""
    return bytes(number >> 7 * place & 0x7F | 0x80 for place in range(width - 1)) + bytes((number >> 7 * (width - 1) & 0x7F,))


@pytest.mark.parametrize("width", [2, 3, 5])
def test_over_long_varints_are_read(width: int) -> None:
    """Mixer reserves room for lengths before it knows them, so they come padded."""

    def padded(number: int, payload: bytes) -> bytes:
        return varint(number << 3 | 2) + over_long(len(payload), width) + payload

    action = padded(1, b"default") + padded(2, b"hello-00001") + padded(4, b"/")
    instance = padded(72295727, b"wake.instance.istio-system") + padded(1, b"") + padded(2, action)
    assert understood(padded(1, instance) + padded(3, b"")) == [HELLO]


BAD_TEXT: Final = b"/caf\xe9/\xff\xfe\xc0\x80"


def test_invalid_utf8_where_nothing_is_decided_costs_nothing() -> None:
    """A path, a method, a user or a header may hold any bytes: the call is recorded all the same."""
    entries = field(5, property_of(b"user-agent", BAD_TEXT)) + field(5, property_of(BAD_TEXT, BAD_TEXT))
    action = field(1, b"default") + field(2, b"hello-00001") + field(3, BAD_TEXT) + field(4, BAD_TEXT) + entries
    subject = field(1, BAD_TEXT) + field(2, BAD_TEXT) + field(3, property_of(BAD_TEXT, field(1, BAD_TEXT), arm=10))
    data = field(1, field(72295727, BAD_TEXT) + field(1, subject) + field(2, action)) + field(3, BAD_TEXT)
    assert understood(data) == [HELLO]


NO_REVISION: Final[dict[str, list[bytes]]] = {
    "no_service": [b"", field(1, b""), check_of(b""), request(b"default", b""), request(b"default", b" "), field(3, b"9")],
    "invalid_utf8": [request(BAD_TEXT, b"hello"), request(b"default", BAD_TEXT), request(b"default", b"hello-00001\xff")],
    "unknown_host": [request(b"default", b"example.com"), request(b"default", b"10.0.0.1:80")],
    "digested_name": [request(b"default", b"x" * 23 + b"0" * 32 + b"-private")],
    "invalid_name": [request(b"", b"hello"), request(b"default", b"hel_lo"), request(b"default", b"x" * 100_000)],
    "malformed": [
        b"\xff",
        b"\x0a",
        b"\x0a\x05\x12",
        CHECK[:-1],
        CHECK + b"\x0a\x80",
        field(1, field(2, b"\x0a\xff")),
        varint(1 << 3) + b"\x01" + b"\x07",
        b"\x0a" + b"\xff" * 11,
        b"GET / HTTP/1.1\r\n\r\n",
    ],
}


@pytest.mark.parametrize(("reason", "data"), [(reason, data) for reason, bodies in NO_REVISION.items() for data in bodies])
def test_what_names_no_revision_lets_the_user_through(reason: str, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is recorded, nothing is cached; the reason is counted, and logged in one line."""
    caplog.set_level(logging.WARNING, logger="wakequeue")
    assert understood(data) == []
    assert FRONT.get_sample_value("wakequeue_unresolved_total", {"reason": reason}) == 1
    assert calls("unresolved") == 1
    assert len(caplog.messages) == 1
    assert caplog.messages[0].startswith(f"unresolved protocol=mixer_authorization reason={reason} ")
    assert len(caplog.messages[0]) < 500
    assert caplog.messages[0].isprintable()


@given(
    st.binary(max_size=200) | st.tuples(st.integers(0, len(CHECK)), st.binary(max_size=5)).map(lambda cut: CHECK[: cut[0]] + cut[1])
)
def test_any_bytes_are_answered(data: bytes) -> None:
    """Whatever arrives, the answer is the one that lets the user through and is not cached."""
    assert answer(data, FakeRecorder()) == NOT_CACHED


# Probes.


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (b"user-agent", b"kube-probe/1.29"),
        (b"user_agent", b"kube-probe/1.29"),
        (b"User-Agent", b"Knative-Ingress-Probe"),
        (b"user-agent", b"Knative-Activator-Probe"),
        (b"user-agent", b"Knative-Queue-Proxy-Probe"),
        (b"user-agent", b"Knative-Autoscaling-Probe"),
        (b"K-Network-Probe", b"queue"),
        (b"k_kubelet_probe", b"queue"),
        (b"k-network-probe", b"\xff"),
    ],
)
def test_a_probe_is_not_recorded(key: bytes, value: bytes) -> None:
    """A probe wakes nothing, whether the operator mapped its header to the action or to the subject; its answer is not cached."""
    entry = property_of(key, value)
    action = field(1, b"default") + field(2, b"hello-00001")
    assert understood(check_of(action + field(5, entry))) == []
    assert understood(check_of(action, field(3, entry))) == []
    assert calls("ignored") == 2


def test_a_probe_of_no_revision_is_a_probe() -> None:
    """A probe is told before its service is read, so it is never counted as unresolved."""
    assert understood(check_of(field(2, b"example.com"), field(3, property_of(b"user-agent", b"kube-probe/1")))) == []
    assert (calls("ignored"), calls("unresolved")) == (1, 0)


# The method.


def test_the_method_is_mixers_and_takes_bytes() -> None:
    """Each handler answers at Mixer's name, unary, with requests and answers as they are on the wire; at no other name."""

    def found(method: str) -> Any:  # noqa: ANN401  gRPC's own type says nothing of asynchronous handlers
        call = cast("grpc.HandlerCallDetails", SimpleNamespace(method=method, invocation_metadata=()))
        return Methods(handlers).service(call)

    handlers = mixer_of(FakeRecorder())[0].handlers()
    methods = [*METHODS.values(), *(f"{BACKEND}{name}" for name in ("Validate", "CreateSession", "CloseSession"))]
    assert {method.split("/")[1] for method in methods} == set(handlers)
    for method in methods:
        handler = found(method)
        assert (handler.request_streaming, handler.response_streaming) == (False, False)
        assert (handler.request_deserializer, handler.response_serializer) == (None, None)
        assert asyncio.run(handler.unary_unary(b"\xff", FakeContext())) is not None
        assert found(f"{method}s") is None
