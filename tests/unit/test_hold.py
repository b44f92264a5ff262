"""Held calls: which are, until when, and what is counted of them."""

import asyncio
import functools
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final, cast

import pytest
from support.fakes import FakeCluster, FakeRecorder
from support.unhurried import run as run_unhurried
from support.waiting import wait_until_async

from gateway_hook.call import Call, Exact, Host
from gateway_hook.hold import Gone, Holds, time_to_hold
from gateway_hook.hook import Hook
from gateway_hook.outcome import Outcome
from gateway_hook.quiet import QUIET_SECONDS, until_quiet
from gateway_hook.recorder import Recorder
from wakequeue.cluster.knowledge import Cluster, Unknown
from wakequeue.revision import Revision
from wakequeue.settings import Settings
from wakequeue.telemetry import FRONT, HOLDS
from wakequeue.traces import UNTRACED, Span

A, B = Revision("shop", "a"), Revision("shop", "b")

#: Longer than any of these tests.
LONG: Final = 60.0


def on_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a test on an event loop of its own, for 20 s at most."""

    @functools.wraps(test)
    def run(**given: object) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(20):
                await test(**given)

        asyncio.run(bounded())

    return run


@pytest.fixture(autouse=True)
def _from_zero() -> None:
    """Have each test count from zero."""
    HOLDS.clear()


def asleep(*revisions: Revision, **hosts: list[Revision]) -> FakeCluster:
    """Return a cluster in which these Revisions sleep."""
    cluster = FakeCluster(hosts=hosts)
    for revision in revisions:
        cluster.is_at_zero(revision)
    return cluster


def holds_of(cluster: Cluster, **numbers: float) -> Holds:
    """Return holds for long, unless the test says otherwise."""
    return Holds(Settings(mode="hold", **({"hold_for": LONG} | numbers)), cluster)


def held() -> float:
    """Return how many calls are held."""
    return FRONT.get_sample_value("wakequeue_held_calls") or 0.0


def ended() -> dict[str, float]:
    """Return how often holds ended, by why."""
    samples = [sample for metric in HOLDS.collect() for sample in metric.samples if sample.name == "wakequeue_holds_total"]
    return {sample.labels["ended"]: sample.value for sample in samples}


async def holding(
    holds: Holds, *revisions: Revision, remaining: float | None = None, gone: Gone | None = None, number: float = 1
) -> asyncio.Task[None]:
    """Return a call that is held, the last of so many."""
    call = asyncio.create_task(holds.hold(revisions, holds.time_to_hold(remaining), gone))
    await wait_until_async(lambda: call.done() or held() == number, what="a held call")
    assert not call.done()
    return call


@pytest.mark.parametrize(
    ("remaining", "hold_for", "held", "seconds"),
    [
        (None, 60.0, 0, 60.0),
        (30.0, 60.0, 0, 29.0),
        (5.0, 60.0, 0, 4.5),
        (5.0, 60.0, 1_000, 4.4),
        (30.0, 60.0, 10_000, 28.0),
        (1.0, 60.0, 0, 0.9),
        (0.99, 60.0, 0, 0.0),
        (0.2, 60.0, 0, 0.0),
        (300.0, 60.0, 0, 60.0),
        (60.0, 60.0, 0, 59.0),
        (0.0, 60.0, 0, 0.0),
    ],
)
def test_the_answer_comes_before_the_callers_deadline(remaining: float | None, hold_for: float, held: int, seconds: float) -> None:
    """By a tenth of its time, at most a second, and more where many are held; nobody is held for less than a second is worth."""
    assert time_to_hold(remaining, hold_for, held) == pytest.approx(seconds)


@on_a_loop
async def test_a_call_is_held_until_its_revision_is_ready() -> None:
    """Then all that wait for it are answered."""
    cluster = asleep(A, B)
    holds = holds_of(cluster)
    calls = [await holding(holds, A, number=number) for number in (1, 2, 3)]
    other = await holding(holds, B, number=4)
    assert cluster.waited_for == {A, B}
    cluster.is_ready(A)
    await asyncio.gather(*calls)
    assert not other.done()
    assert (held(), ended()) == (1, {"ready": 3})
    cluster.is_ready(B)
    await other


@on_a_loop
async def test_a_call_of_several_is_held_until_one_is_ready() -> None:
    """Whichever; and not at all where one is: what is warm needn't wait for what is cold."""
    cluster = asleep(A, B)
    holds = holds_of(cluster)
    call = await holding(holds, A, B)
    cluster.is_ready(B)
    await call
    await holds.hold([A, B], LONG)
    assert (held(), ended()) == (0, {"ready": 1})


@on_a_loop
async def test_what_is_not_known_to_sleep_is_not_held() -> None:
    """A ready Revision's call; any without access; and all in `notify` mode."""
    cluster = asleep(A)
    cluster.is_ready(B)
    holds = holds_of(cluster)
    await holds.hold([B], LONG)
    await Holds(Settings(), asleep(A)).hold([A], LONG)
    await holds_of(Unknown()).hold([A], LONG)
    cluster.away = True
    await holds.hold([A], LONG)
    assert ended() == {}


@on_a_loop
async def test_a_call_is_answered_at_its_deadline() -> None:
    """When its time is over; one whose time is gone isn't held."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    await holds_of(asleep(A)).hold([A], 0.18)
    assert 0.17 < loop.time() - began < 5
    await holds_of(asleep(A)).hold([A], -1.0)
    assert (held(), ended()) == (0, {"deadline": 2})


def test_a_held_call_stays_held_without_access() -> None:
    """Its Revision may be ready any time, and its caller goes on waiting."""

    async def talk() -> None:
        cluster = asleep(A)
        call = await holding(holds_of(cluster, hold_for=1.0), A)
        cluster.away = True
        await asyncio.sleep(0.9)
        assert not call.done()
        await call

    run_unhurried(talk())
    assert ended() == {"deadline": 1}


@on_a_loop
async def test_beyond_the_bound_calls_are_answered_at_once() -> None:
    """And counted; when a held one is answered there is room again."""
    cluster = asleep(A)
    holds = holds_of(cluster, hold_at_most=2)
    calls = [await holding(holds, A, number=number) for number in (1, 2)]
    await holds.hold([A], LONG)
    assert ended() == {"full": 1}
    calls[0].cancel()
    await asyncio.wait(calls[:1])
    calls.append(await holding(holds, A, number=2))
    cluster.is_ready(A)
    await asyncio.gather(*calls[1:])
    assert ended() == {"full": 1, "left": 1, "ready": 2}


@on_a_loop
async def test_a_caller_that_has_left_frees_its_place() -> None:
    """Whether the call is cancelled or it is told otherwise; who watches is stopped when the call is answered before."""
    cluster, left, watched = asleep(A), asyncio.Event(), list[str]()
    holds = holds_of(cluster)

    async def gone() -> None:
        try:
            await left.wait()
        except asyncio.CancelledError:
            watched.append("stopped")
            raise

    call = await holding(holds, A, gone=gone)
    left.set()
    await call
    left.clear()
    call = await holding(holds, A)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (held(), ended(), watched) == (0, {"left": 2}, [])
    call = await holding(holds, A, gone=gone)
    cluster.is_ready(A)
    await call
    await wait_until_async(lambda: watched == ["stopped"])


@on_a_loop
async def test_a_front_that_is_told_to_stop_lets_go() -> None:
    """What is held is answered, and no more is; to say so twice is no trouble."""
    cluster = asleep(A)
    holds = holds_of(cluster)
    calls = [await holding(holds, A, number=number) for number in (1, 2)]
    for _ in range(3):
        holds.let_go()
        await asyncio.sleep(0)
    await asyncio.gather(*calls)
    await holds.hold([A], LONG)
    assert (held(), ended()) == (0, {"draining": 3})


# The hook's part.


def hook_of(cluster: Cluster, recorder: FakeRecorder | None = None, **settings: float) -> Hook:
    """Return a hook that holds calls."""
    numbers = {"hold_for": LONG} | settings
    return Hook(cast("Recorder", recorder or FakeRecorder()), Settings(mode="hold", **numbers), cluster)


def of(*revisions: Revision, host: str = "") -> Callable[[], Call]:
    """Return a reader of a call of one of these Revisions, or of a host."""
    sources = [Exact(one.namespace.encode(), one.name.encode()) for one in revisions] or [Host(host.encode())]
    return lambda: Call(sources=tuple(sources))


async def answer_held(hook: Hook, read: Callable[[], Call], remaining: float | None = None) -> asyncio.Task[Outcome]:
    """Return a call at the hook that is held."""
    call = asyncio.create_task(hook.call_and_hold("test", "x", read, remaining))
    await wait_until_async(lambda: call.done() or held() == 1, what="a held call")
    assert not call.done()
    return call


@pytest.mark.parametrize("outcome", [Outcome.RECORDED, Outcome.WAITING, Outcome.BUFFERED])
@on_a_loop
async def test_a_call_is_recorded_before_it_is_held(outcome: Outcome) -> None:
    """It is counted and answered for then, in a time of its own; what it is answered is what became of it then."""
    cluster, recorder = asleep(A), FakeRecorder(outcome)
    hook = hook_of(cluster, recorder)
    stage = lambda stage: FRONT.get_sample_value("wakequeue_stage_seconds_count", {"stage": stage}) or 0.0  # noqa: E731
    before = stage("answer"), stage("hold")
    call = await answer_held(hook, of(A))
    assert (recorder.revisions, hook.answered) == ([A], 1)
    assert (stage("answer"), stage("hold")) == (before[0] + 1, before[1])
    cluster.is_ready(A)
    assert await call is outcome
    assert stage("hold") == before[1] + 1


@pytest.mark.parametrize("outcome", [Outcome.AWAKE, Outcome.DROPPED, RuntimeError("a defect")])
@on_a_loop
async def test_a_call_that_has_nothing_to_wait_for_is_answered(outcome: Outcome | Exception) -> None:
    """Nobody reports what was dropped; and what is called by another way is never held."""
    await hook_of(asleep(A), FakeRecorder(outcome)).call_and_hold("test", "x", of(A))
    await hook_of(asleep(A), FakeRecorder()).call("test", "x", of(A))
    assert ended() == {}


@on_a_loop
async def test_a_call_of_a_split_waits_for_one_that_it_wakes() -> None:
    """And for none that a rule holds back."""
    other = Revision("other", "c")
    cluster = asleep(A, B, other, **{"hello.example": [A, B, other]})
    hook = hook_of(cluster, denied_namespaces=["other"])
    call = await answer_held(hook, of(host="hello.example"))
    cluster.is_ready(other)
    await asyncio.sleep(0.01)
    assert not call.done()
    cluster.is_ready(B)
    assert await call is Outcome.RECORDED


@on_a_loop
async def test_a_held_call_without_a_name_gets_one() -> None:
    """So that it is known to wait for as long as it is held; one that isn't held needs none."""
    cluster, recorder = asleep(A), FakeRecorder()
    hook = hook_of(cluster, recorder)
    calls = [asyncio.create_task(hook.call_and_hold("test", "x", of(A))) for _ in range(3)]
    await wait_until_async(lambda: held() == 3, what="held calls")
    assert len({request for _, request in recorder.waited} - {""}) == 3
    assert recorder.come_again == [False] * 3
    cluster.is_ready(A)
    await asyncio.gather(*calls)
    await hook.call_and_hold("test", "x", of(A))
    await hook.call("test", "x", of(A))
    cluster.is_at_zero(A)
    await hook.call_and_hold("test", "x", of(A), 0.2)
    assert [one.request for one in recorder.told[3:]] == [""] * 3


@on_a_loop
async def test_a_cold_request_still_waits_while_it_is_held() -> None:
    """It doesn't come again, as others do: the recorder is told, by the name that it was recorded under."""
    cluster, recorder = asleep(A, B, **{"hello.example": [A, B]}), FakeRecorder()
    hook = hook_of(cluster, recorder)
    call = Call(sources=(Host(b"hello.example"),), cold=True, request_id="1-2-3")
    await answer_held(hook, lambda: call)
    assert recorder.waited == [(one.revision, one.request) for one in recorder.told]
    assert all(request for _, request in recorder.waited)
    assert all(recorder.come_again)
    hook.let_go()


@on_a_loop
async def test_the_time_to_record_is_taken_from_the_callers() -> None:
    """What is left after it is what the call may be held for."""

    class Slow(FakeRecorder):
        async def record_cold(
            self, revision: Revision, caller: str, budget: float, request: str, *, span: Span = UNTRACED
        ) -> Outcome:
            await asyncio.sleep(1.1)
            return await super().record_cold(revision, caller, budget, request, span=span)

    loop = asyncio.get_running_loop()
    began = loop.time()
    await hook_of(asleep(A), Slow()).call_and_hold("test", "x", of(A), 1.2)
    assert loop.time() - began < 5
    assert ended() == {"deadline": 1}


@on_a_loop
async def test_a_drain_waits_for_no_held_call() -> None:
    """They are let go when it begins."""
    hook = hook_of(asleep(A))
    call = await answer_held(hook, of(A))
    await until_quiet(hook, LONG)
    assert await call is Outcome.RECORDED
    assert ended() == {"draining": 1}


@on_a_loop
async def test_who_stood_still_was_not_quiet() -> None:
    """What was sent meanwhile is yet to be read: a drain goes on for as long as that takes."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    drain = asyncio.create_task(until_quiet(hook_of(asleep(A)), LONG))
    await asyncio.sleep(0)
    time.sleep(3 * QUIET_SECONDS)  # noqa: ASYNC251  the whole process does
    await drain
    assert loop.time() - began >= 4 * QUIET_SECONDS


@on_a_loop
async def test_a_defect_of_the_cluster_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    """The call was recorded, and is answered."""

    class Broken(FakeCluster):
        async def until_ready(self, revision: Revision) -> None:
            raise RuntimeError(revision)

    caplog.set_level(logging.WARNING, logger="wakequeue")
    cluster = Broken()
    cluster.is_at_zero(A)
    assert await hook_of(cluster).call_and_hold("test", "x", of(A)) is Outcome.RECORDED
    assert "call_failed" in caplog.text
    assert held() == 0
