"""The recorder on a fake ledger: what its callers are told, and that no call is lost or counted twice."""

import asyncio
import contextlib
import functools
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Final, ParamSpec

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.fakes import FakeCluster, FakeLedger
from support.waiting import wait_until_async

from gateway_hook import commits as module
from gateway_hook import recorder as recorder_module
from gateway_hook.commits import COMMIT_SIZE
from gateway_hook.outcome import Outcome
from gateway_hook.passed import Passed
from gateway_hook.recorder import Recorder
from wakequeue.cluster.knowledge import Cluster, Unknown
from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger import Commit, Entry, Recorded, Start
from wakequeue.revision import Revision
from wakequeue.settings import Settings
from wakequeue.telemetry import FRONT

P = ParamSpec("P")

A, B, C, D = REVISIONS = tuple(Revision("shop", name) for name in "abcd")

#: Longer than any of these tests.
LONG: Final = 60.0

#: Shorter than that by far, though this machine stands still for some seconds.
SOON: Final = 10.0

CALLER: Final = "mixer_authorization 10.0.0.7"


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def on_a_loop(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    """Run a test on an event loop of its own, for 20 s at most."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(20):
                await test(*args, **kwargs)

        asyncio.run(bounded())

    return run


@pytest.fixture(autouse=True)
def _retry_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_AFTER", 0.001)


@pytest.fixture(autouse=True)
def _never_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    """However much else this process does: a commit that lingers takes in what these tests have come after it."""
    monkeypatch.setattr(recorder_module, "Busy", lambda: lambda: False)


def recorder_of(
    ledger: FakeLedger,
    *,
    clock: Clock | None = None,
    rung: list[Revision] | None = None,
    cluster: Cluster | None = None,
    **numbers: float,
) -> Recorder:
    """A recorder whose waits are long where the test sets none."""
    waits = Settings(**{"answer_within": LONG, "report_every": LONG} | numbers)

    def ring(revisions: Iterable[Revision]) -> None:
        ([] if rung is None else rung).extend(revisions)

    return Recorder(ledger, ring, waits, cluster or Unknown(), name="front", clock=clock or Clock())


@asynccontextmanager
async def recording(
    ledger: FakeLedger,
    *,
    clock: Clock | None = None,
    rung: list[Revision] | None = None,
    cluster: Cluster | None = None,
    **numbers: float,
) -> AsyncIterator[Recorder]:
    """A recorder that is closed, with the ledger back, at the end."""
    recorder = recorder_of(ledger, clock=clock, rung=rung, cluster=cluster, **numbers)
    yield recorder
    ledger.away = False
    ledger.let_go()
    await recorder.close(LONG)


async def call(recorder: Recorder, *revisions: Revision, budget: float = LONG) -> list[Outcome]:
    """Calls that arrive together."""
    return await asyncio.gather(*(recorder.record(revision, CALLER, budget) for revision in revisions))


async def turns() -> None:
    """Let every task do what it can do at once."""
    for _ in range(10):
        await asyncio.sleep(0)


async def wake(recorder: Recorder, ledger: FakeLedger, *revisions: Revision) -> None:
    """Have the recorder learn that Revisions are awake."""
    for revision in revisions:
        ledger.report(revision, ago=3.5)
    await call(recorder, *revisions)


def metric(name: str) -> float:
    """The value of one of the front's metrics."""
    return FRONT.get_sample_value(name) or 0.0


def entries(ledger: FakeLedger) -> list[Entry]:
    """All recorded entries, in order."""
    return [entry for commit in ledger.commits.values() for entry in commit]


@on_a_loop
async def test_calls_that_arrive_together_share_a_commit() -> None:
    """However many calls and Revisions, one script call records them; commits are numbered by front and stream."""
    ledger = FakeLedger()
    before = metric("wakequeue_recorded_total")
    async with recording(ledger) as recorder:
        assert await call(recorder, *[A] * 300, *[B] * 200) == [Outcome.RECORDED] * 500
    assert list(ledger.commits) == [Commit("front:groups", 1)]
    assert ledger.calls() == {A: 300, B: 200}
    assert metric("wakequeue_recorded_total") - before == 500


@on_a_loop
async def test_calls_during_a_commit_make_the_next_one() -> None:
    """While a commit is under way the next group fills, so that a slow ledger gets larger commits and not more of them."""
    ledger = FakeLedger()
    async with recording(ledger) as recorder:
        ledger.hold()
        calls = [asyncio.create_task(recorder.record(A, CALLER, LONG))]
        await ledger.until(lambda: ledger.attempts)
        for _ in range(5):
            calls += [asyncio.create_task(recorder.record(revision, CALLER, LONG)) for revision in REVISIONS]
            await turns()
        ledger.let_go()
        assert set(await asyncio.gather(*calls)) == {Outcome.RECORDED}
    assert [sum(entry.calls for entry in commit) for commit in ledger.commits.values()] == [1, 20]


@on_a_loop
async def test_recorded_is_said_only_after_the_ledger_said_so() -> None:
    """A call is not answered while its commit is under way."""
    ledger = FakeLedger()
    async with recording(ledger) as recorder:
        ledger.hold()
        answer = asyncio.create_task(recorder.record(A, CALLER, LONG))
        await ledger.until(lambda: ledger.attempts)
        await turns()
        assert not answer.done()
        ledger.let_go()
        assert await answer == Outcome.RECORDED
        assert ledger.calls() == {A: 1}


@on_a_loop
async def test_a_large_group_is_several_commits() -> None:
    """No commit has more than COMMIT_SIZE; its callers are answered after the last one, and each call counts once."""
    ledger = FakeLedger()
    revisions = [Revision("many", f"r{number}") for number in range(2 * COMMIT_SIZE + 1)]
    async with recording(ledger) as recorder:
        answers = asyncio.gather(*(recorder.record(revision, CALLER, LONG) for revision in revisions))
        await ledger.until(lambda: len(ledger.commits) == 2)
        ledger.hold()
        await turns()
        assert not answers.done()
        ledger.let_go()
        assert set(await answers) == {Outcome.RECORDED}
    assert [len(commit) for commit in ledger.commits.values()] == [COMMIT_SIZE, COMMIT_SIZE, 1]
    assert ledger.calls() == dict.fromkeys(revisions, 1)


@on_a_loop
async def test_what_is_due_is_rung_once() -> None:
    """The doorbell is given those Revisions that the ledger leaves to this front, when they are durable."""
    ledger, rung = FakeLedger(), list[Revision]()
    async with recording(ledger, rung=rung) as recorder:
        await call(recorder, A, B)
        await call(recorder, A, C)
        assert rung == [A, B, C]
        ledger.report(A)
        await call(recorder, A)
        assert rung == [A, B, C, A]


@on_a_loop
async def test_a_commit_says_how_old_its_calls_are() -> None:
    """The ages are of the first and the last call, at the time of the commit."""
    ledger, clock = FakeLedger(), Clock()
    async with recording(ledger, clock=clock) as recorder:
        ledger.hold()
        calls = [asyncio.create_task(recorder.record(B, CALLER, LONG))]
        await ledger.until(lambda: ledger.attempts)
        for clock.now in (1_001.0, 1_003.0):
            calls.append(asyncio.create_task(recorder.record(A, CALLER, LONG)))
            await turns()
        clock.now = 1_010.0
        ledger.let_go()
        await asyncio.gather(*calls)
    assert entries(ledger)[-1] == Entry(A, 2, awake=False, first_age=9.0, last_age=7.0, callers={CALLER: 2})


@on_a_loop
async def test_no_call_waits_beyond_its_budget() -> None:
    """With the ledger away a call is answered BUFFERED within its own budget, and no later than answer_within."""
    ledger = FakeLedger()
    ledger.hold()
    loop = asyncio.get_running_loop()
    async with recording(ledger) as recorder:
        for budget in (-1.0, 0.0, 0.02):
            began = loop.time()
            assert await recorder.record(A, CALLER, budget) == Outcome.BUFFERED
            assert loop.time() - began < max(budget, 0.0) + SOON
    ledger.hold()
    async with recording(ledger, answer_within=0.02) as recorder:
        began = loop.time()
        assert await call(recorder, A, B, budget=LONG) == [Outcome.BUFFERED] * 2
        assert await call(recorder, A, C, budget=LONG) == [Outcome.BUFFERED] * 2
        assert loop.time() - began < SOON


@on_a_loop
async def test_a_commit_that_failed_is_sent_again_unchanged() -> None:
    """The same id with the same calls, until the ledger is back; what was called meanwhile follows, and every call counts once."""
    ledger, clock = FakeLedger(), Clock()
    ledger.away = True
    async with recording(ledger, clock=clock, answer_within=0.001) as recorder:
        assert await call(recorder, A, A, B) == [Outcome.BUFFERED] * 3
        for clock.now in (1_001.0, 1_002.0):
            seen = len(ledger.attempts)
            await call(recorder, A, C)
            await ledger.until(lambda seen=seen: len(ledger.attempts) > seen + 1)
        assert {commit for commit, _ in ledger.attempts} == {Commit("front:groups", 1)}
        assert {tuple((entry.revision, entry.calls) for entry in sent) for _, sent in ledger.attempts} == {((A, 2), (B, 1))}
        assert ledger.attempts[-1][1][0].first_age == 2.0
        assert not ledger.commits
        ledger.away = False
        await ledger.until(lambda: len(ledger.commits) == 2)
    assert ledger.calls() == {A: 4, B: 1, C: 2}


@on_a_loop
async def test_a_commit_whose_answer_was_lost_counts_once() -> None:
    """A call is answered once the ledger has said that it is recorded, however often it was sent."""
    ledger = FakeLedger()
    ledger.answers_to_lose = 3
    async with recording(ledger) as recorder:
        assert await call(recorder, A, A) == [Outcome.RECORDED] * 2
    assert len(ledger.attempts) == 4
    assert ledger.calls() == {A: 2}


@on_a_loop
async def test_an_absent_ledger_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    """One line when it goes, one when it is back; meanwhile the gauge says how many Revisions are held."""
    caplog.set_level("INFO", "wakequeue")
    ledger = FakeLedger()
    ledger.away = True
    async with recording(ledger, answer_within=0.001) as recorder:
        await call(recorder, A)
        await call(recorder, B, C)
        seen = len(ledger.attempts)
        await ledger.until(lambda: len(ledger.attempts) > seen + 2)
        assert metric("wakequeue_buffered_calls") == 3
        ledger.away = False
        await ledger.until(lambda: len(ledger.commits) == 2)
        await turns()
        assert metric("wakequeue_buffered_calls") == 0
    assert [record.message.split()[0] for record in caplog.records] == ["ledger_away", "ledger_back", *["recorded"] * 3]


@on_a_loop
async def test_a_waking_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    """By the commit that it begins with, though its answer was lost the first time; with the ledger's id, and one who called."""
    caplog.set_level("INFO", "wakequeue")
    ledger = FakeLedger()
    ledger.answers_to_lose = 1
    async with recording(ledger) as recorder:
        await call(recorder, A, A)
        await call(recorder, A)
        await recorder.record_cold(B, "http_cold 10.0.0.8", LONG, "1")
    lines = [message.split() for message in caplog.messages if message.startswith("recorded")]
    assert [(line[0], *line[2:]) for line in lines] == [
        ("recorded", "revision=shop/a", "caller='mixer_authorization", "10.0.0.7'"),
        ("recorded", "revision=shop/b", "caller='http_cold", "10.0.0.8'"),
    ]
    assert all(re.fullmatch("wakeup=[0-9a-f]{32}", line[1]) for line in lines)


@on_a_loop
async def test_a_full_buffer_drops_new_revisions_only() -> None:
    """Beyond buffer_revisions calls of further Revisions are dropped and counted; those of one that is held are not."""
    ledger = FakeLedger()
    ledger.away = True
    before = metric("wakequeue_dropped_total")
    async with recording(ledger, answer_within=0.001, buffer_revisions=3) as recorder:
        await call(recorder, A)
        assert await call(recorder, B, C, D, B, D) == [
            Outcome.BUFFERED,
            Outcome.BUFFERED,
            Outcome.DROPPED,
            Outcome.BUFFERED,
            Outcome.DROPPED,
        ]
        assert metric("wakequeue_dropped_total") - before == 2
        ledger.away = False
        await ledger.until(lambda: len(ledger.commits) == 2)
        assert ledger.calls() == {A: 1, B: 2, C: 1}
        assert await call(recorder, D) == [Outcome.RECORDED]


@on_a_loop
async def test_an_awake_revision_costs_the_ledger_nothing() -> None:
    """Its calls are answered from memory, even with the ledger away."""
    ledger = FakeLedger()
    async with recording(ledger) as recorder:
        await wake(recorder, ledger, A)
        sent = len(ledger.attempts)
        ledger.away = True
        assert await call(recorder, *[A] * 100) == [Outcome.AWAKE] * 100
        await turns()
        assert len(ledger.attempts) == sent


@on_a_loop
async def test_awake_calls_are_recorded_exactly() -> None:
    """Each report_every their counts go to the ledger, marked awake; what failed is sent again."""
    ledger = FakeLedger()
    async with recording(ledger, report_every=0.005) as recorder:
        await wake(recorder, ledger, A, B)
        for number in range(20):
            ledger.answers_to_lose = number % 3
            assert await call(recorder, A, B, A) == [Outcome.AWAKE] * 3
            if number % 2:
                await ledger.until(lambda number=number: ledger.calls()[A] == 2 * number + 3)
        await ledger.until(lambda: ledger.calls() == {A: 41, B: 21})
    assert {entry.awake for entry in entries(ledger)[:2]} == {False}
    assert {entry.awake for entry in entries(ledger)[2:]} == {True}


@on_a_loop
async def test_a_waking_revision_is_not_awake() -> None:
    """Until waking_for after the first report every call goes to the ledger."""
    ledger = FakeLedger()
    async with recording(ledger, waking_for=30) as recorder:
        for ago, outcomes in ((0.0, {Outcome.RECORDED}), (20.0, {Outcome.RECORDED}), (30.1, {Outcome.RECORDED})):
            ledger.report(A, ago)
            assert set(await call(recorder, A)) == outcomes
        assert await call(recorder, A) == [Outcome.AWAKE]


@on_a_loop
async def test_a_revision_is_awake_until_idle_after_its_last_call() -> None:
    """Each call prolongs it; after idle_after without one the next call goes to the ledger."""
    ledger, clock = FakeLedger(), Clock()
    async with recording(ledger, clock=clock, idle_after=5) as recorder:
        await wake(recorder, ledger, A, B)
        for clock.now in (1_004.9, 1_009.8, 1_014.7):
            assert await call(recorder, A) == [Outcome.AWAKE]
        clock.now = 1_019.6
        assert await call(recorder, A, B) == [Outcome.AWAKE, Outcome.RECORDED]
        clock.now = 1_024.6
        assert await call(recorder, A) == [Outcome.RECORDED]
        assert not entries(ledger)[-1].awake


@on_a_loop
async def test_what_fell_asleep_is_forgotten() -> None:
    """The memory of what is awake doesn't grow with every Revision that ever was."""
    ledger, clock = FakeLedger(), Clock()
    async with recording(ledger, clock=clock, report_every=0.005) as recorder:
        await wake(recorder, ledger, A, B)
        clock.now += 4
        await call(recorder, B)
        await ledger.until(lambda: ledger.calls() == {A: 1, B: 2})
        clock.now += 2
        await call(recorder, B)
        await ledger.until(lambda: ledger.calls() == {A: 1, B: 3})
        assert set(recorder._awake_until) == {B}


@on_a_loop
async def test_a_cancelled_caller_disturbs_nobody() -> None:
    """Its call counts all the same, and the others of its group are answered."""
    ledger = FakeLedger()
    async with recording(ledger) as recorder:
        ledger.hold()
        calls = [asyncio.create_task(recorder.record(revision, CALLER, budget)) for revision in (A, B) for budget in (SOON, LONG)]
        await ledger.until(lambda: ledger.attempts)
        calls[0].cancel()
        calls[1].cancel()
        await turns()
        ledger.let_go()
        assert await asyncio.gather(*calls[2:]) == [Outcome.RECORDED] * 2
        assert all(cancelled.cancelled() for cancelled in calls[:2])
        assert await call(recorder, A) == [Outcome.RECORDED]
    assert ledger.calls() == {A: 3, B: 2}


@on_a_loop
async def test_a_busy_front_waits_for_company(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it is short of processor time, calls that arrive one after the other share a commit; else each is sent at once."""
    ledger, busy = FakeLedger(), iter([*[False] * 5, True, *[False] * 5])
    over, sleep = asyncio.Event(), asyncio.sleep

    async def linger(seconds: float) -> None:
        await (over.wait() if seconds == LONG / 2 else sleep(seconds))

    monkeypatch.setattr(recorder_module, "Busy", lambda: lambda: next(busy))
    monkeypatch.setattr(asyncio, "sleep", linger)

    async def one_by_one(recorder: Recorder) -> int:
        before = len(ledger.commits)
        calls = []
        for _ in range(5):
            calls.append(asyncio.create_task(recorder.record(A, CALLER, LONG)))
            await turns()
        over.set()
        await asyncio.gather(*calls)
        over.clear()
        return len(ledger.commits) - before

    async with recording(ledger, linger=LONG / 2) as recorder:
        assert await one_by_one(recorder) == 5
        assert await one_by_one(recorder) == 1
        assert await one_by_one(recorder) == 5


@on_a_loop
async def test_close_makes_durable_what_was_called() -> None:
    """It waits for the commit under way, and records what was called since, of Revisions that sleep and that are awake."""
    ledger = FakeLedger()
    before = metric("wakequeue_dropped_total")
    async with recording(ledger) as recorder:
        await wake(recorder, ledger, A)
        ledger.hold()
        calls = [asyncio.create_task(recorder.record(B, CALLER, LONG))]
        await ledger.until(lambda: len(ledger.attempts) == 2)
        calls += [asyncio.create_task(recorder.record(revision, CALLER, LONG)) for revision in (A, C, A)]
        await turns()
        closing = asyncio.create_task(recorder.close(LONG))
        await turns()
        assert not closing.done()
        ledger.let_go()
        await closing
        assert ledger.calls() == {A: 3, B: 1, C: 1}
        outcomes = await asyncio.gather(*calls)
        assert outcomes == [Outcome.RECORDED, Outcome.AWAKE, Outcome.RECORDED, Outcome.AWAKE]
    assert metric("wakequeue_dropped_total") == before


@on_a_loop
async def test_close_without_calls_returns_at_once() -> None:
    """There is nothing to wait for."""
    ledger = FakeLedger()
    async with recording(ledger) as recorder:
        await recorder.close(LONG)
    assert not ledger.attempts


@on_a_loop
async def test_close_gives_up_in_time(caplog: pytest.LogCaptureFixture) -> None:
    """With the ledger away it returns after `within` seconds; what isn't durable is counted as dropped and logged."""
    ledger = FakeLedger()
    loop = asyncio.get_running_loop()
    recorder = recorder_of(ledger, answer_within=0.001)
    await wake(recorder, ledger, A)
    before = metric("wakequeue_dropped_total")
    ledger.away = True
    await call(recorder, A, A, B, C)
    await call(recorder, B, D)
    began = loop.time()
    await recorder.close(0.05)
    assert loop.time() - began < SOON
    assert metric("wakequeue_dropped_total") - before == 6
    assert ledger.calls() == {A: 1}
    assert "calls_dropped calls=6 because='stopped while Redis was away'" in caplog.messages


class Deaf(FakeLedger):
    """Is away once it is waited for no more, as a client that doesn't hear of it."""

    heard_nothing = False

    async def record(self, commit: Commit, entries: Sequence[Entry]) -> list[Recorded]:
        """Answer nothing; raise LedgerUnavailable once the first attempt is cancelled, and then as the other does."""
        if not self.attempts:
            self.hold()
            with contextlib.suppress(asyncio.CancelledError):
                await super().record(commit, entries)
            self.heard_nothing = True
            raise LedgerUnavailable("away")
        return await super().record(commit, entries)


@on_a_loop
async def test_close_gives_up_though_it_is_not_heard() -> None:
    """A cancellation that is lost, as in a client of Redis at the moment of its answer, is repeated."""
    ledger = Deaf()
    recorder = recorder_of(ledger, answer_within=0.001)
    await call(recorder, A)
    await recorder.close(0.05)
    assert ledger.heard_nothing
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert not recorder.alive


STEPS: Final = st.lists(
    st.sampled_from([*REVISIONS, "away", "back", "lose an answer", "hold", "let go", "report", "a second later", "turns"]),
    max_size=40,
)


@settings(deadline=None, max_examples=150)
@given(STEPS)
@example([A, "report", "turns", "a second later", A, A, "away", A, B, "turns", "lose an answer", "back", A, "turns"])
def test_whatever_happens_each_call_counts_once(steps: list[Revision | str]) -> None:
    """Calls in any order with an absent, slow or forgetful ledger: in the end as many are recorded as were made."""
    made = Counter[Revision]()

    @on_a_loop
    async def run() -> None:
        ledger, clock = FakeLedger(), Clock()
        does: dict[str, Callable[[], None]] = {
            "away": lambda: setattr(ledger, "away", True),
            "back": lambda: setattr(ledger, "away", False),
            "lose an answer": lambda: setattr(ledger, "answers_to_lose", 1),
            "hold": ledger.hold,
            "let go": ledger.let_go,
            "report": lambda: ledger.report(A, ago=3.5),
            "a second later": lambda: setattr(clock, "now", clock.now + 1),
            "turns": lambda: None,
        }
        async with recording(ledger, clock=clock, report_every=0.001) as recorder:
            calls = []
            for step in steps:
                if isinstance(step, Revision):
                    made[step] += 1
                    calls.append(asyncio.create_task(recorder.record(step, CALLER, LONG)))
                else:
                    does[step]()
                    await turns()
            ledger.away = False
            ledger.let_go()
            assert set(await asyncio.gather(*calls)) <= {Outcome.RECORDED, Outcome.AWAKE}
            await ledger.until(lambda: ledger.calls() == made)

    run()


@on_a_loop
async def test_close_records_awake_calls_that_came_during_a_flush() -> None:
    """Calls of an awake Revision that arrive while the last flush is under way are durable after close."""
    ledger = FakeLedger()
    async with recording(ledger, report_every=0.005) as recorder:
        await wake(recorder, ledger, A)
        ledger.hold()
        await call(recorder, A)
        await ledger.until(lambda: len(ledger.attempts) == 2)
        assert await call(recorder, A) == [Outcome.AWAKE]
        closing = asyncio.create_task(recorder.close(LONG))
        await turns()
        ledger.let_go()
        await closing
        assert ledger.calls() == {A: 3}


@on_a_loop
async def test_an_outage_does_not_keep_a_revision_awake() -> None:
    """What was awake before Redis went away is asleep idle_after after its last call, though that call is recorded late."""
    ledger, clock = FakeLedger(), Clock()
    async with recording(ledger, clock=clock, report_every=0.005) as recorder:
        await wake(recorder, ledger, A)
        ledger.away = True
        assert await call(recorder, A) == [Outcome.AWAKE]
        await ledger.until(lambda: len(ledger.attempts) > 2)
        clock.now += 90
        ledger.away = False
        await ledger.until(lambda: ledger.calls() == {A: 2})
        await turns()
        assert await call(recorder, A) == [Outcome.RECORDED]


async def _callers(*names: str) -> Entry:
    ledger = FakeLedger()
    async with recording(ledger) as recorder:
        ledger.hold()
        calls = [asyncio.create_task(recorder.record(B, CALLER, LONG))]
        await ledger.until(lambda: ledger.attempts)
        calls += [asyncio.create_task(recorder.record(A, name, LONG)) for name in names]
        await turns()
        ledger.let_go()
        await asyncio.gather(*calls)
    return entries(ledger)[-1]


def test_a_commit_says_who_called() -> None:
    """Each caller's calls of a Revision are counted by its name."""
    assert asyncio.run(_callers("x", "y", "x")) == Entry(A, 3, awake=False, first_age=0.0, last_age=0.0, callers={"x": 2, "y": 1})


def test_a_commit_names_so_many_callers() -> None:
    """Beyond eight callers of one Revision the others are counted together: a commit's size is bounded."""
    callers = asyncio.run(_callers(*map(str, range(12)), "0")).callers
    assert callers == {"0": 2} | {str(number): 1 for number in range(1, 8)} | {"others": 4}


# Requests that found no upstream.


async def attempt(recorder: Recorder, *requests: str, revision: Revision = A) -> list[Outcome]:
    """Attempts of requests that arrive together."""
    return await asyncio.gather(*(recorder.record_cold(revision, CALLER, LONG, request) for request in requests))


@on_a_loop
async def test_a_request_is_recorded_once_however_often_it_comes() -> None:
    """Its first attempt is durable before it is answered; the further ones are answered from memory, and commit nothing."""
    ledger = FakeLedger()
    before = metric("wakequeue_recorded_total")
    async with recording(ledger) as recorder:
        assert await attempt(recorder, "1", "2", "1") == [Outcome.RECORDED, Outcome.RECORDED, Outcome.WAITING]
        assert await attempt(recorder, "2", "1", "3") == [Outcome.WAITING, Outcome.WAITING, Outcome.RECORDED]
        assert [entry.requests for entry in entries(ledger)] == [{"1": (CALLER, 0.0), "2": (CALLER, 0.0)}, {"3": (CALLER, 0.0)}]
    assert ledger.calls() == {A: 3}
    assert metric("wakequeue_recorded_total") - before == 3


@on_a_loop
async def test_a_request_without_a_name_is_a_call() -> None:
    """Its attempts can't be told apart, so each counts."""
    ledger = FakeLedger()
    async with recording(ledger) as recorder:
        assert await attempt(recorder, "", "") == [Outcome.RECORDED] * 2
    assert ledger.calls() == {A: 2}
    assert [entry.requests for entry in entries(ledger)] == [{}]


@on_a_loop
async def test_the_ledger_is_told_who_still_waits() -> None:
    """Twice in `report_every`, of the requests that came since; no more once none comes; and its doorbell is rung."""
    ledger, clock, rung = FakeLedger(), Clock(), list[Revision]()
    async with recording(ledger, clock=clock, rung=rung, report_every=0.02) as recorder:
        await attempt(recorder, "1", "2")
        rung.clear()
        ledger.report(A)
        clock.now += 1
        await attempt(recorder, "2")
        await ledger.until(lambda: Commit("front:waiting", 1) in ledger.commits and rung)
        clock.now += 1
        await attempt(recorder, "1")
        await ledger.until(lambda: any(entry.requests.keys() == {"1"} for entry in entries(ledger)))
    told = [entry for commit, parts in ledger.commits.items() if commit.stream == "front:waiting" for entry in parts]
    assert {entry.calls for entry in told} == {0}
    assert not any(entry.awake for entry in told)
    assert rung[0] == A
    assert ledger.calls() == {A: 2}


@on_a_loop
async def test_a_revision_that_has_no_upstream_is_not_awake() -> None:
    """What the front believed of it is forgotten: a request that found nothing knows better."""
    ledger = FakeLedger()
    async with recording(ledger) as recorder:
        await wake(recorder, ledger, A)
        assert await call(recorder, A) == [Outcome.AWAKE]
        assert await attempt(recorder, "1") == [Outcome.RECORDED]
        assert await call(recorder, A) == [Outcome.RECORDED]


@on_a_loop
async def test_more_requests_than_can_be_remembered_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are counted, and those that are known go on."""
    monkeypatch.setattr(recorder_module, "MOST_WAITING", 2)
    before = metric("wakequeue_dropped_total")
    async with recording(FakeLedger()) as recorder:
        assert await attempt(recorder, "1", "2", "3", "1") == [
            Outcome.RECORDED,
            Outcome.RECORDED,
            Outcome.DROPPED,
            Outcome.WAITING,
        ]
    assert metric("wakequeue_dropped_total") - before == 1


@on_a_loop
async def test_requests_count_for_the_size_of_a_commit() -> None:
    """Revisions and requests of one script call are bounded together, and one Revision's requests may be in several."""
    ledger = FakeLedger()
    ledger.hold()
    async with recording(ledger) as recorder:
        first = asyncio.create_task(call(recorder, C))
        await ledger.until(lambda: ledger.attempts)
        names = [str(number) for number in range(2 * COMMIT_SIZE)]
        answers = [
            asyncio.create_task(attempt(recorder, *names[: COMMIT_SIZE // 2])),
            asyncio.create_task(call(recorder, B, B)),
            asyncio.create_task(attempt(recorder, *names, revision=B)),
        ]
        await turns()
        ledger.let_go()
        await asyncio.gather(first, *answers)
        sizes = [sum(1 + len(one.requests) for one in commit) for commit in ledger.commits.values()]
    assert max(sizes) <= COMMIT_SIZE
    assert ledger.calls() == {A: COMMIT_SIZE // 2, B: 2 + 2 * COMMIT_SIZE, C: 1}


@on_a_loop
async def test_a_request_is_told_of_once_it_is_counted() -> None:
    """While the ledger is away a request that comes again is not told of by another way: it would be taken for a counted one."""
    ledger, clock = FakeLedger(), Clock()
    ledger.away = True
    async with recording(ledger, clock=clock, report_every=0.02, answer_within=0.01, linger=0.001) as recorder:
        assert await attempt(recorder, "1") == [Outcome.BUFFERED]
        clock.now += 1
        assert await attempt(recorder, "1") == [Outcome.WAITING]
        await ledger.until(lambda: len(ledger.attempts) > 20)
        assert {commit.stream for commit, _ in ledger.attempts} == {"front:groups"}
        ledger.away = False
        await ledger.until(lambda: ledger.calls() == {A: 1})
        clock.now += 1
        await attempt(recorder, "1")
        await ledger.until(lambda: {"1": ("", 0.0)} in [entry.requests for entry in entries(ledger)])
    assert ledger.calls() == {A: 1}
    assert {commit.stream for commit in list(ledger.commits)[1:]} == {"front:waiting"}


@on_a_loop
async def test_a_request_that_is_held_is_told_of() -> None:
    """It comes no more, and waits: the ledger hears so for as long as it does."""
    ledger, clock = FakeLedger(), Clock()
    async with recording(ledger, clock=clock, report_every=0.02) as recorder:
        assert await attempt(recorder, "1") == [Outcome.RECORDED]
        with recorder.still_waits([A], "1", comes_again=True):
            for clock.now in (1_030.0, 1_060.0):
                seen = len(ledger.commits)
                await ledger.until(lambda seen=seen: len(ledger.commits) > seen + 1)
                assert entries(ledger)[-1].requests == {"1": ("", 0.0)}
        assert await attempt(recorder, "1") == [Outcome.WAITING]
    assert ledger.calls() == {A: 1}


@on_a_loop
async def test_a_further_attempt_needs_no_room() -> None:
    """It holds nothing, so that a full buffer neither drops nor forgets it; one that was dropped is a call when it comes again."""
    ledger = FakeLedger()
    ledger.hold()
    async with recording(ledger, buffer_revisions=2, answer_within=0.01, linger=0.001) as recorder:
        assert await attempt(recorder, "1") == [Outcome.BUFFERED]
        await ledger.until(lambda: ledger.attempts)
        assert await attempt(recorder, "1", revision=B) == [Outcome.BUFFERED]
        assert await attempt(recorder, "1", "1", revision=C) == [Outcome.DROPPED] * 2
        assert await attempt(recorder, "1", "1") == [Outcome.WAITING] * 2
        ledger.let_go()
        await ledger.until(lambda: ledger.calls() == {A: 1, B: 1})
        assert await attempt(recorder, "1", "1", revision=C) == [Outcome.RECORDED, Outcome.WAITING]
    assert ledger.calls() == {A: 1, B: 1, C: 1}


@on_a_loop
async def test_the_last_style_that_is_named_is_told() -> None:
    """A call that names none changes nothing."""
    ledger = FakeLedger()
    async with recording(ledger) as recorder:
        await asyncio.gather(*(recorder.record(A, CALLER, LONG, style=style) for style in ("activator", "original", "")))
    assert [entry.style for entry in entries(ledger)] == ["original"]


# What a cluster says of a Revision.


@on_a_loop
async def test_calls_of_a_ready_revision_are_not_recorded() -> None:
    """They are answered at once, whatever the ledger knows, even with it away, and counted once they are known to need nothing."""
    ledger, cluster = FakeLedger(), FakeCluster()
    cluster.is_ready(A)
    ledger.away = True
    before = metric("wakequeue_passed_total")
    async with recording(ledger, cluster=cluster, report_every=0.01) as recorder:
        assert await call(recorder, *[A] * 100) == [Outcome.PASSED] * 100
        await wait_until_async(lambda: metric("wakequeue_passed_total") - before == 100)
        assert await call(recorder, A) == [Outcome.PASSED]
        assert metric("wakequeue_buffered_calls") == 0
    assert ledger.attempts == []
    assert metric("wakequeue_passed_total") - before == 101


@pytest.mark.parametrize("lost", ["its endpoints", "access"])
@on_a_loop
async def test_calls_of_a_revision_that_turns_out_not_to_be_ready_are_recorded(lost: str) -> None:
    """With their number, callers, times and style; as those of an awake one, for most of them were served."""
    ledger, cluster, clock, rung = FakeLedger(), FakeCluster(), Clock(), list[Revision]()
    cluster.is_ready(A)
    cluster.is_ready(B)
    before = metric("wakequeue_passed_total")
    async with recording(ledger, cluster=cluster, clock=clock, rung=rung, report_every=0.3) as recorder:
        for number in range(10):
            assert await recorder.record(A, f"caller {number % 3}", LONG, style="original") is Outcome.PASSED
            clock.now += 1
        if lost == "access":
            cluster.away = True
        else:
            cluster.is_at_zero(A)
            assert await call(recorder, B) == [Outcome.PASSED]
        await ledger.until(ledger.calls)
        (entry,) = entries(ledger)
        assert ledger.calls() == {A: 10}
        assert entry.callers == {"caller 0": 4, "caller 1": 3, "caller 2": 3}
        assert (entry.first_age, entry.last_age, entry.style, entry.awake) == (10.0, 1.0, "original", True)
        assert rung == [A]
        await turns()
        assert metric("wakequeue_buffered_calls") == 0
    assert metric("wakequeue_passed_total") - before == (lost == "its endpoints")


@on_a_loop
async def test_calls_are_looked_at_once_kubernetes_had_the_time_to_tell() -> None:
    """Never at the first look after a call: that may come at once."""
    ledger, cluster = FakeLedger(), FakeCluster()
    cluster.is_ready(A)
    passed = Passed(cluster)
    passed.add(A, CALLER, 1.0, "")
    assert passed.look() == ({}, 0)
    cluster.is_at_zero(A)
    lost, others = passed.look()
    assert (lost[A].calls, others) == (1, 0)
    assert passed.look() == ({}, 0)
    assert ledger.attempts == []


@on_a_loop
async def test_what_was_ready_goes_on_being_awake_without_access() -> None:
    """For `idle_after` a call: traffic that was served isn't taken for callers that wait. What was at zero sleeps on."""
    ledger, cluster, clock = FakeLedger(), FakeCluster(), Clock()
    cluster.is_ready(A)
    cluster.is_ready(B)
    async with recording(ledger, cluster=cluster, clock=clock) as recorder:
        assert await call(recorder, A, B) == [Outcome.PASSED] * 2
        cluster.is_at_zero(B)
        assert await call(recorder, B) == [Outcome.RECORDED]
        cluster.away = True
        assert await call(recorder, A, B) == [Outcome.AWAKE, Outcome.RECORDED]
        clock.now += 6
        assert await call(recorder, A) == [Outcome.RECORDED]


@on_a_loop
async def test_a_revision_that_is_not_ready_is_never_awake() -> None:
    """Whatever the ledger says of it: its calls are recorded as those of a sleeping one."""
    ledger, cluster = FakeLedger(), FakeCluster()
    async with recording(ledger, cluster=cluster) as recorder:
        await wake(recorder, ledger, A)
        assert await call(recorder, A) == [Outcome.AWAKE]
        cluster.is_at_zero(A)
        assert await call(recorder, A, A) == [Outcome.RECORDED] * 2
        assert [entry.calls for entry in entries(ledger)] == [1, 2]


@on_a_loop
async def test_what_is_not_known_of_a_revision_leaves_the_ledger_its_word() -> None:
    """Without access a Revision is awake that the ledger calls so, and no other."""
    ledger, cluster = FakeLedger(), FakeCluster()
    cluster.is_ready(B)
    cluster.away = True
    async with recording(ledger, cluster=cluster) as recorder:
        assert await call(recorder, A, B) == [Outcome.RECORDED] * 2
        await wake(recorder, ledger, A)
        assert await call(recorder, A) == [Outcome.AWAKE]


@on_a_loop
async def test_a_cold_call_of_a_ready_revision_is_recorded() -> None:
    """A gateway that found no upstream knows better."""
    ledger, cluster = FakeLedger(), FakeCluster()
    cluster.is_ready(A)
    async with recording(ledger, cluster=cluster) as recorder:
        assert await attempt(recorder, "1", "1") == [Outcome.RECORDED, Outcome.WAITING]
    assert ledger.calls() == {A: 1}


@on_a_loop
async def test_a_recorder_that_closes_looks_once_more() -> None:
    """At calls that it let pass since it last did: those of a Revision that is not ready are durable when it has closed."""
    ledger, cluster = FakeLedger(), FakeCluster()
    cluster.is_ready(A)
    cluster.is_ready(B)
    async with recording(ledger, cluster=cluster) as recorder:
        assert await call(recorder, A, A, B) == [Outcome.PASSED] * 3
        cluster.is_at_zero(A)
    assert ledger.calls() == {A: 2}


# What is asked for by hand.


@on_a_loop
async def test_what_is_to_begin_now_is_recorded_and_rung() -> None:
    """By the ledger alone, so that it is durable before anybody is told; each counts as a call."""
    ledger, rung = FakeLedger(), list[Revision]()
    before = metric("wakequeue_recorded_total")
    async with recording(ledger, rung=rung) as recorder:
        starts = [Start(A, keep_for=60, pods=2), Start(B, keep_for=60, pods=2)]
        assert await recorder.begin(starts, CALLER) is Outcome.RECORDED
    assert ledger.begun == [(CALLER, start) for start in starts]
    assert rung == [A, B]
    assert metric("wakequeue_recorded_total") - before == 2


@on_a_loop
async def test_what_is_to_begin_later_is_planned() -> None:
    """Nothing is rung or counted as recorded before its time comes."""
    ledger, rung = FakeLedger(), list[Revision]()
    before = metric("wakequeue_recorded_total")
    async with recording(ledger, rung=rung) as recorder:
        assert await recorder.begin([Start(A, at=time.time() + LONG)], CALLER) is Outcome.PLANNED
    assert [start.revision for _, start in ledger.begun] == [A]
    assert rung == []
    assert metric("wakequeue_recorded_total") == before


@on_a_loop
async def test_nothing_begins_while_the_ledger_is_away() -> None:
    """It isn't held, as calls are: who asked for it is told at once, and asks again."""
    ledger, rung = FakeLedger(), list[Revision]()
    before = metric("wakequeue_dropped_total")
    async with recording(ledger, rung=rung) as recorder:
        ledger.away = True
        assert await recorder.begin([Start(A), Start(B)], CALLER) is Outcome.DROPPED
    assert ledger.begun == rung == []
    assert metric("wakequeue_dropped_total") - before == 2
