"""The watchdog, with time as an argument."""

from dataclasses import dataclass

from workers.watchdog import Watchdog


@dataclass
class Clock:
    """A clock that a test moves."""

    now: float = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_a_quiet_worker_is_not_stuck() -> None:
    """However long nothing is due, there is nothing to take."""
    clock = Clock()
    watchdog = Watchdog(15, clock)
    for _ in range(100):
        clock.now += 60
        watchdog.oldest_due(0.5)
        assert not watchdog.stuck


def test_a_worker_that_takes_nothing_is_stuck() -> None:
    """Once wake-ups have been late for `stuck_after` without a task, it is stuck, and no sooner."""
    clock = Clock()
    watchdog = Watchdog(15, clock)
    watchdog.oldest_due(3)
    clock.now += 14.5
    watchdog.oldest_due(17.5)
    assert not watchdog.stuck
    clock.now += 0.5
    assert watchdog.stuck


def test_a_busy_worker_is_not_stuck() -> None:
    """A worker whose tasks come is not stuck, however late it all is; when they stop coming, it is."""
    clock = Clock()
    watchdog = Watchdog(15, clock)
    for _ in range(20):
        watchdog.oldest_due(600)
        watchdog.delivering()
        clock.now += 14
        assert not watchdog.stuck
    clock.now += 1
    assert watchdog.stuck


def test_an_absent_redis_is_no_reason() -> None:
    """Where nothing is known of what is due, the worker is not to blame."""
    clock = Clock()
    watchdog = Watchdog(15, clock)
    watchdog.oldest_due(30)
    clock.now += 20
    assert watchdog.stuck
    watchdog.oldest_due(0)
    assert not watchdog.stuck
