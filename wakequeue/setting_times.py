"""The kinds of value that say when: a time zone, a cron expression, an interval; as in `setting_types`."""

from math import inf
from typing import Final, Self
from zoneinfo import ZoneInfo

from cronsim import CronSimError

from wakequeue.schedule import Schedule, next_start
from wakequeue.setting_types import Refused, Seconds

#: What `zoneinfo` finds on some machines, and not as the same zone.
NOT_THE_SAME_EVERYWHERE: Final = frozenset({"localtime", "posixrules", "Factory"})


class Zone(str):
    """A time zone's name."""

    __slots__ = ()
    allowed = "a time zone such as UTC or Europe/Berlin"

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read a name. Raises ValueError where there is no such zone."""
        if not isinstance(text, str):
            raise ValueError(text)  # noqa: TRY004  every parse raises ValueError, which becomes the SettingsError
        if text in NOT_THE_SAME_EVERYWHERE:
            raise ValueError(text)
        try:
            ZoneInfo(text)
        except (OSError, LookupError) as error:
            raise ValueError(text) from error
        return cls(text)

    @property
    def info(self) -> ZoneInfo:
        """The zone."""
        return ZoneInfo(self)


class Cron(str):
    """A cron expression that has starts."""

    __slots__ = ()
    allowed = "five fields: minute, hour, day of the month, month and day of the week, such as 55 8 * * mon-fri"

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read an expression. Raises ValueError where it is none; one of six fields, with seconds, is none here."""
        if not isinstance(text, str) or len(text.split()) != 5:  # noqa: PLR2004  as `allowed` says
            raise ValueError(text)
        try:
            first = next_start(Schedule("", (), text), 0, ZoneInfo("UTC"))
        except CronSimError as error:
            msg = f"{str(error).lower()}; allowed is {cls.allowed}"
            raise Refused(msg) from error
        if first == inf:
            msg = f"there is no such day; allowed is {cls.allowed}"
            raise Refused(msg)
        return cls(text)


class Interval(int):
    """The time between two starts, in whole seconds, so that none is rounded."""

    __slots__ = ()
    allowed = "a duration of whole seconds, from 1s to 8784h, such as 90s, 10m or 24h"

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read a duration. Raises ValueError where it isn't one of whole seconds."""
        seconds = round(Seconds.parse(text), 3)
        if not seconds.is_integer():
            raise ValueError(text)
        return cls(seconds)
