"""Two beats and a worker, hurt in any order: what is made of the starts, whatever dies, is lost or is away. No clock runs."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from support.starts import FakeStarts

from wakequeue.cluster.knowledge import Unknown
from wakequeue.errors import LedgerUnavailable
from wakequeue.schedule import Schedule
from wakequeue.setting_schedules import Schedules
from wakequeue.settings import Settings
from workers.beat import Beat
from workers.scheduled import Scheduled

SETTINGS: Final = Settings(
    schedules=Schedules(
        {
            "often": Schedule("often", ("shop/a-1",), every=60.0),
            "seldom": Schedule("seldom", ("shop/a-1", "shop/b-1"), every=900.0),
        }
    )
)

#: How long after a task was published a worker has done it.
DONE_AFTER: Final = 0.05

#: How long everything has to be well for a start that is due to be made: a dead beat is replaced within 3.5 s, and a task that was
#: lost is sent again after 5 s.
WELL_SECONDS: Final = 10.0

Fault = tuple[str, float]

FAULTS: Final = st.one_of(
    st.tuples(st.sampled_from(["run"]), st.floats(0.1, 200)),
    st.tuples(st.sampled_from(["stop", "away", "no worker"]), st.floats(0.1, 900)),
    st.tuples(st.sampled_from(["lose", "twice"]), st.integers(1, 3).map(float)),
    st.tuples(st.sampled_from(["kill"]), st.floats(0, 2)),
)


@dataclass
class World:
    """Two beats, one worker, and the queue between them."""

    ledger: FakeStarts = field(default_factory=lambda: FakeStarts(now=1_000_000_000.0))
    queue: list[tuple[float, str, float]] = field(default_factory=list)
    beats: dict[str, Beat] = field(default_factory=dict)
    ticks: dict[str, float] = field(default_factory=dict)
    worker_runs: bool = True
    to_lose: int = 0
    to_double: int = 0
    #: When something was not as it should be: from a time to a time.
    hurt: list[tuple[float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.worker = Scheduled(self.ledger, len, Unknown(), SETTINGS)
        self.began = self.ledger.now
        self.add_beat(0.0)
        self.add_beat(0.3)

    def clock(self) -> float:
        """The time of everything."""
        return self.ledger.now

    def add_beat(self, after: float) -> None:
        """One more beat."""
        name = f"beat {self.ledger.now:.3f} {after:.3f}"
        self.beats[name] = Beat(name, self.ledger, self.send, SETTINGS, self.clock)
        self.ticks[name] = self.ledger.now + after

    def send(self, name: str, at: datetime) -> None:
        """Publish a start: one that the ledger doesn't have, and not before it is due."""
        assert self.ledger.last(name) < at.timestamp() <= self.ledger.now
        self.queue.append((self.ledger.now + DONE_AFTER, name, at.timestamp()))
        self.ledger.queued = len(self.queue)

    def do(self, fault: Fault) -> None:
        """Have this happen."""
        kind, amount = fault
        if kind == "run":
            self.run(amount)
            return
        began = self.ledger.now
        if kind == "stop":
            self.ledger.now += amount
        elif kind == "away":
            self.ledger.away = True
            self.run(amount)
            self.ledger.away = False
        elif kind == "no worker":
            self.worker_runs = False
            self.run(amount)
            self.worker_runs = True
        elif kind == "lose":
            self.to_lose = int(amount)
        elif kind == "twice":
            self.to_double = int(amount)
        elif self.ledger.leader in self.beats:
            del self.beats[self.ledger.leader], self.ticks[self.ledger.leader]
            self.add_beat(amount)
        self.hurt.append((began, self.ledger.now))

    def run(self, seconds: float) -> None:
        """Go on for so long."""
        end = self.ledger.now + seconds
        while True:
            name = min(self.ticks, key=self.ticks.__getitem__)
            task = self.queue[0][0] if self.queue and self.worker_runs else end
            if min(self.ticks[name], task) >= end:
                break
            self.ledger.now = max(self.ledger.now, min(self.ticks[name], task))
            if task < self.ticks[name]:
                self.work(*self.queue.pop(0)[1:])
                self.ledger.queued = len(self.queue)
            else:
                self.ticks[name] = self.ledger.now + self.beats[name].tick()
        self.ledger.now = end

    def work(self, name: str, at: float) -> None:
        """Do a task, or lose it: as it also is where the ledger is away."""
        if self.to_lose:
            self.to_lose -= 1
            self.hurt.append((self.ledger.now, self.ledger.now))
            return
        for _ in range(2 if self.to_double else 1):
            try:
                self.worker.start(name, at)
            except LedgerUnavailable:
                self.hurt.append((self.ledger.now, self.ledger.now))
        self.to_double = max(0, self.to_double - 1)

    def well(self, since: float, until: float) -> bool:
        """Whether nothing was hurt in between."""
        return not any(began <= until and ended >= since for began, ended in self.hurt)

    def must_be_made(self, at: float, every: float) -> bool:
        """Whether all was well long enough once a start was due, before the next one was, and before it was too late."""
        until = min(at + every, at + SETTINGS.make_up_within, self.ledger.now)
        after = [at, *(ended + 1e-6 for _, ended in self.hurt if ended >= at)]
        return any(self.well(one, one + WELL_SECONDS) for one in after if one + WELL_SECONDS < until)


@settings(max_examples=60, deadline=None)
@given(st.lists(FAULTS, max_size=12))
def test_starts_are_made_once_and_in_time(faults: list[Fault]) -> None:
    """Each start is made once, in their order, and not after `make_up_within`; none is missed that there was time to make.

    One that falls into a quiet time is made on the spot.
    """
    world = World()
    world.run(1)
    for fault in faults:
        world.do(fault)
    world.run(2 * WELL_SECONDS)
    for name, schedule in SETTINGS.schedules.items():
        made = {one.at: one.made_at for one in world.ledger.made if one.schedule == name}
        assert list(made) == sorted(made)
        assert len(made) == sum(one.schedule == name for one in world.ledger.made)
        assert all(0 <= made_at - at <= SETTINGS.make_up_within and at % schedule.every == 0 for at, made_at in made.items())
        for at in range(int(world.began // schedule.every + 1) * int(schedule.every), int(world.clock()), int(schedule.every)):
            if world.must_be_made(at, schedule.every):
                assert at in made, f"{name}: the start at {at} was not made: {faults}"
            if world.well(at - WELL_SECONDS, at + 1) and at + 1 < world.clock():
                assert made[at] - at < 2 * DONE_AFTER
