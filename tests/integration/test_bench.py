"""`wakequeue bench` against a real installation: its figures, and when there are none."""

import asyncio
import json
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from click.testing import CliRunner, Result
from support.certificates import Authority
from support.cluster import Cluster
from support.installation import Installation
from support.ledger import A, B, C, D, Ledger, entry, settled
from support.processes import BIN, Process, free_port
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.waiting import wait_until

from gateway_hook.bench import command, measured
from gateway_hook.bench.trail import Trail
from wakequeue.errors import LedgerUnavailable, NoFigure
from wakequeue.ledger import History, WorkerLedger
from wakequeue.revision import Revision
from wakequeue.settings import Settings

WAKEQUEUE: Final = str(BIN / "wakequeue")
SHORT: Final = ("--seconds", "1", "--rate", "200", "--revisions", "10")
TOKEN: Final = "hunter2-the-right-one"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Where results are written to."""
    return tmp_path / "results.json"


def bench(installation: Installation, output: Path, *options: str, **env: str) -> Process:
    """Start the command."""
    return installation.start([WAKEQUEUE, "bench", *SHORT, "--output", str(output), *options], **env)


def run(installation: Installation, output: Path, *options: str, **env: str) -> Result:
    """The command in this process. Raises what it raises."""
    arguments = [*SHORT, "--output", str(output), *options]
    return CliRunner().invoke(command.bench, arguments, env=installation._env() | env, catch_exceptions=False)


def tls(authority: Authority) -> dict[str, str]:
    """The front's settings for TLS."""
    front = authority.issue("front")
    return {"WAKEQUEUE_GRPC_CERTIFICATE_FILE": str(front.certificate), "WAKEQUEUE_GRPC_KEY_FILE": str(front.key)}


def refusal(process: Process) -> str:
    """The last line of one that has no figure."""
    assert process.wait(60) == 1, process.output
    assert "Traceback" not in process.output
    assert "calls/s" not in process.output
    return process.lines[-1]


# Where there are figures.


def test_figures_of_an_installation(installation: Installation, stat_server: StatServer, output: Path, tmp_path: Path) -> None:
    """Four figures, of as many calls as were asked for, all of which the Autoscaler hears of; it says beforehand what it does.

    With the front's settings it gets in as `call` does.
    """
    authority = Authority(tmp_path)
    door = tls(authority) | {"WAKEQUEUE_GRPC_CLIENT_CA_FILE": str(authority.certificate), "WAKEQUEUE_GRPC_TOKEN": TOKEN}
    hook, _ = installation.hook(**door), installation.worker()
    process = bench(installation, output, WAKEQUEUE_GRPC_ADDRESS=hook.grpc_address, **door)
    assert process.wait(60) == 0, process.output
    assert process.lines[0].startswith(f"Calls the front at {hook.grpc_address} for about ")
    found = {one["figure"]: one for one in json.loads(output.read_text())["figures"]}
    assert [(name, one["n"], one["unit"]) for name, one in found.items()] == [
        ("F1", 200, "calls/s"),
        ("F2", 200, "calls/s"),
        ("F3", 200, "ms"),
        ("F4", 9, "ms"),
    ]
    assert all(one["value"] > 0 and one["ratio"] > 0 for one in found.values())
    assert all(name in process.output for name in found)
    assert TOKEN not in process.output + output.read_text()
    wait_until(lambda: stat_server.requests().total() == hook.metric("wakequeue_recorded_total"), what="all that was recorded")
    requests = stat_server.requests()
    assert {key.partition("/")[0] for key in requests} == {"wakequeue-bench"}
    # Those of four figures, and those by which Revisions became awake.
    assert requests.total() > 200 + 200 + 200 + 10
    # New ones for quiet calls, for each of five rounds, for those that get awake, and for the open loop.
    assert len(requests) == 10 * (1 + 5 + 1 + 1)
    # Those that make sure that all are awake may be answered from memory, too.
    answered = hook.metric("wakequeue_calls_total", outcome="awake")
    assert answered >= 200
    assert answered % 10 == 0


def test_figures_with_access_to_kubernetes(
    installation: Installation, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of Revisions that exist and aren't ready there are figures, but none of awake ones; of all others there are none."""
    for module, name, value in ((measured, "ROUNDS", 1), (measured, "OPEN_SHARE", 1), (measured, "WARM_SPARE", 0.5)):
        monkeypatch.setattr(module, name, value)
    named, rhythm = ["--revision", "shop/cart-1"], {"WAKEQUEUE_IDLE_AFTER": "1100ms", "WAKEQUEUE_AWAKE_CACHE": "1s"}
    rhythm["WAKEQUEUE_WAKING_FOR"] = "1s"
    with Cluster(tmp_path) as cluster:
        cluster.application("shop/cart", ("cart-1", 100))
        cluster.application("shop/till", ("till-1", 100))
        cluster.ready("shop/till-1")
        hook, _ = installation.hook(**cluster.env, **rhythm), installation.worker(**cluster.env, **rhythm)
        cluster.watched()
        at = {"WAKEQUEUE_GRPC_ADDRESS": hook.grpc_address, **rhythm}
        with monkeypatch.context() as shortly:
            shortly.setattr(command, "Trail", partial(Trail, patience=0.5))
            for options in ([], ["--revision", "shop/till-1"]):
                with pytest.raises(NoFigure, match=r"1 of 1 calls were answered and not recorded: .* exists and is not ready"):
                    run(installation, output, *options, **at)
        result = run(installation, output, *named, "--json", **at)
        assert "F2 is not measured" in result.stderr
        written = json.loads(output.read_text())
        assert json.loads(result.stdout) == written
        assert [one["figure"] for one in written["figures"]] == ["F1", "F3", "F4"]
        assert written["conditions"]["revision"] == ["shop/cart-1"]
        with pytest.raises(NoFigure, match="shop/cart-1 was not asleep when it was called"):
            run(installation, output, *named, **at)


# Where there are none.


def test_who_is_not_let_in(installation: Installation, output: Path, tmp_path: Path) -> None:
    """Without the token, without TLS, with another authority, or where no front is: each in one line."""
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    files, mutual = tls(authority), {"WAKEQUEUE_GRPC_CLIENT_CA_FILE": str(authority.certificate)}
    plain, speaks = installation.hook(WAKEQUEUE_GRPC_TOKEN=TOKEN), installation.hook(**files, **mutual)
    nowhere = f"127.0.0.1:{free_port()}"
    for says, address, options, env in (
        ("another token", plain.grpc_address, [], {}),
        ("another token", plain.grpc_address, [], {"WAKEQUEUE_GRPC_TOKEN": "hunter2-another"}),
        ("does not answer", plain.grpc_address, [], files),
        ("does it speak TLS", speaks.grpc_address, [], {}),
        ("CERTIFICATE_VERIFY_FAILED", speaks.grpc_address, ["--ca", str(other.certificate)], {}),
        ("ask for a certificate", speaks.grpc_address, ["--ca", str(authority.certificate)], {}),
        ("can't be used", speaks.grpc_address, ["--ca", "/dev/null"], {}),
        ("no gRPC server", plain.admin, [], {}),
        (f"the front at {nowhere} does not answer", nowhere, [], {}),
    ):
        with pytest.raises(NoFigure, match=says) as refused:
            run(installation, output, *options, WAKEQUEUE_GRPC_ADDRESS=address, **env)
        assert "hunter2" not in str(refused.value)
    assert not output.exists()


def test_calls_that_are_not_reported(installation: Installation, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which the front ignores, of which no Autoscaler hears, whose Redis is another one or is not there: the first call tells."""
    monkeypatch.setattr(command, "Trail", partial(Trail, patience=0.5))
    hook, away = installation.hook(), f"redis://127.0.0.1:{free_port()}"
    here = {"WAKEQUEUE_GRPC_ADDRESS": hook.grpc_address}
    with RedisServer() as another:
        other = {"WAKEQUEUE_REDIS_URL": another.url}
        ignores = installation.hook(WAKEQUEUE_NAMESPACES='["shop"]', **other)
        for says, env in (
            ("1 of 1 calls were not reported", here),
            ("1 of 1 calls were answered and not recorded", here | other),
            ("1 of 1 calls were answered and not recorded", other | {"WAKEQUEUE_GRPC_ADDRESS": ignores.grpc_address}),
            (r"nothing wakes in wakequeue-bench \(WAKEQUEUE_NAMESPACES", here | {"WAKEQUEUE_NAMESPACES": '["shop"]'}),
        ):
            with pytest.raises(NoFigure, match=says):
                run(installation, output, **env)
    with pytest.raises(LedgerUnavailable):
        run(installation, output, **here, WAKEQUEUE_REDIS_URL=away)
    assert not output.exists()


def test_one_call_at_a_time(installation: Installation, output: Path) -> None:
    """A front that takes one call on a connection is measured as it is, and that is said; Ctrl-C ends it without a word more."""
    hook, _ = installation.hook(WAKEQUEUE_GRPC_CALLS_IN_FLIGHT="1"), installation.worker()
    process = bench(installation, output, WAKEQUEUE_GRPC_ADDRESS=hook.grpc_address)
    process.wait_for_line("The front takes 2 calls at once (WAKEQUEUE_GRPC_CALLS_IN_FLIGHT)")
    process.wait_for_line("F2: ")
    process.send_signal(signal.SIGINT)
    assert process.wait() == 1
    assert process.lines[-1] == "Aborted!"
    assert "Traceback" not in process.output
    assert not output.exists()


def test_a_front_that_ends(installation: Installation, output: Path) -> None:
    """Its connection does, and with it the measurement."""
    hook, _ = installation.hook(), installation.worker()
    process = bench(installation, output, "--seconds", "60", WAKEQUEUE_GRPC_ADDRESS=hook.grpc_address)
    process.wait_for_line("F1: ", within=60)
    hook.process.kill()
    assert "the front" in refusal(process)


@pytest.mark.parametrize("options", [["--namespace", "Shop"], ["--output", "/nowhere/results.json"], ["--revision", "cart"]])
def test_wrong_options(options: list[str]) -> None:
    """They are refused before any call is made."""
    result = CliRunner().invoke(command.bench, options)
    assert result.exit_code == 2
    assert options[0] in result.output


# What the audit trail says, entry by entry.


MANY: Final = tuple(Revision("shop", f"app-{number}") for number in range(300))


def confirmed(ledger: Ledger, calls: int, *done: Callable[[], object]) -> list[Revision]:
    """Whose reports the trail finds of so many calls, once this is done; of Revisions in the namespace shop, but for B."""

    async def run() -> list[Revision]:
        ours = WorkerLedger(ledger.client, Settings())
        async with Trail(ours, lambda revision: revision.namespace == "shop" and revision != B, patience=2.0) as trail:
            for do in done:
                await asyncio.to_thread(do)
            return [one.revision for one in await trail.confirmed(calls)]

    return asyncio.run(run())


def report(ledger: Ledger, *revisions: Revision, keep_history: int = 10_000) -> None:
    """Call each three times, and settle."""
    ledger.record(*(entry(revision, calls=3) for revision in revisions))
    ledger.using(keep_history=keep_history).settle([settled(lease) for lease in ledger.take(*revisions)])


def test_what_was_reported_before_is_not_found(ledger: Ledger) -> None:
    """Nor is what others called; what is found is found once."""
    report(ledger, A)
    report(ledger, C)

    assert confirmed(ledger, 3, lambda: report(ledger, B), lambda: report(ledger, D)) == [D]


@pytest.mark.parametrize(
    ("calls", "do", "says"),
    [
        (3, lambda ledger: report(ledger, B), "3 of 3 calls were answered and not recorded"),
        (5, lambda ledger: report(ledger, A), "2 of 5 calls were answered and not recorded"),
        (3, lambda ledger: ledger.record(entry(A, calls=3)), "3 of 3 calls were not reported within 2 s"),
        (2, lambda ledger: report(ledger, A), "1 more calls were reported than the 2 that were made: others call these Revisions"),
        (3, lambda ledger: (ledger.record(entry(A, calls=3)), ledger.bury(ledger.take(A))), "shop/a was given up: expired"),
        (
            900,
            lambda ledger: report(ledger, *MANY, keep_history=1),
            "dropped [0-9]+ entries before they were read: WAKEQUEUE_KEEP_HISTORY",
        ),
    ],
)
def test_what_the_trail_does_not_say(ledger: Ledger, calls: int, do: Callable[[Ledger], object], says: str) -> None:
    """No figure, and why."""
    with pytest.raises(NoFigure, match=says):
        confirmed(ledger, calls, lambda: do(ledger))


def test_how_many_entries_were_written(ledger: Ledger) -> None:
    """None in a ledger that has no trail yet; then all, however many are kept."""
    trail = History(ledger.client)
    assert trail.written() == 0
    report(ledger, *MANY, keep_history=1)
    assert trail.written() == 300 > len(trail.newest(1_000))
