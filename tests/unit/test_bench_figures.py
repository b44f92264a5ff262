"""What is said of what was measured: figures as a table and as JSON, and figures of calls beside others."""

import asyncio
import itertools
import json
from array import array
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from gateway_hook.bench.command import write
from gateway_hook.bench.compared import Pair, latency, latency_above, made, throughput
from gateway_hook.bench.figures import LIBRARIES, Figure, results, shown_number, table
from gateway_hook.bench.load import Load, percentile
from gateway_hook.bench.measured import refuse_awake
from gateway_hook.bench.revisions import Messages, Revisions
from gateway_hook.client import request
from wakequeue.errors import NoFigure
from wakequeue.ledger import Outcome
from wakequeue.revision import Revision
from wakequeue.settings import Settings

RATE = Figure(figure="F1", what="calls a second", value=4_321.25, unit="calls/s", n=9, aim=">= 0.90", met=False, ratio=0.87654)
LATENCY = Figure(
    figure="F4",
    what="a report",
    value=3.0,
    unit="ms",
    n=100,
    aim="p50 <= 4 ms",
    met=True,
    p50=3.0,
    p95=5.25,
    p99=7.0,
    load_core=0.5,
)


def load(seconds: Sequence[float], lasted: float = 1.0, own_seconds: float = 0.5) -> Load:
    """Calls that took so long each, made within a time."""
    return Load(array("d", seconds), began=10.0, ended=10.0 + lasted, own_seconds=own_seconds)


def test_the_table() -> None:
    """A row for each figure, with what there is of it."""
    out = StringIO()
    Console(file=out, width=200).print(table([RATE, LATENCY]))
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in out.getvalue().splitlines() if line.startswith("│")]
    assert rows == [
        ["F1", "calls a second", "4,321 calls/s", "", "", "", "0.877", ">= 0.90", "no", "9", ""],
        ["F4", "a report", "3 ms", "3", "5.25", "7", "", "p50 <= 4 ms", "yes", "100", "50%"],
    ]


def test_the_json() -> None:
    """All of it, rounded to four digits, with the conditions, the machine and the versions of what it was measured with."""
    written = json.loads(json.dumps(results([RATE, LATENCY], {"rate": 1_000})))
    assert written.keys() == {"at", "machine", "versions", "conditions", "figures"}
    assert written["conditions"] == {"rate": 1_000}
    assert written["versions"].keys() == {*LIBRARIES, "python"}
    assert written["machine"].keys() == {"cores", "processor", "memory_bytes", "system"}
    rate, _ = written["figures"]
    assert (rate["value"], rate["ratio"], rate["met"], rate["n"], rate["p50"]) == (4_321.0, 0.8765, False, 9, None)


def test_what_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The JSON that is written, or a table that is wide enough for a line a figure."""
    output = tmp_path / "results.json"
    write(output, [RATE], {"rate": 1}, as_json=True)
    assert json.loads(capsys.readouterr().out) == json.loads(output.read_text())
    write(output, [RATE, LATENCY], {}, as_json=False)
    assert [line.split("│")[1].strip() for line in capsys.readouterr().out.splitlines() if "│" in line] == ["F1", "F4"]


@pytest.mark.parametrize(
    ("number", "shown"), [(None, ""), (0.0, "0"), (0.12345, "0.123"), (99.96, "100"), (123.4, "123"), (12_345.6, "12,346")]
)
def test_numbers_have_three_digits_or_all(number: float | None, shown: str) -> None:
    """Three that count, and every one before the point."""
    assert shown_number(number) == shown


def test_percentiles() -> None:
    """As many percent are no larger; of one there is one, whatever the percentage."""
    hundred = array("d", map(float, range(101)))
    assert [percentile(hundred, percent) for percent in (0.1, 50, 95, 99, 99.9)] == pytest.approx([0.1, 50, 95, 99, 99.9])
    assert percentile(array("d", [7.0]), 99) == 7.0


def test_what_a_load_says() -> None:
    """Calls a second and the share of a core, over the time from its beginning to its last answer."""
    one = load([0.1, 0.2, 0.3], lasted=2.0)
    assert (one.calls_a_second, one.core, one.percentile(50)) == (1.5, 0.25, 0.2)


@pytest.mark.parametrize(("share", "met"), [(0.75, True), (0.76, False)])
def test_throughput(share: float, met: bool) -> None:  # noqa: FBT001  pytest's parameters
    """The medians over the pairs: of the calls, and of their ratios to the checks beside them."""
    pairs = [Pair(load([0.1] * calls), load([0.1] * checks)) for calls, checks in ((30, 40), (50, 100), (90, 100))]
    figure = throughput("F1", "calls", pairs, share)
    assert (figure.value, figure.unit, figure.ratio, figure.n, figure.met) == (50.0, "calls/s", 0.75, 170, met)
    assert figure.load_core == 0.5
    assert figure.aim == f">= {share} of the health checks a second"
    assert made(pairs) == 170


@pytest.mark.parametrize(("aim", "met"), [((1.0, 1.0), True), ((0.99, 1.0), False), ((1.0, 0.99), False)])
def test_latency_above(aim: tuple[float, float], met: bool) -> None:  # noqa: FBT001  as above
    """Percentiles of all pairs' calls, less those of all checks, against the aim."""
    pairs = [Pair(load([0.003] * 50), load([0.002] * 50)), Pair(load([0.005] * 50), load([0.004] * 50))]
    figure = latency_above("F3", "answers", pairs, aim)
    assert (figure.value, figure.p50, figure.p99, figure.ratio) == pytest.approx((4.0, 4.0, 5.0, 4 / 3))
    assert (figure.n, figure.met, figure.load_core) == (100, met, 0.5)
    assert figure.aim == f"p50 <= {aim[0]:g} ms, p99 <= {aim[1]:g} ms above the health check's"


@pytest.mark.parametrize(("aim", "met"), [((3.0, 5.0), True), ((2.9, 5.0), False), ((3.0, 4.9), False)])
def test_latency(aim: tuple[float, float], met: bool) -> None:  # noqa: FBT001  as above
    """Percentiles against the aim itself; the ratio is of the medians."""
    figure = latency("F4", "reports", array("d", [1.0, 3.0, 5.0]), array("d", [0.5]), aim)
    assert (figure.value, figure.ratio, figure.n, figure.met) == (3.0, 6.0, 3, met)


# Which Revisions are called.


def test_new_revisions_each_time() -> None:
    """Of one namespace, with names that nobody had: those of another run are others."""
    one, other = (Revisions(Settings(), "bench", 3) for _ in range(2))
    first, second = asyncio.run(one.asleep()), asyncio.run(one.asleep())
    assert len({*first, *second}) == 6
    assert {revision.namespace for revision in first} == {"bench"}
    assert all(map(one.has, (*first, *second)))
    assert not any(map(other.has, first))
    assert not one.has(Revision("shop", first[0].name))


def test_named_revisions_once_they_sleep_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Always the same, not called for as long as it takes the ledger to forget them."""
    rests: list[float] = []

    async def rest(seconds: float) -> None:
        rests.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", rest)
    named = Revision("shop", "cart"), Revision("shop", "till")
    called = Revisions(Settings(), "bench", 100, named)
    assert called.count == 2

    async def thrice() -> list[Sequence[Revision]]:
        return [await called.asleep() for _ in range(3)]

    assert asyncio.run(thrice()) == [named] * 3
    assert rests == [6.0, 6.0]
    assert called.has(named[0])
    assert not called.has(Revision("shop", "other"))


def test_one_revision_after_the_other() -> None:
    """Calls are of each in turn."""
    messages, named = Messages(), [Revision("shop", name) for name in "ab"]
    messages.of(named)
    assert list(itertools.islice(messages, 3)) == [request(named[0]), request(named[1]), request(named[0])]


# Whether what was to be asleep was.


def outcome(at: float, phase: str, last_call: float) -> Outcome:
    """One entry of the audit trail."""
    parts: list[Any] = ["1-0", at, Revision("shop", "cart"), "reported", "", phase, 1.0, 1, {}, last_call, last_call, 1, [], "w"]
    return Outcome(*parts)


@pytest.mark.parametrize(
    ("outcomes", "asleep"),
    [
        ([(0.0, "asleep", 0.0), (1.2, "waking", 1.0)], True),
        ([(0.0, "asleep", 0.0), (3.1, "awake", 2.9)], True),
        ([(0.0, "asleep", 0.0), (9.0, "waking", 8.0)], True),
        ([(0.0, "asleep", 0.0), (3.1, "awake", 3.0)], False),
        ([(3.1, "awake", 3.0)], False),
        ([(0.0, "asleep", 0.0), (20.0, "asleep", 20.0), (23.1, "awake", 22.5)], True),
    ],
)
def test_what_was_asleep(outcomes: list[tuple[float, str, float]], asleep: bool) -> None:  # noqa: FBT001  as above
    """A call that came when its Revision was awake is none of a sleeping one; one that was reported late is."""
    entries = [outcome(*one) for one in outcomes]
    if asleep:
        assert refuse_awake(entries, 3.0) == entries
    else:
        with pytest.raises(NoFigure, match="shop/cart was awake before its last call"):
            refuse_awake(entries, 3.0)
