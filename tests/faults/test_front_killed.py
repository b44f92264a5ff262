"""Fronts are killed between the record and the doorbell: whoever was answered is reported within 5 s."""

import time
from pathlib import Path

from faults.conftest import Trial, mutant
from support.mixer import check_all, request
from support.site import Site, hurt
from support.waiting import wait_until

#: With the default settings a doorbell that nobody answered is rung again after 1 s.
RECOVERED_WITHIN = 5.0

#: How many Revisions are called at once.
CALLS = 20


@mutant(
    "who records is trusted to ring",
    "wakequeue/ledger/record.lua",
    "pend_called(name, state, due_at, ring and now + ring_again or due_at)",
    "pend_called(name, state, due_at, ring and now + 3600000 or due_at)",
)
def test_between_record_and_doorbell(trial: Trial, tmp_path: Path) -> None:
    """A front that answered calls and died before it rang: the sweep rings, and each call is reported once."""
    marks = tmp_path / "marks"
    # Whoever is answered is recorded, however long that takes.
    site = Site.on(trial.stack, trial.env | {"WAKEQUEUE_ANSWER_WITHIN": "10s"})
    site.workers(1)
    times = trial.times(6, 60)
    answered_at: dict[str, float] = {}
    for number in range(times):
        hook = site.installation.hook(**hurt(trial.env, "ring", marks))
        names = [f"app-{number}-{one}" for one in range(CALLS)]
        check_all(hook.grpc_address, [request(b"default", name.encode()) for name in names])
        answered_at |= dict.fromkeys((f"default/{name}" for name in names), time.time())
        hook.process.kill()
    calls = dict.fromkeys(answered_at, 1)
    wait_until(lambda: site.stats.requests() == calls, RECOVERED_WITHIN, "every answered call reported")
    worst = max(site.stats.of(key)[0].at - at for key, at in answered_at.items())
    row = trial.judge(site.row("front killed before the doorbell", times, calls, worst))
    assert (row.lost, row.twice) == (0, 0)
    assert row.worst_recovery < RECOVERED_WITHIN
    assert site.settled(row.recorded, within=RECOVERED_WITHIN).drift_calls == 0
