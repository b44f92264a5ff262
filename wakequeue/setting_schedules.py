"""The kinds of value that say what wakes without a call: time zones, schedules, groups; as in `setting_types`."""

import json
import re
from typing import Annotated, Final
from zoneinfo import ZoneInfo

import msgspec
from cronsim import CronSimError
from msgspec import Meta

from wakequeue.schedule import Schedule
from wakequeue.setting_types import Seconds

#: What a schedule may be called: it is shown, and told of in the audit trail.
NAME: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,62}")

#: `NAMESPACE/NAME`, of an application or of a Revision.
KEY: Final = re.compile(r"[a-z0-9][-a-z0-9]{0,62}/[a-z0-9][-a-z0-9]{0,62}")
PATTERN: Final = re.compile(r"[-a-z0-9*?!\[\]]{1,253}/[-a-z0-9*?!\[\]]{1,253}")


class Zone(str):
    """A time zone's name."""

    __slots__ = ()
    allowed = "a time zone such as UTC or Europe/Berlin"

    @classmethod
    def parse(cls, text: object) -> "Zone":
        """Read a name. Raises ValueError where there is no such zone."""
        if not isinstance(text, str):
            raise ValueError(text)  # noqa: TRY004  every parse raises ValueError, which becomes the SettingsError
        try:
            ZoneInfo(text)
        except (OSError, LookupError) as error:
            raise ValueError(text) from error
        return cls(text)

    @property
    def info(self) -> ZoneInfo:
        """The zone."""
        return ZoneInfo(self)


class _Row(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    wakes: str | list[str]
    cron: str = ""
    every: str = ""
    zone: str = ""
    keep_for: str = msgspec.field(default="", name="for")
    pods: Annotated[int, Meta(ge=1, le=1_000)] = 1
    jitter: str = ""


class Schedules(dict[str, Schedule]):
    """Schedules by their names."""

    __slots__ = ()
    allowed = (
        "a table of schedules by name, such as "
        '{"office": {"cron": "55 8 * * mon-fri", "zone": "Europe/Berlin", "wakes": ["shop/*"], "for": "9h", "pods": 2}}'
    )

    @classmethod
    def parse(cls, value: object) -> "Schedules":
        """Read a table: in the environment, a JSON object. Raises ValueError where an entry can't be."""
        if isinstance(value, str):
            value = json.loads(value)
        if not (isinstance(value, dict) and all(map(NAME.fullmatch, value))):
            raise ValueError(value)
        return cls({name: _schedule(name, msgspec.convert(row, _Row)) for name, row in value.items()})


class Groups(dict[str, tuple[str, ...]]):
    """Who wakes with whom: by a key, the keys of those that wake with it."""

    __slots__ = ()
    allowed = 'a table of applications or Revisions, each with those that wake with it, such as {"shop/web": ["shop/cart"]}'

    @classmethod
    def parse(cls, value: object) -> "Groups":
        """Read a table: in the environment, a JSON object. Raises ValueError where an entry can't be."""
        if isinstance(value, str):
            value = json.loads(value)
        rows = msgspec.convert(value, dict[str, list[str]])
        if not all(KEY.fullmatch(key) and all(map(KEY.fullmatch, members)) for key, members in rows.items()):
            raise ValueError(value)
        return cls({key: tuple(members) for key, members in rows.items()})


def _schedule(name: str, row: _Row) -> Schedule:
    wakes = tuple([row.wakes] if isinstance(row.wakes, str) else row.wakes)
    if not (wakes and all(map(PATTERN.fullmatch, wakes))) or bool(row.cron) == bool(row.every):
        raise ValueError(name)
    zone = ZoneInfo(Zone.parse(row.zone)) if row.zone else None
    schedule = Schedule(
        name,
        wakes,
        row.cron,
        _seconds(row.every),
        zone,
        _seconds(row.keep_for),
        row.pods,
        _seconds(row.jitter),
    )
    try:
        next(schedule.starts_after(0, ZoneInfo("UTC")))
    except CronSimError as error:
        raise ValueError(row.cron) from error
    return schedule


def _seconds(text: str) -> float:
    return Seconds.parse(text) if text else 0.0
