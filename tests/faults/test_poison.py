"""A wake-up that ends every worker that encodes it: it is buried after three, and none of those beside it is."""

import signal
from pathlib import Path

from faults.conftest import Trial, mutant
from support.mixer import check_all, request
from support.site import Site, hurt
from support.waiting import wait_until

from wakequeue.ledger import DeadLetter, DeadLetters

#: A lease runs for 3.5 s, with the default settings, and a worker starts within a second or two; more, on a busy machine.
NEXT_WITHIN = 30.0


@mutant("suspects are taken as any other", "wakequeue/ledger/take.lua", "if crashes > 0 and not trial then", "if false then")
def test_poison(trial: Trial, tmp_path: Path) -> None:
    """Called together with 300 others, it costs three workers: then it is a dead letter, and the others are reported."""
    site = Site.on(trial.stack, trial.env)
    hook, letters = site.installation.hook(), DeadLetters(site.redis.client)
    others: dict[str, int] = {}
    times, worst = trial.times(1, 20), 0.0
    for number in range(times):
        names = [f"poison-{number}", *(f"app-{number}-{other}" for other in range(300))]
        others |= {f"default/{name}": 1 for name in names[1:]}
        check_all(hook.grpc_address, [request(b"default", name.encode()) for name in names])
        buried = sacrifice(site, letters, hurt(trial.env, "encode", tmp_path / "marks"))
        assert [letter.revision.name for letter in buried] == [f"poison-{number}"]
        worst = max(worst, site.reported(others, within=10))
        letters.purge([letter.id for letter in buried])
    row = trial.judge(site.row("a wake-up that ends its worker", times, others, worst))
    assert row.lost == 0
    assert site.census().drift_calls == 0


def sacrifice(site: Site, letters: DeadLetters, env: dict[str, str]) -> list[DeadLetter]:
    """Start a worker whenever one has died, until something is buried: by the fourth, when three have died."""
    for _ in range(3):
        assert site.start_worker(**env).wait(NEXT_WITHIN) == -signal.SIGKILL
        assert not list(letters.find(lambda _: True))
    site.workers(1, **env)
    return wait_until(lambda: list(letters.find(lambda _: True)), NEXT_WITHIN, "a dead letter")
