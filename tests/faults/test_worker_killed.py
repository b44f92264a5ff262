"""Workers are killed at each step of a delivery: what they had in hand is delivered by another within 5 s.

A Revision kills the first worker in which it comes to the step, and no other. Each wave kills all workers but one, one after
the other, so that nothing but the one Revision is in hand; the last one and those that are started meanwhile deliver.
"""

import signal
import time
from pathlib import Path

from faults.conftest import Trial, mutant
from support.mixer import check
from support.processes import Process
from support.site import Site, hurt
from support.waiting import wait_until

#: With the default settings: a lease runs for 3.5 s, a doorbell is rung again after 1 s.
RECOVERED_WITHIN = 5.0

#: How many workers a wave kills: so many start in the time in which the leases of the last wave run out.
WAVE = 10

#: The kills of one step: the five steps make 200 and 1,000.
KILLS, KILLS_IN_FULL = 40, 200


@mutant("a doorbell that nobody answered is not rung again", "wakequeue/ledger/sweep.lua", "< ring_below then", "< 0 then")
def test_before_take(trial: Trial, tmp_path: Path) -> None:
    """Killed with a doorbell in hand: another rings, and the call is reported once."""
    kill_workers(trial, tmp_path, "before take", reports=1)


@mutant("the leases of the dead do not end", "wakequeue/ledger/sweep.lua", "give_back(name, state, now, 'the lease ran out')", "")
def test_after_take(trial: Trial, tmp_path: Path) -> None:
    """Killed with a lease: it runs out, and the call is reported once."""
    kill_workers(trial, tmp_path, "after take", reports=1)


@mutant(
    "what the dead had taken is forgotten",
    "wakequeue/ledger/prelude.lua",
    "local calls, first_call = number(state.taken), ",
    "local calls, first_call = 0, ",
)
def test_after_send(trial: Trial, tmp_path: Path) -> None:
    """Killed between the frame and its ping: whether it arrived is unknown, so it is sent again; it had arrived."""
    kill_workers(trial, tmp_path, "after send", reports=2)


@mutant(
    "a lease runs ten times as long",
    "wakequeue/ledger/worker.py",
    "milliseconds(settings.lease_for)",
    "milliseconds(settings.lease_for * 10)",
)
def test_after_the_pong(trial: Trial, tmp_path: Path) -> None:
    """Killed between the pong and the settling: the ledger knows of neither, so it is sent again."""
    kill_workers(trial, tmp_path, "before settle", reports=2)


@mutant(
    "settles before it sends",
    "workers/deliver.py",
    "            if frames:\n",
    "            self._settle(planned)\n            if frames:\n",
)
def test_after_settle(trial: Trial, tmp_path: Path) -> None:
    """Killed before the doorbell was acknowledged: the ledger knows, and the doorbell of the dead finds nothing to take."""
    kill_workers(trial, tmp_path, "after settle", reports=1)


def kill_workers(trial: Trial, folder: Path, step: str, reports: int) -> None:
    """Kill workers at a step; each call is to be reported so many times, and is settled in the ledger."""
    marks = folder / "marks"
    # Without repeats, the one report of a Revision is the one that kills.
    site = Site.on(trial.stack, trial.env | {"WAKEQUEUE_WAKING_FOR": "500ms"})
    hook = site.installation.hook()
    env = hurt(trial.env, step, marks)
    living = site.workers(1, **env)
    died_at: dict[str, float] = {}
    recovered_at: dict[str, float] = {}
    kills = trial.times(KILLS, KILLS_IN_FULL)
    while len(died_at) < kills:
        living += site.workers(min(WAVE, kills - len(died_at)), **env)
        await_reports(site, died_at, reports, recovered_at)
        while len(living) > 1:
            name = f"app-{len(died_at)}"
            check(hook.grpc_address, "default", name)
            wait_until((marks / name).exists, what=f"a worker killed by {name}")
            died_at[f"default/{name}"] = time.time()
            living = survivors(living)
    await_reports(site, died_at, reports, recovered_at)
    census = site.settled(kills, within=RECOVERED_WITHIN)
    worst = max(recovered_at[key] - at for key, at in died_at.items())
    row = trial.judge(site.row(f"worker killed {step}", kills, dict.fromkeys(died_at, 1), max(worst, 0.0)))
    assert (row.lost, row.twice) == (0, kills * (reports - 1))
    assert row.worst_recovery < RECOVERED_WITHIN
    assert census.drift_calls == 0


def survivors(workers: list[Process]) -> list[Process]:
    """Those that live, once one has died."""
    wait_until(lambda: any(one.returncode is not None for one in workers), what="the end of a worker")
    assert [one.returncode for one in workers if one.returncode is not None] == [-signal.SIGKILL]
    return [one for one in workers if one.returncode is None]


def await_reports(site: Site, died_at: dict[str, float], reports: int, recovered_at: dict[str, float]) -> None:
    """Note when the last report came of each Revision that killed a worker, once all have come."""

    def all_came() -> bool:
        return all(len(site.stats.of(key)) >= reports for key in died_at)

    wait_until(all_came, RECOVERED_WITHIN, f"{reports} reports of each Revision that killed a worker")
    recovered_at |= {key: site.stats.of(key)[reports - 1].at for key in died_at}
