"""`wakequeue schedule`: when each schedule starts next, and what is planned."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final
from zoneinfo import ZoneInfo

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wakequeue.broker import QUEUE
from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger import Plan, Starts
from wakequeue.reach import Reach
from wakequeue.schedule import Schedule, newest_due
from wakequeue.setting_sources import load
from wakequeue.settings import Settings

#: The ledger's unit.
MILLISECOND: Final = 0.001

NONE: Final = """there are no schedules; one in the file that WAKEQUEUE_SETTINGS_FILE names would be:
[schedules.office]
cron = "55 8 * * mon-fri"
zone = "Europe/Berlin"
wakes = "shop/web"
for = "9h"
"""


@dataclass(frozen=True, slots=True)
class Outlook:
    """A schedule, the zone in which it is shown, its last start that is in the ledger, and its next ones, in Unix seconds."""

    schedule: Schedule
    zone: ZoneInfo
    last: float | None
    next: tuple[float, ...]

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
            "next": self.next,
        }


@click.group()
def schedule() -> None:
    """Look at what wakes Revisions without a call."""


@schedule.command("list")
@click.option("--next", "count", type=click.IntRange(0, 1_000), default=3, show_default=True, help="How many starts of each.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line; times are Unix seconds.")
def list_(*, count: int, as_json: bool) -> None:
    """List schedules, with their next starts, and the plans that the ledger keeps."""
    settings = load()
    last_starts, plans = _of_ledger(settings)
    outlooks = [outlook(one, settings.zone.info, last_starts, time.time(), count) for one in settings.schedules.values()]
    console = Console()
    if as_json:
        for row in [one.as_dict() for one in outlooks] + [_plan_as_dict(plan) for plan in plans]:
            click.echo(json.dumps(row))
        return
    if not outlooks:
        click.echo(NONE, nl=False)
    if console.is_terminal:
        for table in tables(outlooks, plans, settings.zone.info):
            console.print(table)
    else:
        for line in [_line(one) for one in outlooks] + [_plan_line(plan, settings.zone.info) for plan in plans]:
            click.echo(line)


def outlook(one: Schedule, zone: ZoneInfo, last_starts: dict[str, float], now: float, count: int) -> Outlook:
    """What is to come of a schedule; `zone` is for one that names none.

    Of one that hasn't started yet, the ledger has the time at which it heard of it.
    """
    reached = last_starts.get(one.name)
    last = None if reached is None else newest_due(one, reached - MILLISECOND, reached, zone)
    return Outlook(one, one.zone or zone, last, tuple(islice(one.starts_after(now, zone), count)))


def tables(outlooks: Sequence[Outlook], plans: Sequence[Plan], zone: ZoneInfo) -> list[Table]:
    """What is known, as tables for a terminal; plans are shown in a zone."""
    schedules = Table("", "starts", "wakes", "keeps", "last start", "next starts", title="schedules", title_justify="left")
    for one in outlooks:
        wakes, nexts = "\n".join(one.schedule.wakes), "\n".join(moment(at, one.zone) for at in one.next)
        kept = _kept(one.schedule.keep_for, one.schedule.pods)
        schedules.add_row(*map(Text, (one.schedule.name, _when(one), wakes, kept, _last(one), nexts)))
    planned = Table("", "wakes", "keeps", "planned by", title="plans", title_justify="left")
    for plan in plans:
        planned.add_row(*map(Text, (moment(plan.at, zone), str(plan.revision), _kept(plan.keep_for, plan.pods), plan.cause)))
    return [table for table in (schedules, planned) if table.rows]


def moment(at: float, zone: ZoneInfo) -> str:
    """A Unix time as a zone's clocks show it, to the second, with the zone's offset."""
    return datetime.fromtimestamp(at, zone).isoformat(" ", "seconds")


def length(seconds: float) -> str:
    """A length of time as settings write it: `90m`."""
    for unit, name in ((3600, "h"), (60, "m"), (1, "s")):
        if seconds % unit == 0:
            return f"{seconds / unit:.0f}{name}"
    return f"{seconds * 1000:g}ms"


def _of_ledger(settings: Settings) -> tuple[dict[str, float], list[Plan]]:
    """The last starts and the plans; none, with a warning, where Redis gives no answer."""
    try:
        starts = Starts.connect(Reach(settings), settings, QUEUE)
        return starts.last_starts(), starts.planned()
    except LedgerUnavailable as error:
        click.echo(f"wakequeue: Redis does not answer: {error}; last starts and plans are not shown", err=True)
        return {}, []


def _line(one: Outlook) -> str:
    parts = [f"{one.schedule.name} wakes {' '.join(one.schedule.wakes)}: {_when(one)}"]
    if one.schedule.keep_for:
        parts.append(f"keeps {_kept(one.schedule.keep_for, one.schedule.pods)}")
    if one.last is not None:
        parts.append(f"last {_last(one)}")
    if one.next:
        parts.append(f"next {', '.join(moment(at, one.zone) for at in one.next)}")
    return "; ".join(parts)


def _plan_line(plan: Plan, zone: ZoneInfo) -> str:
    kept = f", keeps {_kept(plan.keep_for, plan.pods)}" if plan.keep_for else ""
    return f"{moment(plan.at, zone)} wakes {plan.revision}{kept}; planned by {plan.cause}"


def _plan_as_dict(plan: Plan) -> dict[str, Any]:
    return {"revision": str(plan.revision), "at": plan.at, "for": plan.keep_for, "pods": plan.pods, "cause": plan.cause}


def _when(one: Outlook) -> str:
    schedule = one.schedule
    late = f", up to {length(schedule.jitter)} late" if schedule.jitter else ""
    return (f"{schedule.cron} in {one.zone.key}" if schedule.cron else f"every {length(schedule.every)}") + late


def _kept(seconds: float, pods: int) -> str:
    return f"{pods} pod{'s' * (pods != 1)} for {length(seconds)}" if seconds else ""


def _last(one: Outlook) -> str:
    return "" if one.last is None else moment(one.last, one.zone)
