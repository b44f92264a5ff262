"""One namespace is called far beyond its rate limit: the wake-ups of another are reported as promptly as before."""

import statistics
import sys
import time
from pathlib import Path

from faults.conftest import Trial, mutant
from support.fault import Row
from support.mixer import check
from support.processes import Process
from support.site import Site
from support.waiting import wait_until

TESTS = Path(__file__).parents[1]

#: Of the noisy namespace 300 Revisions a second are called, each to be reported four times; it may make 100 reports a second.
NOISE_EVERY = 1 / 300
LIMITS = {
    "WAKEQUEUE_RATE_LIMIT": "200",
    "WAKEQUEUE_RATE_BURST": "200",
    "WAKEQUEUE_NAMESPACE_RATE_LIMIT": "100",
    "WAKEQUEUE_NAMESPACE_RATE_BURST": "100",
}

#: Of the quiet one 20 a second are called, which makes 80 reports.
QUIET_EVERY = 1 / 20

#: The quiet namespace's p99 at most doubles. What a busy machine costs besides is less than this, in seconds; what a shared limit
#: would cost is more than the 5 s for which a report is waited for.
ANYHOW = 3.0


@mutant(
    "a namespace has no limit of its own",
    "wakequeue/ledger/take.lua",
    "  if passed < 1 then\n",
    "  if false then\n",
)
def test_a_noisy_namespace(trial: Trial) -> None:
    """The quiet one's p99, from the call to the stat, at most doubles; the noisy one is reported at its own rate."""
    site = Site.on(trial.stack, trial.env | LIMITS)
    hook, _ = site.installation.hook(), site.workers(1)
    times = trial.times(100, 1_000)
    called: dict[str, int] = {}
    alone = quiet_calls(site, hook.grpc_address, "before", times, called)
    command = [sys.executable, "-m", "support.calls", hook.grpc_address, f"{NOISE_EVERY}", "noisy"]
    with Process(command, {"PYTHONPATH": str(TESTS)}) as noise:
        wait_until(lambda: site.census().pending > 500, 30, "the noisy namespace to be beyond its limit")
        beside = quiet_calls(site, hook.grpc_address, "beside", times, called)
        noise.kill()
    reported = {key: calls for key, calls in site.stats.requests().items() if key.startswith("quiet/")}
    fault = "a noisy namespace beside a quiet one"
    row = trial.judge(Row.of(fault, times, recorded=called, reported=reported, worst_recovery=max(beside)))
    assert p99(beside) < max(2 * p99(alone), ANYHOW), (p99(alone), p99(beside))
    assert row.lost == 0


def quiet_calls(site: Site, address: str, name: str, times: int, called: dict[str, int]) -> list[float]:
    """Call fresh Revisions one after the other, within the namespace's limit; how many seconds each took to be reported."""
    seconds, began = [], time.monotonic()
    for number in range(times):
        time.sleep(max(0.0, began + number * QUIET_EVERY - time.monotonic()))
        called_at = time.time()
        check(address, "quiet", f"{name}-{number}")
        (first, *_) = site.stats.wait_for(f"quiet/{name}-{number}", within=5)
        seconds.append(first.at - called_at)
        called[f"quiet/{name}-{number}"] = 1
    return seconds


def p99(seconds: list[float]) -> float:
    """Between the two worst of a hundred."""
    return statistics.quantiles(seconds, n=100, method="inclusive")[98]
