"""The kinds of value that say what wakes without a call: schedules and groups; as in `setting_types`."""

import json
import re
from collections.abc import Callable, KeysView
from itertools import islice, pairwise
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from wakequeue.revision import KEY
from wakequeue.schedule import Schedule
from wakequeue.setting_times import Cron, Interval, Zone
from wakequeue.setting_types import Globs, Refused, Seconds

#: What a schedule may be called: it is shown, and told of in the audit trail.
NAME: Final = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_.]{0,62}")

#: How many schedules there may be: a beat knows of each when it starts next.
MOST_SCHEDULES: Final = 1_000

#: How many starts are looked at to see how close they are: few, for every command reads the settings.
LOOKED_AT: Final = 3


class Pods(int):
    """How many pods are kept."""

    __slots__ = ()
    allowed = "a whole number from 1 to 1000"

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a number. Raises ValueError where it isn't one of these."""
        if type(value) is not int or not 1 <= value <= 1_000:  # noqa: PLR2004  as `allowed` says
            raise ValueError(value)
        return cls(value)


class Keys(Globs):
    """Applications or Revisions, by their keys."""

    __slots__ = ()
    allowed = "an application or a Revision, NAMESPACE/NAME, such as shop/cart, or a list of such"
    form = KEY


class Wakes(Globs):
    """Applications or Revisions by their keys, or applications by a pattern."""

    __slots__ = ()
    allowed = (
        "an application or a Revision, NAMESPACE/NAME, in which *, ? and [...] stand for other applications, such as shop/cart or "
        "shop/*, or a list of such"
    )
    form = re.compile(rf"{KEY.pattern}|(?=.*[*?\[])[-a-z0-9*?!\[\]]{{1,253}}/[-a-z0-9*?!\[\]]{{1,253}}")


#: What a schedule may say of itself, and what each is.
KINDS: Final[dict[str, Any]] = {
    "cron": Cron,
    "every": Interval,
    "zone": Zone,
    "wakes": Wakes,
    "for": Seconds,
    "pods": Pods,
    "jitter": Seconds,
}


#: What it must say besides, so that none of it means nothing.
NEEDS: Final[tuple[tuple[Callable[[KeysView[str]], bool], str], ...]] = (
    (lambda said: "wakes" in said, "wakes must be set"),
    (lambda said: ("cron" in said) != ("every" in said), "one of cron and every must be set, not both"),
    (lambda said: not said >= {"zone", "every"}, "zone may be set with cron only: an interval is the same in every zone"),
    (lambda said: "pods" not in said or "for" in said, "pods may be set with for only"),
)


class Schedules(dict[str, Schedule]):
    """Schedules by their names."""

    __slots__ = ()
    allowed = (
        "a table of schedules by name, such as "
        '{"office": {"cron": "55 8 * * mon-fri", "zone": "Europe/Berlin", "wakes": ["shop/*"], "for": "9h", "pods": 2}}'
    )

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a table: in the environment, a JSON object. Raises ValueError where an entry can't be."""
        table = _table(value)
        if len(table) > MOST_SCHEDULES:
            msg = f"{len(table)} schedules; allowed are at most {MOST_SCHEDULES}"
            raise Refused(msg)
        return cls({name: _schedule(name, row) for name, row in table.items()})


class Groups(dict[str, tuple[str, ...]]):
    """Who wakes with whom: by a key, the keys of those that wake with it."""

    __slots__ = ()
    allowed = 'a table of applications or Revisions, each with those that wake with it, such as {"shop/web": ["shop/cart"]}'

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a table: in the environment, a JSON object. Raises ValueError where an entry can't be."""
        table = _table(value)
        for key in table:
            if not Keys.form.fullmatch(key):
                msg = f"{key!r}: allowed is an application or a Revision, NAMESPACE/NAME, such as shop/web"
                raise Refused(msg)
        return cls({key: _read(key, Keys, members) for key, members in table.items()})


def _table(value: object) -> dict[str, object]:
    if isinstance(value, str):
        value = json.loads(value, object_pairs_hook=_object)
    if not isinstance(value, dict):
        raise ValueError(value)  # noqa: TRY004  as above
    return value


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """A JSON object as TOML has its tables: none says a thing twice."""
    table: dict[str, object] = {}
    for name, value in pairs:
        if name in table:
            msg = f"{name!r} is there twice"
            raise Refused(msg)
        table[name] = value
    return table


def _schedule(name: str, row: object) -> Schedule:
    if not NAME.fullmatch(name):
        msg = f"{name!r}: allowed is a name of at most 63 letters, digits, '-', '_' and '.'"
        raise Refused(msg)
    if not isinstance(row, dict):
        msg = f"{name} = {row!r}: allowed is a table of {', '.join(KINDS)}"
        raise Refused(msg)
    for key in row.keys() - KINDS.keys():
        msg = f"{name}: {key!r} is nothing that a schedule says; allowed are {', '.join(KINDS)}"
        raise Refused(msg)
    for holds, needs in NEEDS:
        if not holds(row.keys()):
            msg = f"{name}: {needs}"
            raise Refused(msg)
    said = {key: _read(f"{name}.{key}", KINDS[key], value) for key, value in row.items()}
    said["keep_for"] = said.pop("for", 0.0)
    said["zone"] = said["zone"].info if "zone" in said else None
    schedule = Schedule(name, **said)
    if schedule.jitter and schedule.jitter >= (closest := _closest(schedule)):
        msg = f"{name}.jitter = {row['jitter']!r}: it must be shorter than the time between two starts ({closest:g}s)"
        raise Refused(msg)
    return schedule


def _closest(schedule: Schedule) -> float:
    """How close its starts are, by some of them."""
    starts = islice(schedule.starts_after(0, ZoneInfo("UTC")), LOOKED_AT)
    return min(later - earlier for earlier, later in pairwise(starts))


def _read(entry: str, kind: Any, value: object) -> Any:  # noqa: ANN401  one of the kinds above, and what it reads
    try:
        return kind.parse(value)
    except Refused as error:
        msg = f"{entry} = {value!r}: {error}"
        raise Refused(msg) from error
    except ValueError as error:
        msg = f"{entry} = {value!r}: allowed is {kind.allowed}"
        raise Refused(msg) from error
