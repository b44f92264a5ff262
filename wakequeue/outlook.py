"""What is to come without a call, as `wakequeue schedule list` shows it: schedules, plans, and who is kept warm. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from wakequeue.ledger import Kept, Plan
from wakequeue.schedule import Schedule, newest_due, next_start

#: The ledger's unit.
MILLISECOND: Final = 0.001

#: A start that the ledger doesn't have so many seconds after its time is overdue: a dead beat is replaced by then.
OVERDUE_AFTER: Final = 10.0


@dataclass(frozen=True, slots=True)
class Held:
    """What the ledger has, at a time in Unix seconds: how far schedules are, plans, who is kept warm, and which beat leads."""

    now: float
    last_starts: dict[str, float] = field(default_factory=dict)
    plans: Sequence[Plan] = ()
    kept: Sequence[Kept] = ()
    leader: str = ""


@dataclass(frozen=True, slots=True)
class Outlook:
    """A schedule, the zone in which it is shown, and its starts, in Unix seconds.

    `last` is the last one that is in the ledger, `overdue` the first that should be, and isn't.
    """

    schedule: Schedule
    zone: ZoneInfo
    last: float | None
    overdue: float | None
    next: tuple[float, ...]

    @classmethod
    def of(cls, one: Schedule, zone: ZoneInfo, held: Held, count: int) -> "Outlook":
        """What is to come of a schedule, so many starts of it; `zone` is for one that names none.

        Of one that hasn't started yet, the ledger has the time at which it heard of it.
        """
        last = overdue = None
        if (reached := held.last_starts.get(one.key(zone))) is not None:
            last = newest_due(one, reached - MILLISECOND, reached, zone)
            missing = next_start(one, reached, zone)
            overdue = missing if missing < held.now - OVERDUE_AFTER else None
        return cls(one, one.zone or zone, last, overdue, tuple(islice(one.starts_after(held.now, zone), count)))

    def as_dict(self) -> dict[str, Any]:
        """All that is known of it by the names of the settings, ready for JSON; `every`, `for` and `jitter` in seconds."""
        one = self.schedule
        return {
            "schedule": one.name,
            "cron": one.cron or None,
            "every": one.every or None,
            "zone": self.zone.key,
            "wakes": one.wakes,
            "for": one.keep_for,
            "pods": one.pods,
            "jitter": one.jitter,
            "last": self.last,
            "overdue": self.overdue,
            "next": self.next,
        }


def rows(outlooks: Sequence[Outlook], held: Held) -> Iterator[dict[str, Any]]:
    """All of it, ready for JSON; times in Unix seconds."""
    yield from (one.as_dict() for one in outlooks)
    for plan in held.plans:
        yield {"revision": str(plan.revision), "at": plan.at, "for": plan.keep_for, "pods": plan.pods, "cause": plan.cause}
    for kept in held.kept:
        yield {"revision": str(kept.revision), "until": kept.until, "pods": kept.pods}


def lines(outlooks: Sequence[Outlook], held: Held, zone: ZoneInfo) -> Iterator[str]:
    """All of it, a line each; what isn't a schedule's is shown in a zone."""
    yield from map(_line, outlooks)
    for plan in held.plans:
        keeps = f", keeps {_kept(plan.keep_for, plan.pods)}" if plan.keep_for else ""
        yield f"{moment(plan.at, zone)} wakes {plan.revision}{keeps}; planned by {plan.cause}"
    for kept in held.kept:
        yield f"{kept.revision} is kept warm until {moment(kept.until, zone)} with {_pods(kept.pods)}"


def tables(outlooks: Sequence[Outlook], held: Held, zone: ZoneInfo) -> list[Table]:
    """All of it, as tables for a terminal; what isn't a schedule's is shown in a zone."""
    schedules = _table("schedules", "", "starts", "wakes", "keeps", "last start", "next starts")
    for one in outlooks:
        wakes, nexts = "\n".join(one.schedule.wakes), "\n".join(moment(at, one.zone) for at in one.next)
        last = "\n".join(filter(None, (_moment(one.last, one.zone), _overdue(one))))
        schedules.add_row(
            *map(Text, (one.schedule.name, _when(one), wakes, _kept(one.schedule.keep_for, one.schedule.pods), last, nexts))
        )
    plans = _table("plans", "at", "wakes", "keeps", "planned by")
    for plan in held.plans:
        plans.add_row(*map(Text, (moment(plan.at, zone), str(plan.revision), _kept(plan.keep_for, plan.pods), plan.cause)))
    warm = _table("kept warm", "", "until", "with")
    for kept in held.kept:
        warm.add_row(*map(Text, (str(kept.revision), moment(kept.until, zone), _pods(kept.pods))))
    return [table for table in (schedules, plans, warm) if table.rows]


def moment(at: float, zone: ZoneInfo) -> str:
    """A Unix time as a zone's clocks show it, to the second, with the zone's offset."""
    return datetime.fromtimestamp(at, zone).isoformat(" ", "seconds")


def length(seconds: float) -> str:
    """A length of time as settings write it: `90m`."""
    for unit, name in ((3600, "h"), (60, "m"), (1, "s")):
        if seconds % unit == 0:
            return f"{seconds / unit:.0f}{name}"
    return f"{seconds * 1000:g}ms"


def _table(title: str, *columns: str) -> Table:
    """Of which times are never cut short."""
    table = Table(title=title, title_justify="left")
    for column in columns:
        table.add_column(column, no_wrap=column in {"at", "until", "next starts", "last start"}, overflow="fold")
    return table


def _line(one: Outlook) -> str:
    parts = [f"{one.schedule.name} wakes {' '.join(one.schedule.wakes)}: {_when(one)}"]
    if one.schedule.keep_for:
        parts.append(f"keeps {_kept(one.schedule.keep_for, one.schedule.pods)}")
    if one.last is not None:
        parts.append(f"last {_moment(one.last, one.zone)}")
    if one.overdue is not None:
        parts.append(_overdue(one))
    if one.next:
        parts.append(f"next {', '.join(moment(at, one.zone) for at in one.next)}")
    return "; ".join(parts)


def _when(one: Outlook) -> str:
    schedule = one.schedule
    late = f", up to {length(schedule.jitter)} late" if schedule.jitter else ""
    return (f"{schedule.cron} in {one.zone.key}" if schedule.cron else f"every {length(schedule.every)}") + late


def _kept(seconds: float, pods: int) -> str:
    return f"{_pods(pods)} for {length(seconds)}" if seconds else ""


def _pods(count: int) -> str:
    return f"{count} pod{'s' * (count != 1)}"


def _overdue(one: Outlook) -> str:
    return "" if one.overdue is None else f"overdue since {_moment(one.overdue, one.zone)}"


def _moment(at: float | None, zone: ZoneInfo) -> str:
    return "" if at is None else moment(at, zone)
