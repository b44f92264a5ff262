"""A front is sent a hundred thousand messages that are none: it takes them for nothing, and good calls go on as ever."""

import os
import time
from contextlib import ExitStack
from statistics import median

import grpc
import psutil
import pytest
from faults.conftest import Trial, mutant
from support.fault import Row
from support.fuzz import Fuzz
from support.http2 import calls, leave_open, throw, wait_read
from support.mixer import Answer, request, try_all
from support.reckoning import census, told_after
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.waiting import wait_until

#: What one round sends: messages in calls that are well made, calls that are not, connections that are not, and good calls.
BODIES, CALLS, CONNECTIONS, HALF_OPEN, GOOD = 600, 350, 40, 10, 10
A_ROUND = BODIES + CALLS + CONNECTIONS + HALF_OPEN

#: The calls that share a connection, so that it carries no more than the server grants unasked.
A_CONNECTION = 5

#: A call whose path isn't UTF-8.
NO_TEXT = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":path", b"/\xff"),
    (b":authority", b"front"),
    (b"content-type", b"application/grpc"),
    (b"te", b"trailers"),
)

#: The seed to try again.
SEED = int(os.environ.get("FUZZ_SEED", "20"))


@pytest.mark.timeout(900)  # half a million, with --full, take minutes
@mutant("a message that can't be read is a defect", "gateway_hook/hook.py", "except DecodeError:", "except KeyError:")
def test_bad_input(trial: Trial, redis_server: RedisServer, stat_server: StatServer) -> None:
    """No bad input ends the front, wakes a Revision or stays in memory; each good call is answered OK and reported once."""
    installation = trial.installation(redis_server.url, stat_server.url)
    hook, _ = installation.hook(), installation.worker()
    process, sizes = psutil.Process(hook.process.pid), []
    fuzz, rounds = Fuzz(SEED), trial.times(100, 500)
    for number in range(rounds):
        _round(hook.grpc_address, fuzz, number)
        sizes.append(process.memory_info().rss)
        assert hook.process.returncode is None, f"seed {SEED}, round {number}: {hook.process.output[-2_000:]}"
    good = {f"default/good-{number}": GOOD for number in range(rounds)}
    recovery = told_after(stat_server, good, time.monotonic(), within=10)
    row = trial.judge(
        Row.of("bad input", rounds * A_ROUND, recorded=good, reported=stat_server.requests(), worst_recovery=recovery)
    )
    assert (row.lost, row.twice) == (0, 0), row
    counted = census(redis_server)
    assert (counted.recorded_calls, counted.drift_calls) == (sum(good.values()), 0), f"seed {SEED}: bad input was recorded"
    assert set(stat_server.requests()) == set(good), f"seed {SEED}: bad input woke a Revision"
    assert hook.metric("wakequeue_calls_total", outcome="failed") == 0, f"seed {SEED}: {hook.process.output[-2_000:]}"
    grown = median(sizes[-rounds // 4 :]) / median(sizes[rounds // 10 : rounds // 2])
    assert grown < 1.1, f"seed {SEED}: {grown:.0%} of what it was when warm"


@mutant(
    "a server that has ended is not replaced",
    "gateway_hook/port.py",
    "            await self.open(LET_GO_WITHIN)\n",
    "            await told.wait()\n",
)
def test_a_path_that_is_no_text(trial: Trial, redis_server: RedisServer, stat_server: StatServer) -> None:
    """A path that isn't UTF-8 ends gRPC's server, and within seconds calls are answered again, each reported once.

    A call that reaches the ended server may get no answer: its caller gives up, and calls again, for another Revision.
    """
    installation = trial.installation(redis_server.url, stat_server.url)
    hook, _ = installation.hook(), installation.worker()
    times, worst = trial.times(20, 500), 0.0
    called: list[str] = []
    good: dict[str, int] = {}
    for _ in range(times):
        began = time.monotonic()
        with leave_open(hook.grpc_address, calls([(NO_TEXT, b"")])) as connection:
            wait_read(connection)
        wait_until(lambda: _is_answered(hook.grpc_address, called), 5, "an answer")
        worst = max(worst, time.monotonic() - began)
        good[f"default/{called[-1]}"] = 1
    told_after(stat_server, good, time.monotonic(), within=10)
    reported = {key: calls for key, calls in stat_server.requests().items() if key in good}
    row = trial.judge(Row.of("path not UTF-8", times, recorded=good, reported=reported, worst_recovery=worst))
    wait_until(lambda: hook.process.output.count("server_ended") >= times, what="what the front says of it")
    assert hook.process.output.count("server_ended") == times, hook.process.output[-2_000:]
    assert (row.lost, row.twice) == (0, 0), row
    assert times <= census(redis_server).recorded_calls <= len(called)
    assert census(redis_server).drift_calls == 0


def _is_answered(address: str, called: list[str]) -> bool:
    """Call a Revision that was not called before; says whether that was answered."""
    called.append(f"good-{len(called)}")
    return _lets_pass(try_all(address, [request(b"default", called[-1].encode())], timeout=0.5)[0])


def _round(address: str, fuzz: Fuzz, number: int) -> None:
    """Send bad input of every kind, and good calls in its midst."""
    good = request(b"default", b"good-%d" % number)
    bodies = [fuzz.body() for _ in range(BODIES)]
    requests = [part for place in range(GOOD) for part in (*bodies[place::GOOD], good)]
    with ExitStack() as stack:
        for _ in range(HALF_OPEN):
            stack.enter_context(leave_open(address, fuzz.connection()))
        calling = [
            stack.enter_context(leave_open(address, calls(fuzz.call() for _ in range(A_CONNECTION))))
            for _ in range(CALLS // A_CONNECTION)
        ]
        for _ in range(CONNECTIONS):
            throw(address, fuzz.connection())
        answers = try_all(address, requests)
        for connection in calling:
            wait_read(connection)
    # A round may last so long that the Revision of the good calls is awake.
    passed = [_lets_pass(answer, may_be_kept=body == good) for body, answer in zip(requests, answers, strict=True)]
    wrong = {body.hex(): answer for body, answer, well in zip(requests, answers, passed, strict=True) if not well}
    assert not wrong, f"{wrong}"


def _lets_pass(answer: Answer | grpc.StatusCode, *, may_be_kept: bool = False) -> bool:
    """Whether the user's request goes on, and the answer isn't kept, unless it may be."""
    return isinstance(answer, Answer) and answer.code == 0 and answer.size > 0 and (may_be_kept or answer.uses == 0)
