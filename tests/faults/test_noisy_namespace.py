"""One namespace is called far beyond its rate limit: the wake-ups of another are reported as promptly as before."""

import statistics
import sys
import time
from pathlib import Path

from faults.conftest import Trial, mutant
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

#: The quiet namespace's p99 at most doubles. What two busy cores cost besides is less than this, in seconds; what a shared limit
#: would cost is many times as much.
ANYHOW = 0.1


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
    times = trial.times(150, 1_000)
    called: dict[str, int] = {}
    alone = quiet_calls(site, hook.grpc_address, "before", times, called)
    command = [sys.executable, "-m", "support.calls", hook.grpc_address, f"{NOISE_EVERY}", "noisy"]
    with Process(command, {"PYTHONPATH": str(TESTS)}) as noise:
        wait_until(lambda: site.census().pending > 500, 30, "the noisy namespace to be beyond its limit")
        beside = quiet_calls(site, hook.grpc_address, "beside", times, called)
        noise.kill()
    row = trial.judge(site.row("a noisy namespace beside a quiet one", times, called, max(beside)))
    assert p99(beside) < max(2 * p99(alone), ANYHOW), (p99(alone), p99(beside))
    assert row.lost == 0


def quiet_calls(site: Site, address: str, name: str, times: int, called: dict[str, int]) -> list[float]:
    """Call fresh Revisions one after the other; how many seconds each took to be reported."""
    seconds = []
    for number in range(times):
        called_at = time.time()
        check(address, "quiet", f"{name}-{number}")
        (first, *_) = site.stats.wait_for(f"quiet/{name}-{number}", within=5)
        seconds.append(first.at - called_at)
        called[f"quiet/{name}-{number}"] = 1
    return seconds


def p99(seconds: list[float]) -> float:
    """The second worst of 150."""
    return statistics.quantiles(seconds, n=100, method="inclusive")[98]
