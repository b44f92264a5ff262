"""The beat, with time as an argument: what it sends, when, and that it goes on whatever happens."""

import logging
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from celery.beat import Service
from kombu.exceptions import OperationalError
from support.starts import FakeStarts, name_of

from wakequeue.broker import make_app
from wakequeue.reach import Reach
from wakequeue.schedule import Schedule
from wakequeue.setting_schedules import Schedules, Zone
from wakequeue.settings import Settings
from wakequeue.telemetry import BEAT
from workers.beat import LEAD_SECONDS, Beat
from workers.beating import LedgerScheduler

#: A minute's beginning.
NOON = datetime.fromisoformat("2026-11-30T12:00:00+00:00").timestamp()


def minutely(name: str = "office", minutes: int = 1) -> dict[str, Schedule]:
    """A schedule that starts every so many minutes."""
    return {name: Schedule(name, ("shop/cart-00001",), every=60.0 * minutes)}


@dataclass
class Site:
    """A ledger at noon, and what beats sent to its workers."""

    schedules: dict[str, Schedule] = field(default_factory=minutely)
    ledger: FakeStarts = field(default_factory=lambda: FakeStarts(now=NOON))
    sent: list[tuple[str, float]] = field(default_factory=list)
    #: The times of those, as they are shown.
    shown: list[str] = field(default_factory=list)
    fails_with: Exception | None = None

    def beat(self, name: str = "one", **settings: object) -> Beat:
        """A beat with these settings."""
        told: Any = {"schedules": Schedules(self.schedules)} | settings
        return Beat(name, self.ledger, self.send, Settings(**told), self.clock)

    def send(self, name: str, at: datetime) -> None:
        """What publishes a start."""
        if self.fails_with:
            raise self.fails_with
        self.sent.append((name_of(name), at.timestamp()))
        self.shown.append(str(at))

    def clock(self) -> float:
        """The seconds that pass."""
        return self.ledger.now

    def at(self, second: float, beat: Beat) -> list[float]:
        """Which starts the beat sends in a tick so many seconds after noon, in seconds after noon."""
        self.ledger.now = NOON + second
        before = len(self.sent)
        beat.tick()
        return [at - NOON for _, at in self.sent[before:]]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What wakequeue logs."""
    caplog.set_level(logging.INFO, logger="wakequeue")
    return caplog


def test_a_schedule_that_is_new_has_nothing_to_be_made_up() -> None:
    """What was due before the ledger heard of a schedule isn't sent; its next start is, when it is due, and no sooner."""
    site = Site()
    beat = site.beat()
    assert [site.at(second, beat) for second in (0, 30, 59.999, 60)] == [[], [], [], [60]]


def test_a_start_is_sent_again_until_the_ledger_has_it(log: pytest.LogCaptureFixture) -> None:
    """A task that was lost is sent again after 5 s, and that is said; one whose start is recorded never."""
    site = Site()
    beat = site.beat()
    site.at(0, beat)
    assert [site.at(second, beat) for second in (60, 60.5, 64.9, 65, 69.9, 70)] == [[60], [], [], [60], [], [60]]
    assert [line for line in log.messages if line.startswith("sent_again")] == ["sent_again schedule=office late=5.0"]
    site.ledger.has("office", NOON + 60)
    assert [site.at(second, beat) for second in (75, 119.9, 120)] == [[], [], [120]]


def test_the_newest_start_alone_is_made_up() -> None:
    """Of those that were missed while nothing ran, the newest is sent, however old: what becomes of it is the ledger's to say."""
    site = Site(minutely(minutes=60))
    site.ledger.has("office", NOON - 3 * 3600)
    assert site.at(1800, site.beat()) == [0]


def test_a_newer_start_is_sent_though_an_older_one_is_not_recorded() -> None:
    """It takes the older one's place."""
    site = Site()
    beat = site.beat()
    site.at(0, beat)
    assert [site.at(second, beat) for second in (118, 120, 123)] == [[60], [120], []]


def test_one_beat_leads() -> None:
    """Of two, one sends; where it dies, the other does once its lead is over; where it stops, at once."""
    site = Site()
    one, two, three = site.beat("one"), site.beat("two"), site.beat("three")
    site.at(59, two)
    assert (site.at(60, one), site.at(60, two)) == ([], [60])
    site.ledger.has("office", NOON + 60)
    site.at(119, two)
    assert [site.at(second, one) for second in (120, 119 + LEAD_SECONDS - 0.1, 119 + LEAD_SECONDS)] == [[], [], [120]]
    one.stand_down()
    assert site.at(124, three) == [120]
    one.stand_down()
    assert site.ledger.leader == "three"


def test_each_schedule_by_itself() -> None:
    """Schedules that are due together are sent together, each with its time as its zone shows it, or that of all."""
    cron = Schedule("nightly", ("shop/*",), cron="0 13 * * *", zone=Zone("Europe/Berlin").info)
    site = Site(minutely() | {"nightly": cron})
    beat = site.beat(zone=Zone("Asia/Kolkata"))
    site.at(-1, beat)
    assert site.at(0, beat) == [0, 0]
    assert dict(zip([name for name, _ in site.sent], site.shown, strict=True)) == {
        "office": "2026-11-30 17:30:00+05:30",
        "nightly": "2026-11-30 13:00:00+01:00",
    }


def test_it_sleeps_no_longer_than_until_the_next_start() -> None:
    """A tick says when the next one is to be: in a quarter of a second, or when the next start is, whichever beat leads."""
    site = Site()
    one, two = site.beat("one"), site.beat("two")
    for second, wait in ((0, 0.25), (59.5, 0.25), (59.875, 0.125), (60, 0.25)):
        site.ledger.now = NOON + second
        assert (one.tick(), two.tick()) == (wait, wait)


def test_what_a_tick_takes_is_no_sleep() -> None:
    """The time that a tick took is not slept besides; one that took longer than there was is followed by another."""
    for takes, wait in ((0.0625, 0.0625), (0.3, 0.0)):
        site = Site(minutely() | {"due": Schedule("due", ("shop/a",), every=1.0)})
        beat = site.beat()
        site.at(58, beat)

        def slow(name: str, at: datetime, site: Site = site, takes: float = takes) -> None:
            site.send(name, at)
            site.ledger.now += takes

        beat._send = slow
        site.ledger.now = NOON + 59.875
        assert beat.tick() == pytest.approx(wait)


def test_without_redis_it_goes_on(log: pytest.LogCaptureFixture) -> None:
    """While Redis is away it says so once, is not ready, and lives; once it is back, it says so, and makes up what is due."""
    site = Site()
    beat = site.beat()
    assert not beat.ledger_answers
    site.at(0, beat)
    site.ledger.away = True
    assert [site.at(second, beat) for second in range(30, 100)] == [[]] * 70
    assert (beat.ledger_answers, beat.alive, BEAT.get_sample_value("wakequeue_beat_leads")) == (False, True, 0)
    site.ledger.away = False
    assert site.at(100, beat) == [60]
    assert (beat.ledger_answers, BEAT.get_sample_value("wakequeue_beat_leads")) == (True, 1)
    assert log.messages == ["leads beat=one", "ledger_away error=away", "ledger_back", "leads beat=one"]


def test_what_was_not_published_was_not_sent(log: pytest.LogCaptureFixture) -> None:
    """A start that Redis does not take is sent in the next tick, and the log is no flood meanwhile."""
    site = Site()
    beat = site.beat()
    site.at(0, beat)
    site.fails_with = OperationalError("full")
    assert [site.at(second, beat) for second in (60, 60.5, 61)] == [[], [], []]
    site.fails_with = None
    assert site.at(61.5, beat) == [60]
    assert log.messages[1:] == ["ledger_away error=full", "ledger_back", "leads beat=one"]


def test_a_defect_does_not_end_it(log: pytest.LogCaptureFixture) -> None:
    """Whatever is raised in a tick is said, now and then, and there is a next one."""
    site = Site()
    beat = site.beat()
    site.at(0, beat)
    site.fails_with = ZeroDivisionError("defect")
    assert [site.at(second, beat) for second in (60, 60.5, 61)] == [[], [], []]
    assert log.messages[1:] == ["beat_failed error='ZeroDivisionError: defect'"]


def test_a_long_queue_is_made_no_longer() -> None:
    """While workers take nothing, nothing is sent that would only lengthen the queue; once it is short, the newest start is."""
    site = Site()
    beat = site.beat()
    site.at(0, beat)
    site.ledger.queued = 16
    assert [site.at(second, beat) for second in (60, 120, 185)] == [[], [], []]
    site.ledger.queued = 15
    assert site.at(186, beat) == [180]


def test_many_schedules_are_sent_as_workers_take_them() -> None:
    """Those that are due together fill the queue to its bound, and the others follow."""
    names = [f"s{number}" for number in range(40)]
    site = Site({name: minutely(name)[name] for name in names})
    beat = site.beat()
    site.at(0, beat)
    assert [len(site.at(60 + tick, beat)) for tick in (0, 0.25, 0.5, 0.75)] == [16, 16, 8, 0]
    assert sorted(name for name, _ in site.sent) == sorted(names)


def test_stopping_without_redis() -> None:
    """A beat that can't say that it stands down stops all the same, and its lead ends by itself."""
    site = Site()
    beat = site.beat()
    site.at(0, beat)
    site.ledger.away = True
    beat.stand_down()
    beat.stand_down()
    assert site.ledger.leader == "one"


def test_one_that_does_not_tick_is_not_alive() -> None:
    """Without a tick for `stuck_after` it isn't alive, and with the next one it is again."""
    site = Site()
    beat = site.beat(stuck_after=15)
    site.ledger.now += 14.9
    assert beat.alive
    site.ledger.now += 0.1
    assert not beat.alive
    beat.tick()
    assert beat.alive


def test_without_schedules_it_idles() -> None:
    """There is nothing to send, and it ticks on."""
    site = Site({})
    beat = site.beat()
    assert [site.at(second, beat) for second in (0, 3600)] == [[], []]
    assert beat.tick() == 0.25


class LastTick(Beat):
    """A beat that is told to stop as it ticks."""

    def tick(self) -> float:
        """Do what any does, and end as a signal has it end."""
        super().tick()
        raise SystemExit


def test_celerys_beat_ticks_by_it_and_stands_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery's own loop calls the tick, and, told to stop, has the beat lead no longer; it leaves no file."""
    monkeypatch.chdir(tmp_path)
    site = Site()
    beat = LastTick("one", site.ledger, site.send, Settings(schedules=Schedules(site.schedules)), site.clock)
    site.ledger.has("office", NOON - 60)
    Service(make_app(Reach(Settings())), scheduler_cls=partial(LedgerScheduler, beat)).start()
    assert site.sent == [("office", NOON)]
    assert site.ledger.leader == ""
    assert list(tmp_path.iterdir()) == []
