"""`wakequeue schedule`: when each schedule starts next, what is planned, and who is kept warm."""

import json
import time
from typing import Final

import click
from rich.console import Console

from wakequeue.broker import QUEUE
from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger import Starts
from wakequeue.outlook import Held, Outlook, lines, rows, tables
from wakequeue.reach import Reach
from wakequeue.setting_sources import load
from wakequeue.settings import Settings

NONE: Final = """there are no schedules; one in the file that WAKEQUEUE_SETTINGS_FILE names would be:
[schedules.office]
cron = "55 8 * * mon-fri"
zone = "Europe/Berlin"
wakes = "shop/web"
for = "9h"
"""


@click.group()
def schedule() -> None:
    """Look at what wakes Revisions without a call."""


@schedule.command("list")
@click.option("--next", "count", type=click.IntRange(0, 1_000), default=3, show_default=True, help="How many starts of each.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line; times are Unix seconds.")
def list_(*, count: int, as_json: bool) -> None:
    """List schedules with their next starts, what is planned, and who is kept warm."""
    settings = load()
    held, zone, console = _held(settings), settings.zone.info, Console()
    outlooks = [Outlook.of(one, zone, held, count) for one in settings.schedules.values()]
    if as_json:
        for row in rows(outlooks, held):
            click.echo(json.dumps(row))
        return
    if not outlooks:
        click.echo(NONE, nl=False)
    if console.is_terminal:
        for table in tables(outlooks, held, zone):
            console.print(table)
    else:
        for line in lines(outlooks, held, zone):
            click.echo(line)


def _held(settings: Settings) -> Held:
    """What the ledger has; says where it gives no answer, and where there are schedules and nothing to start them."""
    try:
        starts = Starts.connect(Reach(settings), settings, QUEUE)
        held = Held(starts.clock(), starts.last_starts(), starts.planned(), starts.kept(), starts.leader())
    except LedgerUnavailable as error:
        click.echo(f"wakequeue: Redis does not answer: {error}; these are the schedules alone", err=True)
        return Held(time.time())
    if settings.schedules and not held.leader:
        click.echo("wakequeue: no beat leads, so that no schedule starts anything: is `wakequeue beat` running?", err=True)
    return held
