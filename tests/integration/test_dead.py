"""`wakequeue dead` and `wakequeue history`, on a real Redis, as an operator would use them."""

import json
import os
import pty
import signal
import subprocess
from collections.abc import Iterator

import pytest
from support.installation import Installation
from support.ledger import A, B, C, Ledger, ended, entry, only
from support.processes import BIN, Process, clean_environment
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.waiting import wait_until

from wakequeue.ledger import History
from wakequeue.revision import Revision

WAKEQUEUE = str(BIN / "wakequeue")


@pytest.fixture
def operator(shared_redis: RedisServer, stat_server: StatServer) -> Iterator[Installation]:
    """Commands on the ledger's Redis."""
    with Installation(shared_redis.url, stat_server.url) as started:
        yield started


def run(operator: Installation, *arguments: str, code: int = 0) -> list[str]:
    """A command to its end; its lines."""
    process = operator.start([WAKEQUEUE, *arguments])
    assert process.wait() == code, process.output
    return process.lines


def bury(ledger: Ledger, revision: Revision, reason: str = "expired", calls: int = 2) -> str:
    """Record, fail once, and bury; returns the letter's id."""
    ledger.record(entry(revision, calls))
    ledger.release(ledger.take(revision), [0.0])
    lease = only(ledger.take(revision))
    ledger.bury([lease], reason)
    return f"{revision}@{lease.token}"


OTHER = Revision("other", "a")


def test_list_and_show(operator: Installation, ledger: Ledger) -> None:
    """The list names every letter, the oldest first, or those of a reason or a namespace; show says all of one."""
    ids = [bury(ledger, A), bury(ledger, B, "unencodable"), bury(ledger, OTHER)]
    assert [line.split()[0] for line in run(operator, "dead", "list")] == ids
    assert [line.split()[0] for line in run(operator, "dead", "list", "--reason", "unencodable")] == [ids[1]]
    (other,) = run(operator, "dead", "list", "--namespace", "other", "--json")
    assert json.loads(other)["id"] == ids[2]
    shown = "\n".join(run(operator, "dead", "show", ids[0]))
    for part in ("shop/a: expired", "mixer 10.0.0.7 (2)", "no pong in time"):
        assert part in shown
    (letter,) = run(operator, "dead", "show", ids[0], "--json")
    assert json.loads(letter).items() >= {"revision": "shop/a", "calls": 2, "attempts": 2, "callers": {"mixer 10.0.0.7": 2}}.items()
    assert f"wake-up   {json.loads(letter)['wakeup']}" in shown


def test_an_unwoken_waking_is_shown(operator: Installation, ledger: Ledger) -> None:
    """The list has it by its reason, and show says what Knative says."""
    bury(ledger, B)
    ledger.record(entry(A, 2))
    lease = only(ledger.take(A))
    ledger.worker.settle([ended(lease, "unwoken")])
    (line,) = run(operator, "dead", "list", "--reason", "unwoken")
    assert line.startswith("shop/a@unwoken unwoken 0 ")
    shown = run(operator, "dead", "show", "shop/a@unwoken")
    assert shown[0].startswith("shop/a: unwoken, buried ")
    assert shown[-1].endswith(" no image")


def test_replay_some(operator: Installation, ledger: Ledger) -> None:
    """One by its id, some by a filter, all: each is pending again, and doing it again does nothing."""
    ids = [bury(ledger, revision) for revision in (A, B, C, OTHER)]
    assert run(operator, "dead", "replay", ids[0]) == ["1 dead letter replayed"]
    assert run(operator, "dead", "replay", ids[0]) == ["0 dead letters replayed; 1 not there: replayed or dropped before, or never"]
    assert run(operator, "dead", "replay", "--namespace", "other") == ["1 dead letter replayed"]
    assert run(operator, "dead", "replay", "--all") == ["2 dead letters replayed"]
    assert run(operator, "dead", "replay", "--all") == ["0 dead letters replayed"]
    assert sorted(lease.revision for lease in ledger.take(A, B, C, OTHER)) == [OTHER, A, B, C]
    assert ledger.census().drift_calls == 0


def test_a_replay_reaches_the_autoscaler(operator: Installation, ledger: Ledger, stat_server: StatServer) -> None:
    """A replayed wake-up wakes one pod: its calls are requests, and nobody waits."""
    letter = bury(ledger, A, calls=500)
    operator.worker()
    run(operator, "dead", "replay", letter)
    report, *_ = stat_server.wait_for("shop/a")
    assert (report.stat.requests, report.stat.concurrency) == (500, 0.001)


def test_a_replay_is_paced_and_can_be_interrupted(operator: Installation, ledger: Ledger) -> None:
    """Ctrl-C leaves the rest as they are, and says how many were done; the same command goes on with the rest."""
    for number in range(60):
        bury(ledger, Revision("shop", f"r{number}"))
    process = operator.start([WAKEQUEUE, "dead", "replay", "--all", "--rate", "10"])
    wait_until(lambda: ledger.census().buried < 55, what="some to be replayed")
    process.send_signal(signal.SIGINT)
    assert process.wait() == 130
    left = ledger.census().buried
    assert 0 < left < 60
    assert process.lines == [f"interrupted: {60 - left} of 60 dead letters replayed; the same command goes on with the rest"]
    assert run(operator, "dead", "replay", "--all") == [f"{left} dead letters replayed"]
    assert (ledger.census().pending, ledger.census().drift_calls) == (60, 0)


def test_a_selection_is_needed(operator: Installation, ledger: Ledger) -> None:
    """Without ids, filter or --all, or with two of them, nothing is done; exit code 2."""
    letter = bury(ledger, A)
    for arguments in ([], [letter, "--all"], ["--all", "--reason", "expired"]):
        assert "say which dead letters" in run(operator, "dead", "replay", *arguments, code=2)[-1]
    assert "no dead letter shop/a@0" in run(operator, "dead", "show", "shop/a@0", code=1)[-1]
    assert ledger.census().buried == 1


def test_purge_asks_first(operator: Installation, ledger: Ledger) -> None:
    """Without an answer nothing is dropped; with one, or --yes, the letters are, and their calls are discarded."""
    bury(ledger, A)
    assert "Drop 1 dead letter for good?" in run(operator, "dead", "purge", "--all", code=1)[0]
    assert ledger.census().buried == 1
    assert run(operator, "dead", "purge", "--all", "--yes") == ["1 dead letter purged"]
    bury(ledger, B)
    bury(ledger, C)
    env = clean_environment() | {"WAKEQUEUE_REDIS_URL": operator.redis_url}
    answered = subprocess.run(
        [WAKEQUEUE, "dead", "purge", "--reason", "expired"], env=env, input="y\n", text=True, capture_output=True, check=True
    )
    assert answered.stdout.endswith("2 dead letters purged\n")
    counted = ledger.census()
    assert (counted.buried, counted.discarded_calls, counted.drift_calls) == (0, 6, 0)


def test_a_terminal_shows_tables_and_progress(operator: Installation, ledger: Ledger) -> None:
    """On a terminal the list is a table, and a replay has a progress bar."""
    for number in range(10):
        bury(ledger, Revision("shop", f"r{number}"))
    env = clean_environment() | {"WAKEQUEUE_REDIS_URL": operator.redis_url, "TERM": "xterm", "COLUMNS": "140"}

    def shown(*arguments: str) -> str:
        ours, theirs = pty.openpty()
        with subprocess.Popen([WAKEQUEUE, *arguments], env=env, stdin=theirs, stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            text = b""
            try:
                while part := os.read(ours, 65536):
                    text += part
            except OSError:  # the other side has closed
                pass
            os.close(ours)
        assert process.returncode == 0, text
        return text.decode()

    assert "last cause" in shown("dead", "list")
    replayed = shown("dead", "replay", "--all")
    assert "10/10" in replayed
    assert "10 dead letters replayed" in replayed


def test_history(operator: Installation, ledger: Ledger) -> None:
    """The newest entries, for a person and as JSON, of all Revisions or one."""
    bury(ledger, A)
    ledger.record(entry(B))
    ledger.settle(only(ledger.take(B)), repeat_in=0.0)
    ledger.release(ledger.take(B), [0.0])
    ledger.settle(only(ledger.take(B)))
    buried, reported, repeat = run(operator, "history")
    assert "shop/a buried, expired; 2 calls from mixer 10.0.0.7 (2)" in buried
    assert "attempt 2, after no pong in time" in buried
    assert "shop/b reported, asleep: concurrency 1; 1 call from mixer 10.0.0.7 (1)" in reported
    assert repeat.endswith("; a repeat; attempt 2, after no pong in time")
    (only_a,) = run(operator, "history", "shop/a", "--json")
    assert json.loads(only_a)["reason"] == "expired"
    assert len(run(operator, "history", "--count", "2")) == 2
    wakeup = json.loads(only_a)["wakeup"]
    assert f" {wakeup[:8]} shop/a " in buried
    assert run(operator, "history", "--wakeup", wakeup[:6].upper()) == run(operator, "history", "--wakeup", wakeup) == [buried]
    assert "'abc' is no id of a wake-up" in run(operator, "history", "--wakeup", "abc", code=2)[-1]


def test_history_says_how_wakings_ended(operator: Installation, ledger: Ledger) -> None:
    """How long after its first call it was ready, or was given up and why; as JSON too."""
    for revision, outcome in ((A, "woken"), (B, "unwoken")):
        ledger.record(entry(revision))
        ledger.worker.settle([ended(only(ledger.take(revision)), outcome, after=1.842)])
    woken, _, unwoken, _ = run(operator, "history")
    assert woken.endswith(" shop/a woken, 1.842 s after its first call")
    assert unwoken.endswith(" shop/b unwoken, 1.842 s after its first call: no image")
    in_json = json.loads(run(operator, "history", "shop/b", "--json")[0])
    assert in_json.items() >= {"outcome": "unwoken", "reason": "no image", "waking_seconds": 1.842, "calls": 0}.items()


def test_history_is_followed(operator: Installation, ledger: Ledger) -> None:
    """With --follow entries are printed as they come, until Ctrl-C, which is no error."""
    bury(ledger, A)
    following: Process = operator.start([WAKEQUEUE, "history", "--follow", "--count", "1"])
    following.wait_for_line("shop/a")
    bury(ledger, B)
    following.wait_for_line("shop/b")
    following.send_signal(signal.SIGINT)
    assert following.wait() == 0
    assert len(History(ledger.client).newest(10)) == len(following.lines) == 2
