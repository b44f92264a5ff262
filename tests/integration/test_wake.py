"""`wakequeue wake` and `wakequeue sleep`, on a real Redis, as an operator would use them."""

import getpass
import json
import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner
from kombu.exceptions import OperationalError
from support.installation import Installation
from support.ledger import A, B, Ledger
from support.processes import BIN, clean_environment, free_port
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.waiting import wait_until

from wakequeue import broker
from wakequeue.cli import wakequeue
from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger import History, Plan

Run = Callable[..., str]
WAKEQUEUE: Final = str(BIN / "wakequeue")
#: Clocks that are never set.
KOLKATA: Final = ZoneInfo("Asia/Kolkata")


def invoke(redis_url: str, *arguments: str, code: int = 0, **settings: str) -> str:
    """Run a command in this process; return what it prints."""
    env = {name: None for name in os.environ if name not in clean_environment()}
    result = CliRunner(env=env | {"WAKEQUEUE_REDIS_URL": redis_url, **settings}).invoke(wakequeue, arguments)
    if isinstance(result.exception, Exception) and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def run(shared_redis: RedisServer) -> Run:
    """Commands on the ledger's Redis."""
    return lambda *arguments, **options: invoke(shared_redis.url, *arguments, **options)


@pytest.fixture
def operator(shared_redis: RedisServer, stat_server: StatServer) -> Iterator[Installation]:
    """Workers on the ledger's Redis."""
    with Installation(shared_redis.url, stat_server.url) as started:
        yield started


def shown(at: float) -> str:
    """Return a time as it is said where the clocks are Kolkata's."""
    return datetime.fromtimestamp(at, KOLKATA).isoformat(timespec="seconds")


def test_a_plan_is_made_and_taken_back(run: Run, ledger: Ledger) -> None:
    """It is said when it starts and until when it is kept, and is in the ledger with who made it; until sleep cancels it."""
    wanted = (datetime.now(KOLKATA) + timedelta(hours=12)).replace(second=0, microsecond=0)
    asked = ("--at", f"{wanted:%H:%M}", "--for", "10m", "--pods", "2")
    lines = run("wake", "shop/a", "shop/b", "shop/a", *asked, WAKEQUEUE_ZONE="Asia/Kolkata").splitlines()
    plans, at = ledger.starts.planned(), wanted.timestamp()
    cause = plans[0].cause
    assert cause.startswith("hand ")
    assert "@" in cause
    assert sorted(plans, key=lambda plan: plan.revision) == [Plan(one, at, 600, 2, cause) for one in (A, B)]
    kept = f"planned for {shown(at)}, and kept warm until {shown(at + 600)} with at least 2 pods"
    assert lines == [f"shop/a is {kept}", f"shop/b is {kept}"]
    assert ledger.census().recorded_calls == 0
    assert run("sleep", "shop/b", "shop/c") == "1 plan cancelled; 0 Revisions no longer kept warm\n"
    assert [plan.revision for plan in ledger.starts.planned()] == [A]
    assert json.loads(run("sleep", "--all", "--json")) == {"plans": 1, "kept": 0}
    assert ledger.starts.planned() == []


def test_a_plan_whose_time_comes_is_delivered(run: Run, ledger: Ledger, operator: Installation, stat_server: StatServer) -> None:
    """By a worker, and the audit trail tells who planned it; so it is with a start of now, for which the command rings."""
    wanted = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    (said,) = map(json.loads, run("wake", "shop/a", "--at", f"{wanted:%Y-%m-%dT%H:%M:%S}", "--json").splitlines())
    (plan,) = ledger.starts.planned()
    assert said == {"revision": "shop/a", "outcome": "planned", "at": wanted.isoformat()}
    assert plan.at == wanted.timestamp()
    assert run("wake", "shop/b") == "shop/b is woken now\n"
    assert ledger.client.llen(broker.QUEUE) == 1
    operator.worker()
    ledger.let_come(plan)
    stat_server.wait_for("shop/a")
    stat_server.wait_for("shop/b")
    trail = History(ledger.client)
    wait_until(lambda: list(trail.newest(1, A)) and list(trail.newest(1, B)), what="both in the audit trail")
    for revision in (A, B):
        assert next(iter(trail.newest(1000, revision))).callers == {plan.cause: 1}
    assert ledger.starts.planned() == []


def test_what_is_kept_warm_is_let_go(run: Run) -> None:
    """Sleep keeps it warm no longer, and says of how many Revisions that is true."""
    said = json.loads(run("wake", "shop/a", "--for", "1h", "--json"))
    assert (said["outcome"], said["pods"]) == ("recorded", 1)
    assert datetime.fromisoformat(said["until"]) - datetime.fromisoformat(said["at"]) == timedelta(hours=1)
    assert run("sleep", "--all") == "0 plans cancelled; 1 Revision no longer kept warm\n"
    assert run("sleep", "shop/a") == "0 plans cancelled; 0 Revisions no longer kept warm\n"


def test_a_user_without_a_name(run: Run, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container: the number stands for it."""

    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 65532")

    monkeypatch.setattr(getpass, "getuser", nameless)
    run("wake", "shop/a")
    assert ledger.take(A)[0].callers == {f"hand {os.getuid()}@{socket.gethostname()}": 1}


def test_a_doorbell_that_is_not_rung_is_no_error(run: Run, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wake-up is in the ledger, and the sweep rings."""

    def away(*_: object) -> int:
        raise OperationalError("away")

    monkeypatch.setattr(broker, "ring", away)
    assert run("wake", "shop/a") == "shop/a is woken now\n"
    assert ledger.census().pending_calls == 1


@pytest.mark.parametrize(
    ("arguments", "code", "wrong"),
    [
        (("wake",), 2, "Missing argument"),
        (("wake", "shop"), 2, "'shop' is not NAMESPACE/REVISION"),
        (("wake", "shop/a", "--at", "25:00"), 2, "at = '25:00': allowed is a time such as 08:55, "),
        (("wake", "shop/a", "--at", "2020-01-01T08:55"), 2, "at = '2020-01-01T08:55': that is past"),
        (("wake", "shop/a", "--at", "08:55", "--zone", "Berlin"), 2, "zone = 'Berlin': allowed is a time zone such as"),
        (("wake", "shop/a", "--for", "10"), 2, "for = '10': allowed is a duration"),
        (("wake", "shop/a", "--pods", "2"), 2, "pods: only with for"),
        (("wake", "shop/a", "dark/b", "--at", "08:55"), 1, "dark/b: nothing wakes there, as the settings namespaces and"),
        (("sleep",), 2, "say which: NAMESPACE/REVISION..., or --all"),
        (("sleep", "shop/a", "--all"), 2, "say which: NAMESPACE/REVISION..., or --all"),
    ],
)
def test_what_is_wrong_is_said(run: Run, ledger: Ledger, arguments: tuple[str, ...], code: int, wrong: str) -> None:
    """In one line, with what is allowed; and nothing is begun."""
    output = run(*arguments, code=code, WAKEQUEUE_DENIED_NAMESPACES="dark")
    assert wrong in output
    assert (ledger.starts.planned(), ledger.census().recorded_calls) == ([], 0)


def test_without_redis() -> None:
    """Nothing is said to be planned; the command line says that Redis is away."""
    for arguments in (["wake", "shop/a"], ["sleep", "--all"]):
        with pytest.raises(LedgerUnavailable):
            invoke(f"redis://127.0.0.1:{free_port()}", *arguments)
