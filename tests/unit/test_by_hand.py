"""What is asked for by hand: times, in any zone, and what goes with them."""

from datetime import datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wakequeue.by_hand import Asked, when
from wakequeue.setting_types import LONGEST

BERLIN: Final = ZoneInfo("Europe/Berlin")
#: Zones whose clocks are set by an hour, half an hour, two hours, at midnight, over the date line, and never.
ZONES: Final = st.sampled_from(
    ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll", "Asia/Beirut", "Pacific/Apia", "Asia/Kolkata"]
) | st.timezone_keys(allow_prefix=False)
INSTANTS: Final = st.integers(min_value=1_000_000_000, max_value=2_500_000_000) | st.integers(1_300_000_000, 1_400_000_000)
LOCALS: Final = st.datetimes(datetime.fromisoformat("2001-01-01"), datetime.fromisoformat("2050-01-01")).map(
    lambda local: local.replace(microsecond=0)
)


def unix(text: str) -> float:
    """Return a time with an offset."""
    return datetime.fromisoformat(text).timestamp()


NOW: Final = unix("2026-11-30T08:00Z")


def shown(at: float, zone: ZoneInfo) -> datetime:
    """Return what a zone's clocks show."""
    return datetime.fromtimestamp(at, zone).replace(tzinfo=None)


@pytest.mark.parametrize(
    ("text", "now", "expected"),
    [
        ("08:55", "2026-11-30T08:54:59+01:00", "2026-11-30T08:55+01:00"),
        ("08:55", "2026-11-30T08:55+01:00", "2026-12-01T08:55+01:00"),
        ("08:55:30", "2026-11-30T08:55+01:00", "2026-11-30T08:55:30+01:00"),
        ("00:00", "2026-12-31T23:30+01:00", "2027-01-01T00:00+01:00"),
        # The clocks go from 02:00 to 03:00, and from 03:00 back to 02:00.
        ("02:30", "2027-03-27T12:00+01:00", "2027-03-28T03:00+02:00"),
        ("02:00", "2027-03-27T12:00+01:00", "2027-03-28T03:00+02:00"),
        ("03:00", "2027-03-27T12:00+01:00", "2027-03-28T03:00+02:00"),
        ("02:30", "2027-03-28T03:00+02:00", "2027-03-29T02:30+02:00"),
        ("02:30", "2026-10-24T12:00+02:00", "2026-10-25T02:30+02:00"),
        ("02:30", "2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"),
        ("02:30", "2026-10-25T02:10+01:00", "2026-10-26T02:30+01:00"),
        ("2026-11-30T08:55", "2026-11-01T00:00+01:00", "2026-11-30T08:55+01:00"),
        ("2026-11-30 08:55:30.5", "2026-11-01T00:00+01:00", "2026-11-30T08:55:30.500000+01:00"),
        ("2026-11-30T08:55Z", "2026-11-01T00:00+01:00", "2026-11-30T08:55+00:00"),
        ("2026-11-30T08:55-05:30", "2026-11-01T00:00+01:00", "2026-11-30T08:55-05:30"),
        ("2027-03-28T02:30", "2026-11-01T00:00+01:00", "2027-03-28T03:00+02:00"),
        ("2027-10-31T02:30", "2026-11-01T00:00+01:00", "2027-10-31T02:30+02:00"),
    ],
)
def test_times(text: str, now: str, expected: str) -> None:
    """As a person in Berlin means them, also on the days on which clocks are set."""
    assert when(text, BERLIN, unix(now)) == unix(expected)


def is_left_out(local: datetime, zone: ZoneInfo) -> bool:
    """Return whether a zone's clocks never show a date and time, by the way there and back."""
    return shown(local.replace(tzinfo=zone).timestamp(), zone) != local


@given(zone=ZONES, now=INSTANTS, day_time=st.times())
@example(zone="Europe/Berlin", now=int(unix("2027-03-27T12:00+01:00")), day_time=time(2, 30))
@example(zone="Pacific/Apia", now=int(unix("2011-12-30T09:00+00:00")), day_time=time(8, 55))
@example(zone="Asia/Beirut", now=int(unix("2025-03-29T12:00+02:00")), day_time=time(0, 0))
def test_the_next_time_of_day(zone: str, now: int, day_time: time) -> None:
    """It comes after now, clocks show it then, or have just been set ahead over it, and no earlier time will do."""
    info, text = ZoneInfo(zone), f"{day_time:%H:%M:%S}"
    at = when(text, info, now)
    assert now < at <= now + 50 * 3600
    clock = shown(at, info)
    if f"{clock:%H:%M:%S}" != text:
        before = shown(at - 1, info)
        asked = clock.replace(hour=int(text[:2]), minute=int(text[3:5]), second=int(text[6:]))
        days = [asked - timedelta(1), asked]
        assert any(before < day < clock and is_left_out(day, info) for day in days), "right after a gap that has it"
    day = shown(now, info).replace(hour=int(text[:2]), minute=int(text[3:5]), second=int(text[6:]))
    for earlier in (day, day + timedelta(1)):
        first = earlier.replace(tzinfo=info).timestamp()
        assert not now < first < at or is_left_out(earlier, info)


@given(zone=ZONES, local=LOCALS)
@example(zone="Pacific/Apia", local=datetime.fromisoformat("2011-12-30T12:00"))
def test_a_date_and_time_in_a_zone(zone: str, local: datetime) -> None:
    """Its clocks show it, and didn't before; or they have just been set ahead over it."""
    info = ZoneInfo(zone)
    at = when(local.isoformat(), info, 0)
    if is_left_out(local, info):
        assert shown(at - 1, info) < local < shown(at, info)
    else:
        assert shown(at, info) == local
        assert at == min(local.replace(tzinfo=info, fold=fold).timestamp() for fold in (0, 1))


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "8:55",
            "08:60",
            "24:00",
            "08:55:61",
            "0855",
            "08:55 ",
            " 08:55",
            "08:55Z",
            "08:55+01:00",
            "8.55",
            "now",
            "\u0660\u0668:55",
        ),
        *("2026-11-30", "2026-02-30T08:55", "2026-11-30T24:00", "20261130T0855", "2026-W49-1T08:55", "2026-11-30T08:55 01:00"),
        *("2026-11-30T08:55+24:00", "2026-11-30T08:55:30,5", "1764489300", "2026-11-30T08:55\n"),
    ],
)
def test_what_is_no_time(text: str) -> None:
    """It is refused, with what a time looks like."""
    with pytest.raises(ValueError, match=r"^at = .*: allowed is a time such as 08:55, 2026"):
        Asked.read({"at": text}, BERLIN, 0)


SHAPED: Final = st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}([-+][0-9]{2}:[0-9]{2})?", fullmatch=True)


@given(text=st.text(max_size=30) | SHAPED)
def test_any_text_is_a_time_or_refused(text: str) -> None:
    """With words, and a time is always one that comes within a year."""
    try:
        asked = Asked.read({"at": text}, BERLIN, NOW)
    except ValueError as error:
        said = str(error)
    else:
        said = "" if NOW < asked.at <= NOW + LONGEST else f"{asked.at} is neither"
    assert said == "" or said.startswith(f"at = {text!r}: ")


@pytest.mark.parametrize(
    ("told", "wrong"),
    [
        ({"at": "2026-11-30T07:59Z"}, "at = '2026-11-30T07:59Z': that is past"),
        ({"at": "2026-11-30T08:00Z"}, "at = '2026-11-30T08:00Z': that is past"),
        ({"at": "1970-01-01T00:00Z"}, "at = '1970-01-01T00:00Z': that is past"),
        ({"at": "2026-11-30T08:30"}, "at = '2026-11-30T08:30': that is past"),
        ({"at": "2027-12-31T08:00Z"}, "at = '2027-12-31T08:00Z': that is more than a year ahead"),
        ({"for": "10"}, "for = '10': allowed is a duration from 1ms to 8784h, such as 500ms, 2s or 5m"),
        ({"for": ""}, "for = '': allowed is a duration from 1ms to 8784h, such as 500ms, 2s or 5m"),
        ({"for": "8785h"}, "for = '8785h': allowed is a duration from 1ms to 8784h, such as 500ms, 2s or 5m"),
        ({"zone": "Europe/Bonn", "at": "08:55"}, "zone = 'Europe/Bonn': allowed is a time zone such as UTC or Europe/Berlin"),
        ({"zone": ""}, "zone = '': allowed is a time zone such as UTC or Europe/Berlin"),
        ({"zone": "../etc/passwd"}, "zone = '../etc/passwd': allowed is a time zone such as UTC or Europe/Berlin"),
        ({"pods": "0", "for": "1m"}, "pods = '0': allowed is a number from 1 to 1000"),
        ({"pods": "1001", "for": "1m"}, "pods = '1001': allowed is a number from 1 to 1000"),
        ({"pods": "2"}, "pods: only with for, which says for how long so many are kept"),
        ({"zone": "Europe/Berlin"}, "zone: only with at, which is a time in it"),
        ({"pods": "1", "at": "08:55"}, "pods: only with for, which says for how long so many are kept"),
    ],
)
def test_what_is_wrong_is_said(told: dict[str, str], wrong: str) -> None:
    """By its name, with what it was, and what is allowed."""
    with pytest.raises(ValueError) as refused:  # noqa: PT011  its text is below
        Asked.read(told, BERLIN, NOW)
    assert str(refused.value) == wrong


def test_what_is_asked() -> None:
    """All of it, in the zone that is told; a time with an offset is what it is in any."""
    told = {"at": "08:55", "for": "10m", "pods": "2", "zone": "America/New_York"}
    assert Asked.read(told, BERLIN, NOW) == Asked(unix("2026-11-30T08:55-05:00"), 600, 2, ZoneInfo("America/New_York"))
    assert Asked.read({"at": "2026-11-30T09:55+01:00"}, BERLIN, NOW) == Asked(unix("2026-11-30T08:55Z"), 0, 1, BERLIN)
    assert Asked.read({}, BERLIN, NOW) == Asked(0, 0, 1, BERLIN)


def test_what_is_asked_is_said() -> None:
    """With the zone's own offset at each time, and no more than what was asked."""
    assert Asked(0, 0, 1, BERLIN).times(NOW) == {"at": "2026-11-30T09:00:00+01:00"}
    assert Asked(unix("2027-03-28T00:55Z"), 600, 2, BERLIN).times(NOW) == {
        "at": "2027-03-28T01:55:00+01:00",
        "until": "2027-03-28T03:05:00+02:00",
        "pods": 2,
    }
