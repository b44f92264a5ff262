"""The hook: what it does with a call of any protocol, and what it says of it."""

import asyncio
import logging
from collections.abc import Callable
from hashlib import blake2b
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.message import DecodeError
from support.fakes import FakeCluster, FakeRecorder, Told

from gateway_hook.call import Call, Exact, Host, Named, ReportStyle
from gateway_hook.hook import Hook
from gateway_hook.outcome import LESS_AND_LESS_CERTAIN, Outcome, least_certain
from wakequeue.by_hand import Asked
from wakequeue.cluster.knowledge import Unknown
from wakequeue.errors import Unresolved
from wakequeue.ledger import Start
from wakequeue.revision import Revision
from wakequeue.setting_sources import load
from wakequeue.telemetry import CALLS, FRONT, IGNORED, UNRESOLVED
from wakequeue.traces import UNTRACED, Span

if TYPE_CHECKING:
    from gateway_hook.recorder import Recorder

HELLO = Revision("shop", "hello-00001")
NAMED = (Named(b"shop", b"hello-00001"),)


def hook_of(recorder: FakeRecorder, cluster: FakeCluster | None = None, **settings: str) -> Hook:
    """Return a hook of these settings, of a cluster of which nothing is known unless one is given."""
    loaded = load({f"WAKEQUEUE_{name.upper()}": text for name, text in settings.items()})
    return Hook(cast("Recorder", recorder), loaded, cluster or Unknown())


def take(
    read: Call | Callable[[], Call], recorder: FakeRecorder | None = None, remaining: float | None = None, **settings: str
) -> Outcome:
    """Return what becomes of one call."""
    hook = hook_of(recorder or FakeRecorder(), **settings)
    return asyncio.run(hook.call("test", "10.0.0.7", read if callable(read) else lambda: read, remaining))


def raises(error: Exception) -> Callable[[], Call]:
    """Return a reader of what can't be read."""

    def read() -> Call:
        raise error

    return read


@pytest.fixture(autouse=True)
def _from_zero() -> None:
    """Have each test count from zero."""
    for metric in (CALLS, UNRESOLVED, IGNORED):
        metric.clear()


def sample(name: str, **labels: str) -> float:
    """Return what a metric of the front counted."""
    return FRONT.get_sample_value(f"wakequeue_{name}_total", labels) or 0.0


def test_a_call_is_recorded_for_its_revision() -> None:
    """With who told of it by which protocol, how it is to be reported, and the time that there is."""
    recorder = FakeRecorder()
    assert take(Call(sources=NAMED, style="original"), recorder) is Outcome.RECORDED
    assert recorder.told == [Told(HELLO, "test 10.0.0.7", 0.1, "original")]


@pytest.mark.parametrize("outcome", [Outcome.RECORDED, Outcome.AWAKE, Outcome.WAITING, Outcome.BUFFERED, Outcome.DROPPED])
def test_what_became_of_it_is_said_and_counted(outcome: Outcome) -> None:
    """By protocol and outcome, and by nothing else."""
    assert take(Call(sources=NAMED), FakeRecorder(outcome)) is outcome
    assert {other: sample("calls", protocol="test", outcome=other) for other in Outcome} == {
        other: other is outcome for other in Outcome
    }


@pytest.mark.parametrize(("remaining", "budget"), [(None, 0.1), (10.0, 5.0), (0.1, 0.05), (-1.0, -0.5)])
def test_the_answer_comes_before_half_of_the_callers_time_is_gone(remaining: float | None, budget: float) -> None:
    """Where the caller sets no deadline, `answer_within` is the budget."""
    recorder = FakeRecorder()
    take(Call(sources=NAMED), recorder, remaining)
    assert [one.budget for one in recorder.told] == [pytest.approx(budget)]


def test_a_cold_call_goes_by_its_requests_id() -> None:
    """The recorder is given a digest of the id, which is as long for any, and the same in every front."""
    recorder = FakeRecorder()
    take(Call(sources=NAMED, cold=True, request_id="1-2-3"), recorder)
    take(Call(sources=NAMED, cold=True, request_id="x" * 10_000), recorder)
    take(Call(sources=NAMED, cold=True), recorder)
    assert [one.cold for one in recorder.told] == [True] * 3
    assert [one.request for one in recorder.told] == [
        blake2b(b"1-2-3", digest_size=8).hexdigest(),
        blake2b(b"x" * 10_000, digest_size=8).hexdigest(),
        "",
    ]


def test_a_call_that_names_no_revision_is_counted_by_its_reason(caplog: pytest.LogCaptureFixture) -> None:
    """It is said in the log as well, with the detail."""
    caplog.set_level(logging.WARNING, logger="wakequeue")
    recorder = FakeRecorder()
    assert take(Call(sources=(Named(b"shop", b"example.com"),)), recorder) is Outcome.UNRESOLVED
    assert take(raises(Unresolved("odd", "why")), recorder) is Outcome.UNRESOLVED
    assert take(raises(DecodeError("rubbish")), recorder) is Outcome.UNRESOLVED
    assert recorder.told == []
    assert [sample("unresolved", reason=reason) for reason in ("unknown_host", "odd", "malformed")] == [1, 1, 1]
    assert caplog.messages == [
        "unresolved protocol=test reason=unknown_host detail=example.com",
        "unresolved protocol=test reason=odd detail=why",
        "unresolved protocol=test reason=malformed detail=''",
    ]


def test_our_own_defect_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """Wherever it is, in the protocol's reader or in the recorder: it is counted and logged."""
    caplog.set_level(logging.WARNING, logger="wakequeue")
    assert take(raises(RuntimeError("in the reader"))) is Outcome.FAILED
    assert take(Call(sources=NAMED), FakeRecorder(RuntimeError("in the recorder"))) is Outcome.FAILED
    assert sample("calls", protocol="test", outcome="failed") == 2
    assert "in the reader" in caplog.text
    assert "in the recorder" in caplog.text


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (Call(sources=(), probe=True), "probe"),
        (Call(sources=NAMED, user_agent="kube-probe/1"), "probe"),
        (Call(sources=NAMED, user_agent="a bot"), "user_agent"),
        (Call(sources=NAMED, method="PUT"), "method"),
        (Call(sources=NAMED, path="/health?x"), "path"),
        (Call(sources=NAMED, host="old.example:80"), "host"),
        (Call(sources=(Named(b"other", b"hello"),)), "namespace"),
        (Call(sources=(Host(b"other.example"),)), "namespace"),
    ],
)
def test_a_call_that_a_rule_holds_back_is_counted_by_the_rule(call: Call, reason: str) -> None:
    """Nothing is recorded; and a probe is told before its Revision is looked for."""
    recorder = FakeRecorder()
    held = take(
        call,
        recorder,
        methods="GET",
        denied_user_agents="*bot*",
        denied_paths="/health",
        denied_hosts="old.example",
        namespaces="shop",
        revisions_by_host='{"other.example": "other/hello"}',
    )
    assert held is Outcome.IGNORED
    assert recorder.told == []
    assert sample("ignored", reason=reason) == 1
    assert sample("calls", protocol="test", outcome="ignored") == 1


def test_the_table_of_hosts_names_revisions() -> None:
    """`revisions_by_host` has its say where no better source does."""
    recorder = FakeRecorder()
    take(
        Call(sources=(Named(b"", b""), Host(b"Hello.Example:443"))),
        recorder,
        revisions_by_host='{"hello.example": "shop/hello-00001"}',
    )
    assert recorder.revisions == [HELLO]


SECOND = Revision("other", "hello-00002")
SPLIT = (Host(b"hello.example"),)


def of_a_split(*revisions: Revision) -> FakeCluster:
    """Return a cluster with a host that these Revisions share."""
    cluster = FakeCluster(hosts={"hello.example": revisions})
    for revision in revisions:
        cluster.is_at_zero(revision)
    return cluster


def test_a_call_wakes_all_that_it_means() -> None:
    """Each is recorded at the same time, with the whole budget; of all outcomes the call's is the least certain."""

    class Together(FakeRecorder):
        async def record(
            self, revision: Revision, caller: str, budget: float, *, style: ReportStyle = "", span: Span = UNTRACED
        ) -> Outcome:
            await barrier.wait()
            return await super().record(revision, caller, budget, style=style, span=span)

    async def run() -> Outcome:
        return await hook_of(recorder, of_a_split(HELLO, SECOND)).call("test", "x", lambda: Call(sources=SPLIT))

    barrier, recorder = asyncio.Barrier(2), Together({HELLO: Outcome.AWAKE, SECOND: Outcome.RECORDED})
    assert asyncio.run(asyncio.wait_for(run(), 10)) is Outcome.RECORDED
    assert sorted((one.revision, one.budget) for one in recorder.told) == [(SECOND, 0.1), (HELLO, 0.1)]
    assert sample("calls", protocol="test", outcome="recorded") == 1
    assert sample("calls", protocol="test", outcome="awake") == 0


def test_with_split_largest_a_call_wakes_one() -> None:
    """That with the largest share, the first that the cluster names; a cold one as well."""
    for call in (Call(sources=SPLIT), Call(sources=SPLIT, cold=True)):
        recorder = FakeRecorder()
        asyncio.run(hook_of(recorder, of_a_split(SECOND, HELLO), split="largest").call("test", "x", lambda call=call: call))
        assert recorder.revisions == [SECOND]


def test_every_outcome_has_its_place_in_the_order() -> None:
    """What is still to be answered for outweighs what is done."""
    assert sorted(LESS_AND_LESS_CERTAIN) == sorted(Outcome)
    assert least_certain([Outcome.BUFFERED, Outcome.AWAKE, Outcome.RECORDED]) is Outcome.BUFFERED
    assert least_certain([Outcome.DROPPED, Outcome.BUFFERED]) is Outcome.DROPPED


def test_the_rules_look_at_each_namespace() -> None:
    """A Revision whose namespace they don't have isn't woken; a call is ignored where none is left."""
    recorder = FakeRecorder()
    hook = hook_of(recorder, of_a_split(SECOND, HELLO), namespaces="shop")
    assert asyncio.run(hook.call("test", "x", lambda: Call(sources=SPLIT))) is Outcome.RECORDED
    assert recorder.revisions == [HELLO]
    assert sample("ignored", reason="namespace") == 0
    hook = hook_of(recorder, of_a_split(SECOND, Revision("third", "x")), namespaces="shop")
    assert asyncio.run(hook.call("test", "x", lambda: Call(sources=SPLIT))) is Outcome.IGNORED
    assert sample("ignored", reason="namespace") == 1
    assert recorder.revisions == [HELLO]


def test_a_revision_that_does_not_exist_wakes_nothing() -> None:
    """It is counted among those that named none."""
    recorder = FakeRecorder()
    hook = hook_of(recorder, of_a_split(SECOND))
    assert asyncio.run(hook.call("test", "x", lambda: Call(sources=NAMED))) is Outcome.UNRESOLVED
    assert sample("unresolved", reason="unknown_revision") == 1
    assert recorder.told == []


def test_the_hook_knows_the_hosts_of_table_and_cluster() -> None:
    """The HTTP port asks it what a cold request is."""
    hook = hook_of(FakeRecorder(), of_a_split(HELLO), revisions_by_host='{"mine.example": "shop/hello-00001"}')
    assert [hook.knows_host(host) for host in ("hello.example:80", "mine.example", "other.example")] == [True, True, False]


def test_the_front_knows_how_many_calls_were_answered() -> None:
    """Each answer adds one, whatever it was: the front drains until no more are added."""
    hook = hook_of(FakeRecorder())
    for expected, read in enumerate((lambda: Call(sources=NAMED), raises(DecodeError()), lambda: Call(sources=(), probe=True)), 1):
        asyncio.run(hook.call("test", "x", read))
        assert hook.answered == expected


def test_a_batch_is_taken_whole() -> None:
    """Every call of it, in the order of the outcomes, however many there are."""
    recorder = FakeRecorder()
    reads = [lambda: Call(sources=NAMED), raises(DecodeError()), *[lambda: Call(sources=NAMED)] * 1_200]
    outcomes = asyncio.run(hook_of(recorder).calls("test", "x", reads))
    assert outcomes == [Outcome.RECORDED, Outcome.UNRESOLVED, *[Outcome.RECORDED] * 1_200]
    assert len(recorder.told) == 1_201


# What is asked for by hand.

ASKED = Asked(at=1_796_025_600.0, keep_for=600, pods=2, zone=ZoneInfo("UTC"))


def begin(recorder: FakeRecorder, *reads: Callable[[], Call], cluster: FakeCluster | None = None, **settings: str) -> list[Outcome]:
    """Return what becomes of calls that are to begin something."""
    return asyncio.run(hook_of(recorder, cluster, **settings).begin("test", "10.0.0.7", reads, ASKED))


def test_what_is_asked_for_begins_together() -> None:
    """The recorder is told of all at once, with who asked, and each call is counted by what became of all."""
    recorder = FakeRecorder(Outcome.PLANNED)
    other = Revision("shop", "other")
    reads = [lambda: Call(sources=NAMED), lambda: Call(sources=(Named(b"shop", b"other"),))]
    assert begin(recorder, *reads) == [Outcome.PLANNED] * 2
    starts = [Start(HELLO, ASKED.at, 600, 2), Start(other, ASKED.at, 600, 2)]
    assert recorder.begun == [(starts, "test 10.0.0.7")]
    assert recorder.told == []
    assert sample("calls", protocol="test", outcome="planned") == 2


def test_the_rules_hold_for_what_is_asked_for() -> None:
    """What wakes nothing begins nothing, and is told apart from the others, in its place."""
    recorder = FakeRecorder(Outcome.RECORDED)
    cluster = FakeCluster()
    for revision in (HELLO, Revision("other", "hello")):
        cluster.is_at_zero(revision)
    reads = [
        lambda: Call(sources=NAMED, user_agent="a bot"),
        lambda: Call(sources=(Exact(b"other", b"hello"),)),
        lambda: Call(sources=(Exact(b"shop", b"gone"),)),
        lambda: Call(sources=(Exact(b"shop", b"Bad_"),)),
        lambda: Call(sources=NAMED),
    ]
    outcomes = begin(recorder, *reads, cluster=cluster, denied_user_agents="*bot*", namespaces="shop")
    assert outcomes == [Outcome.IGNORED, Outcome.IGNORED, Outcome.UNRESOLVED, Outcome.UNRESOLVED, Outcome.RECORDED]
    assert [[start.revision for start in starts] for starts, _ in recorder.begun] == [[HELLO]]
    assert [sample("ignored", reason=reason) for reason in ("user_agent", "namespace")] == [1, 1]
    assert [sample("unresolved", reason=reason) for reason in ("unknown_revision", "invalid_name")] == [1, 1]


def test_nothing_begins_for_nobody() -> None:
    """Where no call is left, the recorder isn't asked."""
    recorder = FakeRecorder()
    assert begin(recorder, lambda: Call(sources=(), probe=True)) == [Outcome.IGNORED]
    assert recorder.begun == []


def test_a_defect_in_a_beginning_is_no_error() -> None:
    """It is counted for each call."""
    assert begin(FakeRecorder(RuntimeError("in the recorder")), *[lambda: Call(sources=NAMED)] * 2) == [Outcome.FAILED] * 2
    assert sample("calls", protocol="test", outcome="failed") == 2
