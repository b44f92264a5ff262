"""What is asked for by hand, on the command line or over HTTP: when Revisions wake, and for how long they are kept warm. Pure.

A time is a time of day, `08:55` or `08:55:30`, which means the next one; or a date and time of ISO 8601, `2026-11-30T08:55`.
Without an offset it is what the clocks of a time zone show: where they are set ahead, a time that is left out means right after the
gap; where they are set back, one that comes twice means the first.

Times are Unix seconds.
"""

import itertools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final, Self, TypeVar
from zoneinfo import ZoneInfo

from wakequeue.schedule import first_shown
from wakequeue.setting_times import Zone
from wakequeue.setting_types import LONGEST, Seconds

T = TypeVar("T")

TIME_OF_DAY: Final = re.compile(r"[0-9]{2}:[0-9]{2}(:[0-9]{2})?")
DATE_AND_TIME: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2})?"
)
TIMES: Final = "a time such as 08:55, 2026-11-30T08:55 or 2026-11-30T08:55+01:00"
PODS: Final = re.compile(r"[1-9][0-9]{0,2}|1000")

#: What can be told, each as text.
NAMES: Final = ("for", "at", "pods", "zone")


@dataclass(frozen=True, slots=True)
class Asked:
    """To wake `at` a time, 0 for now, and to be kept warm for `keep_for` seconds from then, with so many `pods` at least.

    0 keeps it not at all. Times are said as a `zone`'s clocks show them.
    """

    at: float
    keep_for: float
    pods: int
    zone: ZoneInfo

    @classmethod
    def read(cls, told: Mapping[str, str], zone: ZoneInfo, now: float) -> Self:
        """Read what is told; `zone` is for those who tell none. Raises ValueError, which says what is wrong."""
        zone = _read(told, "zone", lambda text: Zone.parse(text).info, Zone.allowed) or zone
        at = _read(told, "at", lambda text: when(text, zone, now), TIMES)
        if at is not None and not now < at <= now + LONGEST:
            msg = f"at = {told['at']!r}: that is {'past' if at <= now else 'more than a year ahead'}"
            raise ValueError(msg)
        keep_for = _read(told, "for", Seconds.parse, Seconds.allowed)
        pods = _read(told, "pods", _pods, "a number from 1 to 1000")
        if pods and not keep_for:
            msg = "pods: only with for, which says for how long so many are kept"
            raise ValueError(msg)
        if "zone" in told and at is None:
            msg = "zone: only with at, which is a time in it"
            raise ValueError(msg)
        return cls(at or 0.0, keep_for or 0.0, pods or 1, zone)

    def times(self, now: float) -> dict[str, str | int]:
        """When it wakes, until when it is kept warm, and with how many pods, as JSON has it; times as in RFC 3339."""
        at = self.at or now
        said: dict[str, str | int] = {"at": self._said(at)}
        return said | ({"until": self._said(at + self.keep_for), "pods": self.pods} if self.keep_for else {})

    def _said(self, at: float) -> str:
        return datetime.fromtimestamp(at, self.zone).isoformat(timespec="seconds")


def when(text: str, zone: ZoneInfo, now: float) -> float:
    """The time that a text means: of times of day the next one after `now`. Raises ValueError for any other text."""
    if TIME_OF_DAY.fullmatch(text):
        return _next(time.fromisoformat(text), zone, now)
    if not DATE_AND_TIME.fullmatch(text):
        raise ValueError(text)
    told = datetime.fromisoformat(text)
    return told.timestamp() if told.tzinfo else first_shown(told, zone)


def _next(time_of_day: time, zone: ZoneInfo, now: float) -> float:
    """Of days on which it would be shown only before now, as those are that come again, the next one has it."""
    today = datetime.fromtimestamp(now, zone).date()
    days = (datetime.combine(today + timedelta(days), time_of_day) for days in itertools.count())
    return next(at for day in days if (at := first_shown(day, zone)) > now)


def _read(told: Mapping[str, str], name: str, parse: Callable[[str], T], allowed: str) -> T | None:
    """What is told by a name. Raises ValueError, which says what is allowed."""
    if name not in told:
        return None
    try:
        return parse(told[name])
    except ValueError as error:
        msg = f"{name} = {told[name][:70]!r}: allowed is {allowed}"
        raise ValueError(msg) from error


def _pods(text: str) -> int:
    if not PODS.fullmatch(text):
        raise ValueError(text)
    return int(text)
