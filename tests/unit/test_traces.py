"""Traces: what they cost where they aren't wanted, what they need where they are, and what the ledger gets of them."""

import asyncio
import subprocess
import sys

import pytest
from support.fakes import FakeLedger
from support.scene import A, B, C, Scene, entry
from support.spans import traceparent

from gateway_hook.commits import Commits
from gateway_hook.tallies import MOST_SPANS, Tallies
from wakequeue.errors import AutoscalerUnavailable, CannotStart
from wakequeue.ledger import Entry
from wakequeue.revision import Revision
from wakequeue.settings import Settings
from wakequeue.traces import NO_TRACES, Report, Span, Traces, opened


class Traced(Span):
    """A span of a call that is traced."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.context = traceparent(f"{number:016x}")


class Reports(Traces):
    """Keeps the reports that it is told of."""

    def __init__(self) -> None:
        self.told: list[Report] = []

    def report(self, report: Report) -> None:
        """Keep one."""
        self.told.append(report)


@pytest.mark.parametrize("extra", ["", "sys.modules['opentelemetry'] = None;"])
def test_where_they_arent_wanted_nothing_makes_them(extra: str) -> None:
    """A front, a worker and a beat import nothing that makes or sends spans, and need not have it."""
    asked = (
        f"import sys; {extra} from wakequeue.traces import NO_TRACES, opened; from wakequeue.settings import Settings;"
        "import gateway_hook.server, workers.app, workers.beating;"
        "assert opened(Settings(), 'hook', 'pod') is NO_TRACES;"
        # redis-py imports what counts, where it is there.
        "made = 'wakequeue.otel', 'opentelemetry.sdk.trace', 'opentelemetry.exporter', 'opentelemetry.proto', 'requests';"
        "print([name for name in sys.modules if name.startswith(made)])"
    )
    shown = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=False)
    assert (shown.stdout, shown.stderr) == ("[]\n", "")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who wants them is told what to install."""
    monkeypatch.delitem(sys.modules, "wakequeue.otel", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(CannotStart) as refused:
        opened(Settings(traces=True), "hook", "pod")
    assert str(refused.value) == "traces = true needs the extra: pip install 'wakequeue[traces]'"


def test_what_opentelemetry_is_told_and_cant_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process doesn't start with a variable that can't be, and says what is wrong with it."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    with pytest.raises(CannotStart, match=r"as its variables OTEL_\.\.\. say: max_queue_size must be a positive integer"):
        opened(Settings(traces=True), "hook", "pod")


def test_a_commit_names_eight_of_its_spans() -> None:
    """The first ones, of calls and of requests that wait; those that aren't traced count for none."""
    tallies, ledger = Tallies(), FakeLedger()
    for number in range(1, 20):
        tallies.add(A, "x", 1.0)
        tallies.add(A, "x", 1.0, span=Traced(number)) if number % 2 else tallies.add_request(A, "x", 1.0, "r", Traced(number))
    tallies.add(B, "x", 1.0)

    async def send() -> None:
        async for _ in Commits(ledger, "front", lambda: 1.0).send("groups", tallies):
            pass

    asyncio.run(send())
    ((first, second),) = ledger.commits.values()
    assert first.traces == tuple(traceparent(f"{number:016x}") for number in range(1, MOST_SPANS + 1))
    assert second.traces == ()


def traced(revision: Revision, *numbers: int, age: float = 0.0) -> Entry:
    """Return calls, each of which is traced."""
    return Entry(revision, len(numbers), False, age, age, traces=[traceparent(f"{one:016x}") for one in numbers])  # noqa: FBT003


def test_a_report_of_traced_calls(scene: Scene) -> None:
    """It names their spans and its wake-up; a report of others makes none, nor does the repeat of one."""
    scene.traces = reports = Reports()
    scene.record(traced(A, 1), entry(B))
    scene.record(traced(A, 2, 3))
    scene.deliver(A, B)
    scene.ago(A, due_at=0, ready_at=0)
    scene.deliver(A)
    (told,) = reports.told
    assert told.traces == tuple(traceparent(f"{one:016x}") for one in (1, 2, 3))
    assert len(told.wakeup) == 32
    assert told.began_at <= told.stages["encoded"] <= told.stages["confirmed"] <= told.ended_at
    queued = told.said["queued_seconds"]
    assert told.said == {"phase": "asleep", "revision": str(A), "calls": 3, "attempts": 1, "queued_seconds": queued}
    assert isinstance(queued, float)
    assert told.error == ""


def test_a_report_that_is_not_confirmed(scene: Scene) -> None:
    """Each try is told, with what it failed by; the one that is confirmed names the spans again."""
    scene.traces = reports = Reports()
    scene.record(traced(A, 1), entry(B))
    scene.autoscaler.available = False
    with pytest.raises(AutoscalerUnavailable):
        scene.deliver(A, B)
    scene.autoscaler.available = True
    scene.make_due(A)
    scene.deliver(A)
    failed, done = reports.told
    assert (failed.error, failed.said["attempts"], list(failed.stages)) == ("released: not connected", 1, ["encoded"])
    assert (done.error, done.said["attempts"], done.traces, done.wakeup) == ("", 2, failed.traces, failed.wakeup)


def test_a_wake_up_that_is_buried(scene: Scene) -> None:
    """Its span says so."""
    scene.traces = reports = Reports()
    scene.record(traced(C, 1, age=1_000))
    scene.deliver(C)
    assert [one.error for one in reports.told] == ["buried: expired"]


def test_nothing_is_done_where_there_are_none() -> None:
    """Whatever a process tells, nothing comes of it."""
    assert NO_TRACES.trace_of({"traceparent": traceparent()}.items()) == ""
    with NO_TRACES.call("x") as call, NO_TRACES.publish("x", "y", [traceparent()], begin=True) as headers:
        call.join(traceparent())
        call.tell(outcome="recorded")
    assert (call.context, headers) == ("", {})
