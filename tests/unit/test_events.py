"""Log lines: one event each, readable by eye and by machine, and never a flood."""

import logging
import shlex
import threading
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakequeue.errors import LedgerUnavailable
from wakequeue.events import Bounded, Event, _line, info, warning
from wakequeue.revision import Revision


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: float = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What wakequeue logs, from INFO on."""
    caplog.set_level(logging.INFO, logger="wakequeue")
    return caplog


# The line.


def test_an_event_is_logged_as_itself(log: pytest.LogCaptureFixture) -> None:
    """An event without details is its name, at its level, under wakequeue's own logger."""
    info(Event.STARTED)
    warning(Event.LEDGER_AWAY)
    assert log.record_tuples == [("wakequeue", logging.INFO, "started"), ("wakequeue", logging.WARNING, "ledger_away")]


def test_details_follow_as_key_value(log: pytest.LogCaptureFixture) -> None:
    """Details come in their order; any object is written as its text."""
    warning(Event.RELEASED, revisions=2, first=Revision("default", "hello"), because=LedgerUnavailable("away"), late=0.5)
    assert log.messages == ["released revisions=2 first=default/hello because=away late=0.5"]


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("default/hello-00001", "default/hello-00001"),
        ("ws://a:8080/x?y", "ws://a:8080/x?y"),
        (5, "5"),
        (None, "None"),
        ("", "''"),
        ("two words", "'two words'"),
        ("a=b", "'a=b'"),
        ('say "hi"', "'say \"hi\"'"),
        ("a\nb", r"'a\nb'"),
        ("tab\t", r"'tab\t'"),
        ("\x1b[31m", r"'\x1b[31m'"),
        ("größe", "größe"),
        ("\u2028", r"'\u2028'"),
        ("\udcff", r"'\udcff'"),
    ],
)
def test_a_value_is_quoted_where_it_must_be(value: object, written: str) -> None:
    """A value that could be taken for more than one, or can't be printed, is quoted and escaped."""
    assert _line(Event.STARTED, {"key": value}) == f"started key={written}"


@given(st.text(), st.text())
def test_whatever_the_details_it_is_one_line_of_two_details(one: str, other: str) -> None:
    """No text of a stranger makes a second line, a terminal sequence, or a further detail."""
    line = _line(Event.UNRESOLVED, {"one": one, "other": other})
    assert line.isprintable()
    assert line.startswith("unresolved one=")
    assert line.count(" other=") >= 1
    if not set(one + other) & {"'", "\\"}:
        assert len(shlex.split(line)) == 3


def test_an_events_name_is_its_word() -> None:
    """Each event is one word in lower case, said once."""
    assert all(event == event.name.lower() for event in Event)
    assert len({event.value for event in Event}) == len(Event)


# Bounded.


def test_the_first_is_logged_and_the_next_are_counted(log: pytest.LogCaptureFixture) -> None:
    """Within `every` seconds of a line there is no other; the next line says how many there would have been."""
    clock = Clock()
    bounded = Bounded(Event.UNRESOLVED, every=10.0, clock=clock)
    for now in (0.0, 0.1, 5.0, 9.999):
        clock.now = now
        bounded.warning(reason="no_service", at=now)
    assert log.messages == ["unresolved reason=no_service at=0.0"]
    clock.now = 10.0
    bounded.warning(reason="no_service", at=10.0)
    assert log.messages[1:] == ["unresolved reason=no_service at=10.0 since_last=3"]


def test_what_is_rare_is_logged_each_time(log: pytest.LogCaptureFixture) -> None:
    """Events further apart than `every` are all logged, with nothing counted."""
    clock = Clock()
    bounded = Bounded(Event.SWEEP_FAILED, every=10.0, clock=clock)
    for now in (0.0, 10.0, 25.0):
        clock.now = now
        bounded.warning()
    assert log.messages == ["sweep_failed"] * 3


def test_the_count_starts_again(log: pytest.LogCaptureFixture) -> None:
    """Each line counts what was left out since the last one, not since the beginning."""
    clock = Clock()
    bounded = Bounded(Event.SWEEP_FAILED, every=10.0, clock=clock)
    for now in (0.0, 1.0, 10.0, 11.0, 12.0, 20.0, 30.0):
        clock.now = now
        bounded.warning()
    assert log.messages == ["sweep_failed", "sweep_failed since_last=1", "sweep_failed since_last=2", "sweep_failed"]


@pytest.mark.parametrize("start", [0.0, 5.0, 1e9])
def test_the_first_is_logged_wherever_the_clock_starts(start: float, log: pytest.LogCaptureFixture) -> None:
    """A monotonic clock begins anywhere, also near 0 just after a machine's start."""
    Bounded(Event.SWEEP_FAILED, clock=Clock(start)).warning()
    assert log.messages == ["sweep_failed"]


def test_two_bounded_events_are_counted_apart(log: pytest.LogCaptureFixture) -> None:
    """One noisy place silences no other."""
    clock = Clock()
    for bounded in (Bounded(Event.UNRESOLVED, clock=clock), Bounded(Event.SWEEP_FAILED, clock=clock)):
        bounded.warning()
        bounded.warning()
    assert log.messages == ["unresolved", "sweep_failed"]


def test_what_comes_by_the_thousand_is_counted(log: pytest.LogCaptureFixture) -> None:
    """So many in a time are told of one by one; how many others there were, the next line that is told says."""
    clock = Clock(100.0)
    bounded = Bounded(Event.RECORDED, every=1.0, most=3, clock=clock)
    for clock.now in (100.0, 100.25, 101.0, 102.0):
        for number in range(1_000 if clock.now == 100.25 else 2):
            bounded.info(number=number)
    told = ["number=0", "number=1", "number=0", "number=0 since_last=999", "number=1", "number=0", "number=1"]
    assert log.messages == [f"recorded {text}" for text in told]


def test_many_threads_lose_no_count(log: pytest.LogCaptureFixture) -> None:
    """Whichever of them tells, none is left out."""
    clock = Clock()
    bounded = Bounded(Event.REPORTED, every=1.0, most=3, clock=clock)
    threads = [threading.Thread(target=lambda: [bounded.info() for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    clock.now = 1.0
    bounded.info()
    assert log.messages == ["reported"] * 3 + ["reported since_last=397"]
