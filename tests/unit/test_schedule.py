"""Schedules: their starts in every time zone, told by an oracle that looks at a wall clock minute by minute."""

from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice, pairwise
from math import inf
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo, available_timezones

import pytest
from cronsim import CronSimError
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from wakequeue.revision import Revision
from wakequeue.schedule import Schedule, newest_due, next_start

MINUTE: Final = 60
DAY: Final = 86_400
UTC: Final = ZoneInfo("UTC")
ZONES: Final = sorted(available_timezones())
#: Set by half an hour, by two, at midnight, at 00:01, or past a day; and such as are usual.
CURIOUS: Final = (
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Africa/Cairo",
    "America/Havana",
    "America/Sao_Paulo",
    "America/St_Johns",
    "Asia/Beirut",
    "Pacific/Apia",
    "Europe/Berlin",
    "America/New_York",
)
WEEKDAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


def schedule(cron: str) -> Schedule:
    """Return a schedule by a cron expression."""
    return Schedule("office", ("shop/web",), cron)


# The oracle.


def shown(at: float, zone: ZoneInfo) -> datetime:
    """Return what a wall clock shows."""
    return datetime.fromtimestamp(at, zone).replace(tzinfo=None, fold=0)


class Cron(NamedTuple):
    """An expression and its times; a day is to be `both` of the month and of the week, or one of them will do."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    both: bool
    wildcard: bool

    def matches(self, wall: datetime) -> bool:
        """Whether a time is one of its own."""
        if wall.minute not in self.minutes or wall.hour not in self.hours or wall.month not in self.months:
            return False
        days = wall.day in self.days, wall.isoweekday() % 7 in self.weekdays
        return all(days) if self.both else any(days)

    def starts(self, begin: int, end: int, zone: ZoneInfo) -> list[int]:
        """Its starts from one minute until another, by a wall clock that is looked at every minute, beginning a day before."""
        latest = shown(begin - DAY, zone)
        starts = []
        for at in range(begin - DAY, end, MINUTE):
            now = shown(at, zone)
            passed = [now] if self.wildcard else minutes_between(latest, now)
            if at >= begin and any(map(self.matches, passed)):
                starts.append(at)
            latest = max(latest, now)
        return starts


def minutes_between(after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the minutes that a wall clock passes, whether it shows them or not."""
    while after < until:
        after += timedelta(minutes=1)
        yield after


# What is drawn.


def changes(zone: ZoneInfo, year: int) -> list[int]:
    """Return the minutes of a year at which a zone's clocks are set."""
    new_year = int(datetime(year, 1, 1, tzinfo=UTC).timestamp())
    found = []
    for day in range(new_year, new_year + 366 * DAY, DAY):
        before = shown(day, zone)

        def is_set(at: int, day: int = day, before: datetime = before) -> bool:
            return shown(at, zone) - before != timedelta(seconds=at - day)

        if is_set(day + DAY):
            found.append(day + MINUTE * bisect_left(range(day, day + DAY, MINUTE), 1, key=is_set))
    return found


@st.composite
def fields(draw: st.DrawFn, low: int, high: int, names: tuple[str, ...] = ()) -> tuple[str, frozenset[int]]:
    """Draw one field of an expression, and its values."""
    values = range(low, high + 1)
    number = st.integers(low, high)
    match draw(st.sampled_from(["*", "*/", "-", "-/", ",", "name"])):
        case "*":
            return "*", frozenset(values)
        case "*/":
            step = draw(st.integers(1, high))
            return f"*/{step}", frozenset(values[::step])
        case "-" | "-/" as form:
            first, last = sorted((draw(number), draw(number)))
            step = draw(st.integers(2, high)) if form == "-/" and first < last else 1
            return f"{first}-{last}" + f"/{step}" * (step > 1), frozenset(range(first, last + 1, step))
        case "name" if names:
            name = draw(st.sampled_from(names))
            return name, frozenset({low + names.index(name)})
    few = draw(st.lists(number, min_size=1, max_size=4))
    return ",".join(map(str, few)), frozenset(few)


@st.composite
def crons(draw: st.DrawFn) -> Cron:
    """Draw an expression that has starts; one of every day in most cases."""
    days, months, weekdays = fields(1, 31), fields(1, 12), fields(0, 6, WEEKDAYS)
    if draw(st.integers(0, 2)):
        days, months, weekdays = (st.just(("*", frozenset(range(*some)))) for some in ((1, 32), (1, 13), (0, 7)))
    texts, values = zip(*map(draw, (fields(0, 59), fields(0, 23), days, months, weekdays)), strict=True)
    begins = [text[0] == "*" for text in texts]
    try:
        next_start(schedule(" ".join(texts)), 0, UTC)
    except CronSimError:  # such as for 30 February
        reject()
    return Cron(" ".join(texts), *values, both=begins[2] or begins[4], wildcard=begins[0] or begins[1])


@st.composite
def moments(draw: st.DrawFn) -> tuple[ZoneInfo, float]:
    """Draw a zone and a time, near a change of its clocks where there is one in the year."""
    zone = ZoneInfo(draw(st.one_of(st.sampled_from(CURIOUS), st.sampled_from(ZONES))))
    near = changes(zone, draw(st.integers(2005, 2035))) or [draw(st.integers(1_100_000_000, 2_100_000_000))]
    return zone, draw(st.sampled_from(near)) + draw(st.integers(-DAY, DAY)) + draw(st.sampled_from([0.0, 0.001, 0.5]))


# What holds.


@settings(deadline=None, max_examples=80)
@given(crons(), moments())
def test_a_schedule_starts_when_a_wall_clock_says_so(cron: Cron, moment: tuple[ZoneInfo, float]) -> None:
    """In every zone, around every change of its clocks, ahead and back: the starts are the oracle's, each once."""
    zone, at = moment
    begin = int(at) // MINUTE * MINUTE - DAY
    end = begin + 2 * DAY
    starts = cron.starts(begin, end, zone)
    after = [start for start in starts if start > at]
    found = list(islice(schedule(cron.text).starts_after(at, zone), len(after) + 1))
    assert found[:-1] == after
    assert found[-1] >= end
    before = max((start for start in starts if start <= at), default=None)
    assert newest_due(schedule(cron.text), begin - 1, at, zone) == before


@settings(deadline=None)
@given(crons(), moments())
def test_ahead_and_back_are_the_same_starts(cron: Cron, moment: tuple[ZoneInfo, float]) -> None:
    """However rare they are: each is later than the one before it, is the newest at its time, and the one before is until then."""
    zone, at = moment
    plan = schedule(cron.text)
    starts = list(islice(plan.starts_after(at, zone), 5))
    assert all(earlier < later for earlier, later in pairwise([at, *starts]))
    for earlier, later in pairwise(starts):
        assert newest_due(plan, at, later, zone) == later
        assert newest_due(plan, at, later - 0.001, zone) == earlier
    assert newest_due(plan, at, starts[0] - 0.0001, zone) is None


# What it is, by example.


@pytest.mark.parametrize(
    ("cron", "zone", "after", "starts"),
    [
        # Clocks are set ahead at 02:00: what is left out starts right after it, once, whatever else starts there.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28 12:00", ["03-29 03:00+0200", "03-30 02:30+0200"]),
        ("0,30 2,3 * * *", "Europe/Berlin", "2026-03-29 00:00", ["03-29 03:00+0200", "03-29 03:30+0200", "03-30 02:00+0200"]),
        # And set back at 03:00: what comes twice starts the first time.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24 12:00", ["10-25 02:30+0200", "10-26 02:30+0100"]),
        ("0 */1 * * *", "Europe/Berlin", "2026-10-25 00:30", ["10-25 01:00+0200", "10-25 02:00+0200", "10-25 02:00+0100"]),
        ("*/30 2 * * *", "Europe/Berlin", "2026-03-28 12:00", ["03-30 02:00+0200", "03-30 02:30+0200"]),
        # By half an hour.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03 12:00", ["10-04 02:30+1100", "10-05 02:15+1100"]),
        ("*/20 3 * * *", "Australia/Lord_Howe", "2026-10-04 01:00", ["10-04 03:00+1100", "10-04 03:20+1100", "10-04 03:40+1100"]),
        # At midnight, so that a day has no 00:00.
        ("0 0 * * *", "Africa/Cairo", "2026-04-23 12:00", ["04-24 01:00+0300", "04-25 00:00+0300"]),
        ("*/30 0 * * *", "Africa/Cairo", "2026-04-23 12:00", ["04-25 00:00+0300", "04-25 00:30+0300"]),
        # A day that never was.
        ("0 9 * * *", "Pacific/Apia", "2011-12-29 12:00", ["12-31 00:00+1400", "12-31 09:00+1400"]),
        ("*/30 9 30 12 *", "Pacific/Apia", "2011-12-29 12:00", ["12-30 09:00+1400", "12-30 09:30+1400"]),
        # Where no hour is a whole one of UTC's.
        ("55 8 * * mon-fri", "Asia/Kathmandu", "2026-11-27 08:55", ["11-30 08:55+0545", "12-01 08:55+0545"]),
        # What else cron may say.
        ("0 8 L * *", "UTC", "2028-02-01 00:00", ["02-29 08:00+0000", "03-31 08:00+0000"]),
        ("0 8 * * mon#1", "UTC", "2026-11-03 00:00", ["12-07 08:00+0000", "01-04 08:00+0000"]),
        ("0 8 13 * fri", "UTC", "2026-11-12 09:00", ["11-13 08:00+0000", "11-20 08:00+0000", "11-27 08:00+0000"]),
        ("0 8 29 2 *", "UTC", "2096-03-01 00:00", ["02-29 08:00+0000"]),
    ],
)
def test_what_a_cron_expression_means(cron: str, zone: str, after: str, starts: list[str]) -> None:
    """As Debian's cron does, in the schedule's own zone."""
    own = Schedule("office", ("shop/web",), cron, zone=ZoneInfo(zone))
    begin = datetime.fromisoformat(after).replace(tzinfo=own.zone).timestamp()
    found = islice(own.starts_after(begin, UTC), len(starts))
    assert [f"{datetime.fromtimestamp(at, own.zone):%m-%d %H:%M%z}" for at in found] == starts


def test_what_never_comes_never_starts() -> None:
    """Where a wall clock always leaves out what is to be the minutes of an hour, there is no start, and soon found to be none."""
    plan = schedule("*/5 2 * 3 7L")
    assert next_start(plan, 1.8e9, ZoneInfo("Europe/Berlin")) == inf
    assert newest_due(plan, 1.5e9, 1.8e9, ZoneInfo("Europe/Berlin")) is None
    assert next_start(plan, 1.8e9, UTC) < 1.85e9


@given(st.integers(1, 31_622_400), st.floats(0, 4e9))
def test_an_interval_starts_at_its_multiples(every: int, at: float) -> None:
    """Exactly, and whoever looks when."""
    plan = Schedule("often", ("shop/web",), every=every)
    starts = list(islice(plan.starts_after(at, UTC), 3))
    assert [start % every for start in starts] == [0, 0, 0]
    assert at < starts[0] <= at + every
    assert [later - earlier for earlier, later in pairwise(starts)] == [every, every]
    assert newest_due(plan, starts[0] - 1, starts[1] - 0.001, UTC) == starts[0]
    assert newest_due(plan, starts[0], starts[1], UTC) == starts[1] == next_start(plan, starts[0], UTC)
    assert newest_due(plan, starts[0], starts[1] - 0.001, UTC) is None


@given(st.floats(0.001, 1e6), st.integers(0, 4_000_000_000))
def test_jitter_is_shorter_than_itself_and_the_same_for_all(jitter: float, start: int) -> None:
    """Whichever worker asks, and again after a death: a Revision's delay is one of this start's."""
    plans = [Schedule("office", ("shop/*",), every=60, jitter=jitter) for _ in range(2)]
    one, other = [[plan.delay(float(start), Revision("shop", f"r{number}")) for number in range(8)] for plan in plans]
    assert one == other
    assert all(0 <= delay < jitter for delay in one)


def test_jitter_is_spread() -> None:
    """Each tenth of it has its share of a thousand Revisions; another start, or schedule, has other delays; none means none."""
    plan = Schedule("office", ("shop/*",), every=60, jitter=10)
    revisions = [Revision("shop", f"r{number}") for number in range(1000)]
    delays = [plan.delay(60, revision) for revision in revisions]
    assert all(60 < sum(tenth <= delay < tenth + 1 for delay in delays) < 140 for tenth in range(10))
    assert delays != [plan.delay(120, revision) for revision in revisions]
    assert delays != [Schedule("night", ("shop/*",), every=60, jitter=10).delay(60, revision) for revision in revisions]
    assert Schedule("night", ("shop/*",), every=60).delay(60, revisions[0]) == 0
