"""Envoy's access log service, byte by byte: which entries are calls, of which Revision, and how a stream ends."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.envoy_messages import END, FLAGS, PERIODIC, POOL_READY, START, STREAM, TRY, log_entry, log_message, tcp_message
from support.fakes import FakeContext, FakeRecorder, Told
from support.mixer import field
from support.unhurried import run as run_unhurried

from gateway_hook import hook as hook_module
from gateway_hook.envoy import access_log, streams
from gateway_hook.envoy.access_log import AccessLog
from gateway_hook.hook import Hook
from gateway_hook.outcome import Outcome
from gateway_hook.port import Methods
from wakequeue.cluster.knowledge import Unknown
from wakequeue.revision import Revision
from wakequeue.setting_sources import load
from wakequeue.telemetry import CALLS, FRONT, IGNORED, LOG_ENTRIES, UNRESOLVED
from wakequeue.traces import UNTRACED, Span

if TYPE_CHECKING:
    import grpc

    from gateway_hook.envoy.access_log import Context
    from gateway_hook.recorder import Recorder

HELLO: Final = Revision("default", "hello-00001")
TAGS: Final = {b"wakequeue.namespace": b"default", b"wakequeue.revision": b"hello-00001"}
KNATIVE: Final = {b"knative-serving-namespace": b"default", b"knative-serving-revision": b"hello-00001"}
BAD_TEXT: Final = b"/caf\xe9/\xff\xfe\xc0\x80"
COLD_FLAGS: Final = ("no_healthy_upstream", "upstream_connection_failure", "no_cluster_found")


def log_of(recorder: FakeRecorder, **settings: str) -> tuple[AccessLog, Hook]:
    """Return the service of these settings, and its hook."""
    loaded = load({f"WAKEQUEUE_{name.upper()}": text for name, text in settings.items()})
    hook = Hook(cast("Recorder", recorder), loaded, Unknown())
    return AccessLog(hook, loaded), hook


async def sent(messages: Sequence[bytes | float]) -> AsyncIterator[bytes]:
    """Messages, with a pause of so many seconds where there is a number."""
    for one in messages:
        if isinstance(one, bytes):
            yield one
        else:
            await asyncio.sleep(one)


def took(*messages: bytes | float, recorder: FakeRecorder | None = None, **settings: str) -> list[Told]:
    """Return what was recorded of a stream, which is answered once all of it is taken."""
    recorder = recorder or FakeRecorder()

    async def run() -> None:
        log, _ = log_of(recorder, **settings)
        assert await log.stream(sent(messages), cast("Context", FakeContext())) == b""

    run_unhurried(run())
    return recorder.told


def understood(**entry: Any) -> list[Revision]:  # noqa: ANN401  fields of an entry
    """Return whose calls were recorded for a cold entry."""
    told = took(log_message(log_entry(**{"flags": ["no_healthy_upstream"], **entry})))
    assert all(one.cold for one in told)
    return [one.revision for one in told]


@pytest.fixture(autouse=True)
def _from_zero() -> None:
    """Have each test count from zero."""
    for counter in (CALLS, UNRESOLVED, IGNORED, LOG_ENTRIES):
        counter.clear()


def counted(name: str, **labels: str) -> float:
    """Return a counter's value."""
    return FRONT.get_sample_value(f"wakequeue_{name}_total", labels) or 0.0


# Which entries are calls.


def test_a_recorded_message_is_understood() -> None:
    """The bytes of a message, written by the field numbers alone, among them a node that is read over."""
    data = bytes.fromhex(
        "0a05 0a03 0a01 78"  # StreamAccessLogsMessage.identifier = 1, Identifier.node = 1, Node.id = 1: x
        "123b"  # StreamAccessLogsMessage.http_logs = 2, 59 bytes
        "0a39"  # HTTPAccessLogEntries.log_entry = 1, 57 bytes
        "0a30"  # HTTPAccessLogEntry.common_properties = 1, 48 bytes
        "8201 02 3001"  # AccessLogCommon.response_flags = 16: upstream_connection_failure = 6
        "b201 25"  # AccessLogCommon.custom_tags = 22, 37 bytes
        "0a13 782d77616b6571756575652d636c7573746572"  # key: x-wakequeue-cluster
        "120e 64656661756c742f68656c6c6f31"  # value: default/hello1
        "8802 09"  # AccessLogCommon.access_log_type = 33: UpstreamEnd
        "1a05 4a03 312d32"  # HTTPAccessLogEntry.request = 3, HTTPRequestProperties.request_id = 9: 1-2
    )
    (told,) = took(data)
    assert (told.revision, told.caller, told.cold) == (Revision("default", "hello1"), "envoy_access_log 10.0.0.7", True)
    assert told.request


@pytest.mark.parametrize("flag", [*FLAGS, "unauthorized_details", None])
@pytest.mark.parametrize("kind", [0, END, TRY])
def test_only_a_request_without_an_upstream_is_a_call(flag: str | None, kind: int) -> None:
    """Of all flags three say that the router found no upstream; whatever else a request ended with, it wakes nothing."""
    flags = () if flag in {None, "unauthorized_details"} else (flag,)
    entry = log_entry(flags=flags, kind=kind, tags=TAGS, code=503, attempts=1)
    if flag == "unauthorized_details":
        entry = field(1, field(16, field(13, b"\x08\x01")) + field(22, field(1, b"wakequeue.revision") + field(2, b"a"))) + entry
    expected = [HELLO] if flag in COLD_FLAGS else []
    assert [one.revision for one in took(log_message(entry))] == expected
    assert counted("log_entries", kind="cold" if expected else "other") == 1
    assert counted("calls", protocol="envoy_access_log", outcome="recorded") == len(expected)


@pytest.mark.parametrize("other", [flag for flag in FLAGS if flag not in COLD_FLAGS])
def test_what_else_is_said_of_a_cold_request_changes_nothing(other: str) -> None:
    """A request that ran out of retries, or whose client left, still found no upstream."""
    assert understood(flags=["upstream_connection_failure", other], tags=TAGS) == [HELLO]


def test_older_envoys_say_otherwise_that_no_cluster_was_found() -> None:
    """Before 1.18 it is the flag of a request without a route, with other details; without a route nothing is meant."""
    assert understood(flags=["no_route_found"], details=b"cluster_not_found", tags=TAGS) == [HELLO]
    assert understood(flags=["no_route_found"], details=b"route_not_found", tags=TAGS) == []
    assert understood(flags=["no_route_found"], tags=TAGS) == []


@pytest.mark.parametrize("flag", COLD_FLAGS)
def test_what_an_upstream_answered_is_no_call(flag: str) -> None:
    """Once an upstream's first byte was received, the application was there."""
    assert understood(flags=[flag], tags=TAGS, answered=True) == []


@pytest.mark.parametrize("kind", [PERIODIC, END, POOL_READY, TRY, 0])
@pytest.mark.parametrize("code", [200, 403, 404, 503])
def test_warm_and_refused_requests_are_no_calls(kind: int, code: int) -> None:
    """An answer of the application, or of a filter, wakes nothing and is not counted as a call."""
    assert took(log_message(*[log_entry(kind=kind, code=code, tags=TAGS, attempts=1)] * 3)) == []
    assert counted("log_entries", kind="other") == 3
    assert CALLS.collect()[0].samples == []


# Which Revision it is.

CLUSTERS: Final = [
    b"default/hello-00001",
    b"default/hello-00001/80/da39a3ee5e",
    b"outbound|80||hello-00001.default.svc.cluster.local",
    b"outbound_.80_._.hello-00001-private.default.svc.cluster.local",
]


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_the_cluster_is_read(cluster: bytes) -> None:
    """Kourier's, Contour's and Istio's names are understood, in the custom tag and in the entry's own field."""
    assert understood(tags={b"x-wakequeue-cluster": cluster}, cluster=b"placeholder") == [HELLO]
    assert understood(cluster=cluster) == [HELLO]


#: The sources, the most trusted first; each names another Revision.
SOURCES: Final[dict[str, dict[str, Any]]] = {
    "tags": {"tags": {b"wakequeue.namespace": b"n", b"wakequeue.revision": b"tags"}},
    "tag": {"tags": {b"x-wakequeue-cluster": b"n/tag"}},
    "cluster": {"cluster": b"n/cluster"},
    "metadata": {"filters": {b"wakequeue": {b"namespace": b"n", b"revision": b"metadata"}, b"other": {b"revision": b"x"}}},
    "headers": {"headers": {b"knative-serving-namespace": b"n", b"knative-serving-revision": b"headers"}, "attempts": 1},
    "host": {},
}


@pytest.mark.parametrize("names", [some for count in range(1, 7) for some in itertools.combinations(SOURCES, count)])
def test_the_most_trusted_source_is_taken(names: tuple[str, ...]) -> None:
    """Of any of the sources together the first of their order says which Revision it is."""
    said: dict[str, Any] = {"flags": ["no_healthy_upstream"]}
    for name in names:
        for key, value in SOURCES[name].items():
            said[key] = said.get(key, {}) | value if key == "tags" else value
    settings = {"revisions_by_host": '{"*": "n/host"}'} if "host" in names else {}
    assert [one.revision for one in took(log_message(log_entry(**said)), **settings)] == [Revision("n", names[0])]


@pytest.mark.parametrize(
    ("kind", "attempts", "believed"), [(0, 0, False), (END, 0, False), (TRY, 0, True), (0, 1, True), (END, 11, True)]
)
def test_knatives_headers_are_believed_once_the_router_ran(kind: int, attempts: int, *, believed: bool) -> None:
    """Before that they are as the client sent them: after it, as the route sets them."""
    assert understood(kind=kind, attempts=attempts, headers=KNATIVE) == ([HELLO] if believed else [])


@pytest.mark.parametrize("kind", [0, START, END, TRY])
@pytest.mark.parametrize(
    "headers",
    [
        {b"x-wakequeue-cluster": b"default/hello-00001"},
        {**TAGS, b"namespace": b"default", b"revision": b"hello-00001"},
        {b"host": b"hello-00001.default.svc.cluster.local"},
    ],
)
def test_a_forged_header_wakes_nothing(kind: int, headers: dict[bytes, bytes]) -> None:
    """Whatever a client sends under our names, or as a host that looks like one, names nothing, also where it is logged."""
    entry = log_entry(
        flags=["no_healthy_upstream"], kind=kind, attempts=1, headers=headers, host=b"hello-00001.default.svc.cluster.local"
    )
    assert took(log_message(entry), 0.1) == []


def test_forged_headers_name_nothing_where_the_gateway_does() -> None:
    """Knative's headers of a client give way to whatever the gateway says."""
    assert understood(headers={b"knative-serving-namespace": b"a", b"knative-serving-revision": b"b"}, attempts=1, tags=TAGS) == [
        HELLO
    ]


@pytest.mark.parametrize(
    "said",
    [
        {"agent": b"kube-probe/1.29"},
        {"agent": b"Knative-Ingress-Probe"},
        {"agent": b"Knative-Activator-Probe"},
        {"agent": b"Knative-Queue-Proxy-Probe"},
        {"agent": b"Knative-Autoscaling-Probe"},
        {"headers": {b"k-network-probe": b"queue"}},
        {"headers": {b"K-Kubelet-Probe": b"\xff"}},
    ],
)
def test_a_probe_is_not_recorded(said: dict[str, Any]) -> None:
    """A probe wakes nothing: by its user agent, which Envoy always logs, or a header that is logged."""
    assert understood(tags=TAGS, **said) == []
    assert counted("ignored", reason="probe") == 1


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"methods": "GET"}, {"method": 3}),
        ({"denied_paths": "/a"}, {"path": b"/a?b=c"}),
        ({"denied_hosts": "a.example"}, {"host": b"a.example:80"}),
        ({"denied_user_agents": "*bot*"}, {"agent": b"A Bot"}),
        ({"denied_namespaces": "default"}, {}),
    ],
)
def test_the_rules_hear_what_the_request_is(settings: dict[str, str], said: dict[str, Any]) -> None:
    """Method, path, host, user agent and namespace are those of the entry."""
    message = log_message(log_entry(flags=["no_healthy_upstream"], tags=TAGS, **said))
    assert took(message, **settings) == []
    assert len(took(message)) == 1


# One request is one wake-up.


def test_the_tries_of_a_request_have_its_id() -> None:
    """Tries, and the entry at the end, are told by the request's id, or its stream's, from other requests."""
    cold = {"flags": ["upstream_connection_failure"], "tags": TAGS}
    entries = [log_entry(kind=TRY, request_id=b"one", **cold)] * 3 + [log_entry(kind=END, attempts=4, request_id=b"one", **cold)]
    others = [log_entry(request_id=b"two", **cold), log_entry(stream_id=b"three", **cold), log_entry(**cold)]
    told = took(log_message(*entries), log_message(*others))
    requests = [one.request for one in told]
    assert len(set(requests[:4])) == 1
    assert len(set(requests[3:])) == 4
    assert requests[-1] == ""


BEGAN: Final = {"kind": START, "request_id": b"one", "stream_id": b"one", "tags": TAGS}
LATER: Final = {"request_id": b"one", "tags": TAGS}
FAILED: Final = {"flags": ["upstream_connection_failure"], **LATER}


@pytest.mark.parametrize(
    ("later", "cold"),
    [
        ([], [False]),
        ([0.1, {"kind": END, **FAILED}], [False]),
        ([0.1, {"kind": TRY, **FAILED}, {"kind": TRY, **FAILED}, {"kind": END, **FAILED}], [False]),
        ([0.1, {"kind": END, "code": 200, **LATER}], [False]),
        ([{"kind": TRY, **FAILED}, 0.1, {"kind": END, **FAILED}], [True, True]),
        ([{"kind": END, **FAILED}], [True]),
        ([{"kind": END, "code": 403, **LATER}], []),
        ([{"kind": END, "code": 200, "attempts": 1, **LATER}], []),
        ([{"kind": TRY, "code": 200, **LATER}, 0.1, {"kind": END, "code": 200, **LATER}], []),
        ([0.1, {"kind": END, "code": 200, **LATER}, {"kind": END, **FAILED}], [False, True]),
    ],
)
def test_a_request_that_began_is_one_call_at_most(later: list[Any], cold: list[bool]) -> None:
    """It is a call if nothing more is heard of it at once, and what comes later is none; else what comes decides.

    A request that a filter refused, or an upstream answered, is none at all. (Two cold entries of one id are one to the recorder.)
    """
    messages = [one if isinstance(one, float) else log_message(log_entry(**one)) for one in [BEGAN, *later]]
    told = took(*messages)
    assert [(one.revision, one.cold) for one in told] == [(HELLO, is_cold) for is_cold in cold]


@pytest.mark.parametrize("but", [{"tags": {}}, {"request_id": b"", "stream_id": b""}, {"tags": {}, "headers": KNATIVE}])
def test_a_beginning_that_says_too_little_is_none(but: dict[str, Any]) -> None:
    """Without a Revision of the gateway's, or an id, it is left to the later entries."""
    assert took(log_message(log_entry(**BEGAN | but)), 0.1, revisions_by_host='{"*": "n/host"}') == []
    assert counted("log_entries", kind="start") == 1
    assert counted("calls", protocol="envoy_access_log", outcome="unresolved") == 0


def test_a_beginning_that_names_no_revision_leaves_it_to_the_end() -> None:
    """A cluster that is no Revision's says nothing, and the operator's table is asked once the router ran."""
    tags = {b"x-wakequeue-cluster": b"httproute/shop/cart/rule/0"}
    start, end = BEGAN | {"tags": tags}, {"kind": END, **FAILED, "tags": tags}
    told = took(log_message(log_entry(**start)), 0.1, log_message(log_entry(**end)), revisions_by_host='{"*": "n/host"}')
    assert [(one.revision, one.cold) for one in told] == [(Revision("n", "host"), True)]


def test_a_beginning_of_a_ready_revision_leaves_it_to_the_end() -> None:
    """Nothing was recorded of it: where its gateway finds no upstream all the same, that counts."""
    messages = [log_message(log_entry(**BEGAN)), 0.1, log_message(log_entry(**{"kind": END, **FAILED}))]
    for outcome, cold in ((Outcome.PASSED, [False, True]), (Outcome.AWAKE, [False])):
        assert [one.cold for one in took(*messages, recorder=FakeRecorder(outcome))] == cold


# What is not as it should be.


def test_invalid_utf8_where_nothing_is_decided_costs_nothing() -> None:
    """Any bytes may stand in what says nothing of the Revision."""
    said: dict[str, Any] = dict.fromkeys(("host", "path", "agent", "details", "stream_id", "request_id"), BAD_TEXT)
    everywhere = {BAD_TEXT: BAD_TEXT}
    assert understood(tags=TAGS | everywhere, filters={BAD_TEXT: everywhere}, headers=everywhere, method=99, **said) == [HELLO]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("invalid_utf8", {"tags": {b"wakequeue.revision": BAD_TEXT}}),
        ("invalid_utf8", {"cluster": BAD_TEXT}),
        ("invalid_name", {"tags": {b"wakequeue.revision": b"hel_lo"}}),
        ("unknown_host", {"cluster": b"placeholder"}),
    ],
)
def test_what_names_no_revision_is_counted(reason: str, said: dict[str, Any]) -> None:
    """It is counted by reason, and those beside it are taken."""
    good = log_entry(flags=["no_healthy_upstream"], tags=TAGS)
    assert [one.revision for one in took(log_message(log_entry(flags=["no_healthy_upstream"], **said), good))] == [HELLO]
    assert counted("unresolved", reason=reason) == 1


def test_a_message_that_cannot_be_read_ends_no_stream() -> None:
    """It is counted, and the next is taken."""
    good = log_message(log_entry(flags=["no_healthy_upstream"], tags=TAGS))
    told = took(b"\xff", good[:-1], good, b"", field(2, b""), good)
    assert [one.revision for one in told] == [HELLO] * 2
    assert counted("unresolved", reason="malformed") == 2


def test_tcp_entries_are_read_over() -> None:
    """A TCP connection is no request."""
    assert took(tcp_message(field(1, field(16, b"\x10\x01")))) == []
    assert CALLS.collect()[0].samples == []


GOOD: Final = log_message(log_entry(flags=["no_healthy_upstream"], tags=TAGS, headers=KNATIVE), log_entry(**BEGAN), node=b"node")


@given(
    st.binary(max_size=200) | st.tuples(st.integers(0, len(GOOD)), st.binary(max_size=5)).map(lambda cut: GOOD[: cut[0]] + cut[1])
)
def test_anything_is_taken(data: bytes) -> None:
    """Whatever arrives, the stream goes on, and nothing met a defect."""
    CALLS.clear()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(access_log, "UNHEARD_OF", 0.0)
        took(data, GOOD)
    assert counted("calls", protocol="envoy_access_log", outcome="failed") == 0
    assert counted("calls", protocol="envoy_access_log", outcome="recorded") >= 1


def test_our_own_defect_ends_no_stream() -> None:
    """An error inside is counted, and the next message is taken."""
    recorder = FakeRecorder(RuntimeError("a defect"))
    message = log_message(log_entry(flags=["no_healthy_upstream"], tags=TAGS))
    assert len(took(message, message, recorder=recorder)) == 2
    assert counted("calls", protocol="envoy_access_log", outcome="failed") == 2


# The stream.


class SlowRecorder(FakeRecorder):
    """Takes calls once it is let go, and knows how many wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = self.most = 0
        self.let_go = asyncio.Event()

    async def record_cold(self, revision: Revision, caller: str, budget: float, request: str, *, span: Span = UNTRACED) -> Outcome:
        """Wait, then as ever."""
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        await self.let_go.wait()
        self.waiting -= 1
        return await super().record_cold(revision, caller, budget, request, span=span)


async def until(condition: Callable[[], object]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  what is waited for says nothing
            await asyncio.sleep(0.001)


def test_the_next_message_waits_for_the_calls_of_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A message's calls are taken together, but not all at once, and nothing more is asked for until they are taken."""
    monkeypatch.setattr(hook_module, "AT_A_TIME", 10)
    asked = 0

    async def messages() -> AsyncIterator[bytes]:
        nonlocal asked
        for _ in range(2):
            asked += 1
            yield log_message(*[log_entry(flags=["no_healthy_upstream"], tags=TAGS)] * 25)

    async def run() -> None:
        recorder = SlowRecorder()
        log, _ = log_of(recorder)
        stream = asyncio.create_task(log.stream(messages(), cast("Context", FakeContext())))
        await until(lambda: recorder.waiting == 10)
        assert asked == 1
        recorder.let_go.set()
        await stream
        assert (len(recorder.told), recorder.most, asked) == (50, 10, 2)

    asyncio.run(run())


def drained(talk: Callable[[asyncio.Queue[bytes], Hook, "asyncio.Task[bytes]", FakeRecorder], Awaitable[None]]) -> None:
    """Talk with an open stream; afterwards no task is left."""

    async def messages(queue: asyncio.Queue[bytes]) -> AsyncIterator[bytes]:
        while True:
            yield await queue.get()

    async def run() -> None:
        recorder, queue = FakeRecorder(), asyncio.Queue[bytes]()
        log, hook = log_of(recorder)
        stream = asyncio.create_task(log.stream(messages(queue), cast("Context", FakeContext())))
        await talk(queue, hook, stream, recorder)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run_unhurried(run())


COLD: Final = log_message(log_entry(flags=["no_healthy_upstream"], tags=TAGS))


def test_an_open_stream_is_answered_when_the_front_is_about_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was sent by then is taken, and what still comes for a moment; a beginning that waits is taken too."""
    monkeypatch.setattr(streams, "QUIET", 0.5)

    async def talk(queue: asyncio.Queue[bytes], hook: Hook, stream: "asyncio.Task[bytes]", recorder: FakeRecorder) -> None:
        queue.put_nowait(COLD)
        await until(lambda: recorder.told)
        for message in (COLD, COLD, log_message(log_entry(**BEGAN))):
            queue.put_nowait(message)
        hook.closing.set()
        await asyncio.sleep(streams.QUIET / 10)
        queue.put_nowait(COLD)
        assert await asyncio.wait_for(stream, 10) == b""
        assert [one.cold for one in recorder.told].count(True) == 4
        assert [one.cold for one in recorder.told].count(False) == 1

    drained(talk)


def test_a_stream_on_which_more_and_more_comes_is_answered_too() -> None:
    """A busy gateway can't hold the front up."""

    async def talk(queue: asyncio.Queue[bytes], hook: Hook, stream: "asyncio.Task[bytes]", recorder: FakeRecorder) -> None:
        hook.closing.set()
        async with asyncio.timeout(3 * streams.AT_MOST):
            while not stream.done():
                queue.put_nowait(COLD)
                await asyncio.sleep(streams.QUIET / 10)
        assert stream.result() == b""
        assert recorder.told

    drained(talk)


@pytest.mark.parametrize("message", [None, log_message(log_entry(**BEGAN))])
def test_a_client_that_vanishes_leaves_nothing(message: bytes | None) -> None:
    """GRPC cancels its stream; what had begun is a call all the same, and then no task is left of it."""

    async def talk(queue: asyncio.Queue[bytes], hook: Hook, stream: "asyncio.Task[bytes]", recorder: FakeRecorder) -> None:
        if message:
            queue.put_nowait(message)
        await asyncio.sleep(0.01)
        stream.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stream
        assert not hook.closing.is_set()
        await until(lambda: len(recorder.told) == (1 if message else 0))
        await asyncio.sleep(0)

    drained(talk)


def test_the_method_is_envoys_and_takes_bytes() -> None:
    """The handler answers at Envoy's name, with a stream of messages as they are on the wire; at no other name."""
    log, _ = log_of(FakeRecorder())

    def found(method: str) -> Any:  # noqa: ANN401  gRPC's own type says nothing of asynchronous handlers
        details = cast("grpc.HandlerCallDetails", SimpleNamespace(method=method, invocation_metadata=()))
        return Methods(log.handlers()).service(details)

    handler = found(STREAM)
    assert handler.stream_unary == log.stream
    assert (handler.request_streaming, handler.response_streaming) == (True, False)
    assert (handler.request_deserializer, handler.response_serializer) == (None, None)
    assert found("/envoy.service.accesslog.v2.AccessLogService/StreamAccessLogs") is None
