"""Envoy's access log service, byte by byte: which entries wake, whose calls they are, and how a stream ends."""

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.envoy_wire import ATTEMPT, DF, END, LR, NC, NR, PERIODIC, START, UF, UH, UO, log_entry, log_message
from support.fakes import FakeContext, FakeRecorder

from gateway_hook.envoy import access_log as module
from gateway_hook.envoy.access_log import METHOD, SERVICE, AccessLog
from gateway_hook.hook import Hook
from gateway_hook.outcome import Outcome
from wakequeue.revision import Revision
from wakequeue.setting_sources import load
from wakequeue.telemetry import FRONT, LOG_ENTRIES, UNRESOLVED

if TYPE_CHECKING:
    from gateway_hook.envoy.access_log import Context
    from gateway_hook.recorder import Recorder

HELLO = Revision("default", "hello-00001")
TAGS = {b"wakequeue.namespace": b"default", b"wakequeue.revision": b"hello-00001"}
KNATIVE = {b"knative-serving-namespace": b"default", b"knative-serving-revision": b"hello-00001"}


def service_of(recorder: FakeRecorder, **settings: str) -> tuple[AccessLog, Hook]:
    """Return the service of these settings, and its hook."""
    hook = Hook(cast("Recorder", recorder), load({f"WAKEQUEUE_{name.upper()}": text for name, text in settings.items()}))
    return AccessLog(hook), hook


async def stream_of(*messages: bytes) -> AsyncIterator[bytes]:
    """Return what a gateway sends before it ends its stream."""
    for message in messages:
        yield message


def taken(*messages: bytes, recorder: FakeRecorder | None = None, **settings: str) -> FakeRecorder:
    """Return what was recorded of one stream, which is answered with an empty message."""
    recorder = recorder or FakeRecorder()
    service, _ = service_of(recorder, **settings)
    assert asyncio.run(service.stream(stream_of(*messages), cast("Context", FakeContext()))) == b""
    return recorder


def understood(*entries: bytes, **settings: str) -> list[Revision]:
    """Return whose calls were recorded of one message."""
    return taken(log_message(*entries), **settings).revisions


# Which entries wake.


@pytest.mark.parametrize("flag", [UH, UF, NC, DF])
@pytest.mark.parametrize("kind", [0, END, ATTEMPT])
def test_a_request_that_found_no_upstream_wakes(flag: int, kind: int) -> None:
    """Of an attempt, of a whole request, or of one that an older gateway names no type of."""
    assert understood(log_entry(kind=kind, flags=[flag], tags=TAGS)) == [HELLO]


@pytest.mark.parametrize("flags", [[], [LR], [UO], [NR], [13], [15], [16]])
@pytest.mark.parametrize("kind", [END, ATTEMPT])
def test_any_other_request_does_not(flags: list[int], kind: int) -> None:
    """Answered by the application or by a filter, refused, without a route, ended by its client: whatever names a Revision."""
    assert understood(log_entry(kind=kind, flags=flags, tags=TAGS, cluster=b"default/hello-00001", attempts=3)) == []


@pytest.mark.parametrize("kind", [1, 2, 3, PERIODIC, 7, 8, 10, 99])
def test_an_entry_in_between_does_not(kind: int) -> None:
    """A request that goes on is told of once it ends."""
    assert understood(log_entry(kind=kind, tags=TAGS)) == []


def test_a_cold_call_says_which_request_it_is() -> None:
    """So that it counts once over all its attempts, and is known to wait."""
    recorder = taken(log_message(log_entry(tags=TAGS, request_id=b"r1"), log_entry(tags=TAGS)))
    assert [(one.cold, bool(one.request), one.caller) for one in recorder.told] == [
        (True, True, "envoy_access_log 10.0.0.7"),
        (True, False, "envoy_access_log 10.0.0.7"),
    ]


# Whose they are.


@pytest.mark.parametrize(
    "entry",
    [
        log_entry(tags=TAGS),
        log_entry(route={b"wakequeue": {b"namespace": b"default", b"revision": b"hello-00001"}}),
        log_entry(tags={b"x-wakequeue-cluster": b"default/hello-00001"}, cluster=b"placeholder"),
        log_entry(cluster=b"outbound|80||hello-00001-private.default.svc.cluster.local"),
        log_entry(headers=KNATIVE, attempts=1, kind=END, flags=[UH]),
    ],
)
def test_each_source_names_the_revision(entry: bytes) -> None:
    """Tags, the route's metadata, the cluster of the route or of the host, and the routed headers where the router ran."""
    assert understood(entry) == [HELLO]


def test_the_table_of_hosts_names_it_at_last() -> None:
    """Where nothing else does."""
    assert understood(log_entry(), revisions_by_host='{"hello.example.com": "default/hello-00001"}') == [HELLO]


def test_the_sources_have_their_order() -> None:
    """Tags, route metadata, tag of the cluster, the host's cluster, routed headers, host."""
    tags = {b"wakequeue.namespace": b"a", b"wakequeue.revision": b"tag"}
    route = {b"wakequeue": {b"namespace": b"a", b"revision": b"route"}}
    routed = {b"knative-serving-namespace": b"a", b"knative-serving-revision": b"routed"}
    cluster = {b"x-wakequeue-cluster": b"a/cluster"}
    table = {"revisions_by_host": '{"hello.example.com": "a/host"}'}

    def named(**said: Any) -> str:  # noqa: ANN401  what an entry may say
        (revision,) = understood(log_entry(**({"kind": END, "flags": [UH], "attempts": 1} | said)), **table)
        return revision.name

    all_of_them = {"tags": tags | cluster, "route": route, "cluster": b"a/upstream", "headers": routed}
    assert named(**all_of_them) == "tag"
    assert named(**all_of_them | {"tags": cluster}) == "route"
    assert named(**all_of_them | {"tags": cluster, "route": {}}) == "cluster"
    assert named(cluster=b"a/upstream", headers=routed) == "upstream"
    assert named(cluster=b"placeholder", headers=routed) == "routed"
    assert named() == "host"


@pytest.mark.parametrize(
    "headers",
    [KNATIVE, {b"x-wakequeue-cluster": b"default/hello-00001"}, TAGS],
)
@pytest.mark.parametrize("kind", [START, END, ATTEMPT])
def test_a_forged_identity_wakes_nothing(headers: dict[bytes, bytes], kind: int) -> None:
    """Logged headers are the client's until the router has run, and those that aren't Knative's always."""
    assert understood(log_entry(kind=kind, headers=headers)) == []


@pytest.mark.parametrize("said", [{"user_agent": b"kube-probe/1.29"}, {"headers": {b"k-network-probe": b"queue"}}])
def test_a_probe_wakes_nothing(said: dict[str, Any]) -> None:
    """By its user agent, or by its headers, if they are logged."""
    assert understood(log_entry(tags=TAGS, **said)) == []


def test_the_rules_see_the_request() -> None:
    """Its method, path, host and user agent."""
    entry = log_entry(tags=TAGS, path=b"/x?y", host=b"h.example", user_agent=b"A Bot")
    rules = {"methods": "POST", "denied_paths": "/x", "denied_hosts": "h.example", "denied_user_agents": "*bot"}
    for name, value in rules.items():
        assert understood(entry, **{name: value}) == []
    assert understood(entry) == [HELLO]


# A request's start.


def test_a_start_is_a_call_where_the_route_names_the_revision() -> None:
    """The router hasn't run, so that nobody knows whether there is an upstream: it is a call as any other, not a cold one."""
    recorder = taken(log_message(log_entry(kind=START, flags=[], tags=TAGS, request_id=b"r1")))
    assert [(one.revision, one.cold) for one in recorder.told] == [(HELLO, False)]


@pytest.mark.parametrize(
    "said", [{"tags": {b"x-wakequeue-cluster": b"default/hello-00001"}}, {"cluster": b"default/hello-00001"}, {"headers": KNATIVE}]
)
def test_no_other_start_is(said: dict[str, Any]) -> None:
    """A gateway that logs every start doesn't mean a wake-up by it, unless its routes say so."""
    assert understood(log_entry(kind=START, flags=[], attempts=1, **said)) == []


def test_a_request_whose_start_was_told_is_one_call() -> None:
    """Its attempts add none, nor does its end; another request, and the same id after the end, do."""
    start = log_entry(kind=START, flags=[], tags=TAGS, request_id=b"r1")
    attempt, end = (log_entry(kind=kind, flags=[UF], tags=TAGS, request_id=b"r1") for kind in (ATTEMPT, END))
    assert len(taken(log_message(start), log_message(attempt, attempt), log_message(attempt, end)).told) == 1
    assert len(taken(log_message(start), log_message(end), log_message(attempt)).told) == 2
    assert len(taken(log_message(start), log_message(log_entry(tags=TAGS, request_id=b"r2"))).told) == 2


def test_a_start_that_was_no_call_hides_nothing() -> None:
    """One that was dropped leaves its request to be counted by an attempt."""
    start = log_entry(kind=START, flags=[], tags=TAGS, request_id=b"r1")
    recorder = taken(
        log_message(start), log_message(log_entry(tags=TAGS, request_id=b"r1")), recorder=FakeRecorder(Outcome.DROPPED)
    )
    assert [one.cold for one in recorder.told] == [False, True]


def test_so_many_starts_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are forgotten first."""
    monkeypatch.setattr(module, "MOST_STARTED", 2)
    names = [b"r1", b"r2", b"r3"]
    starts = [log_message(log_entry(kind=START, flags=[], tags=TAGS, request_id=name)) for name in names]
    attempts = [log_message(log_entry(tags=TAGS, request_id=name)) for name in names]
    assert [one.cold for one in taken(*starts, *attempts).told] == [False, False, False, True]


# Streams.


def test_a_stream_is_taken_whole() -> None:
    """Every entry of every message, the first of which says who sends it."""
    message = log_message(*[log_entry(tags=TAGS, request_id=b"%d" % number) for number in range(500)])
    recorder = taken(log_message(log_entry(tags=TAGS), node=b"n" * 50_000), message, message)
    assert len(recorder.told) == 1 + 1_000


def test_what_entries_say_is_counted() -> None:
    """So that an operator sees whether any come, and whether any wake."""
    LOG_ENTRIES.clear()
    understood(log_entry(tags=TAGS), log_entry(flags=[]), log_entry(kind=START, flags=[], tags=TAGS), log_entry(flags=[]))
    samples = {said: FRONT.get_sample_value("wakequeue_log_entries_total", {"says": said}) for said in ("cold", "start", "nothing")}
    assert samples == {"cold": 1, "start": 1, "nothing": 2}


def test_a_message_that_can_not_be_read_ends_no_stream() -> None:
    """It is counted as malformed, and the next one is taken."""
    UNRESOLVED.clear()
    assert taken(b"\x0a\xff", log_message(log_entry(tags=TAGS))).revisions == [HELLO]
    assert FRONT.get_sample_value("wakequeue_unresolved_total", {"reason": "malformed"}) == 1


def test_our_own_defect_ends_no_stream() -> None:
    """It is counted, and the next message is taken."""
    message = log_message(log_entry(tags=TAGS))
    assert len(taken(message, message, recorder=FakeRecorder(RuntimeError())).told) == 2


def test_what_is_no_text_costs_nothing() -> None:
    """A path, a host, an id and a user agent may hold any bytes."""
    bad = b"\xff\xfe"
    entry = log_entry(tags=TAGS, path=b"/" + bad, host=bad, user_agent=bad, request_id=bad, headers={bad: bad})
    assert understood(entry) == [HELLO]


@given(st.lists(st.binary(max_size=100), max_size=5))
def test_any_bytes_are_taken(messages: list[bytes]) -> None:
    """No stream fails, whatever it sends."""
    taken(*messages)


def test_a_stream_ends_once_the_front_closes() -> None:
    """What it has sent by then is taken; the gateway, which would go on for ever, is answered."""
    recorder = FakeRecorder()
    service, hook = service_of(recorder)

    async def endless() -> AsyncIterator[bytes]:
        yield log_message(log_entry(tags=TAGS))
        hook.closing.set()
        for _ in range(3):
            yield log_message(log_entry(tags=TAGS))
        await asyncio.Event().wait()

    async def run() -> bytes:
        async with asyncio.timeout(5):
            return await service.stream(endless(), cast("Context", FakeContext()))

    assert asyncio.run(run()) == b""
    assert len(recorder.told) == 4


def test_the_method_is_envoys() -> None:
    """At its name alone."""
    handlers = service_of(FakeRecorder())[0].handlers()
    assert (list(handlers), METHOD) == (["envoy.service.accesslog.v3.AccessLogService"], "StreamAccessLogs")
    assert SERVICE in handlers
