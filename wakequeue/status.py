"""`wakequeue status`: what the ledger holds, by state; and who says that it is there."""

import json
from collections import Counter
from collections.abc import Iterable
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from wakequeue.broker import QUEUE
from wakequeue.ledger import Census, Presence, Presences, WorkerLedger
from wakequeue.reach import Reach
from wakequeue.setting_sources import load

#: The states of a wake-up as a person reads them, each with the figures of its Revisions (where they are kept) and calls.
ROWS: Final = (
    ("pending", "pending", "pending_calls"),
    ("leased", "leased", "leased_calls"),
    ("settled", None, "settled_calls"),
    ("buried", "buried", "buried_calls"),
    ("discarded", None, "discarded_calls"),
    ("recorded", None, "recorded_calls"),
)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(as_json: bool) -> None:  # noqa: FBT001  click passes flags as booleans
    """Show what the ledger holds, by state, and how many fronts, workers and beats there are."""
    settings = load()
    ledger = WorkerLedger.connect(Reach(settings), settings)
    census, there = ledger.census(QUEUE), counted(Presences(ledger.client).all())
    console = Console()
    if as_json:
        processes = [{"role": role, "version": version, "count": count} for (role, version), count in there.items()]
        click.echo(json.dumps(census.as_dict() | {"processes": processes}))
    elif console.is_terminal:
        console.print(table(census))
        console.print(", ".join(f"{count} {role} {version}" for (role, version), count in there.items()) or "nobody runs")
    else:
        for name, figure in census.as_dict().items():
            click.echo(f"{name} {figure:g}")
        for (role, version), count in there.items():
            click.echo(f"{role} {version} {count}")


def counted(presences: Iterable[Presence]) -> Counter[tuple[str, str]]:
    """How many there are, by role and version."""
    return Counter((one.role, one.version) for one in presences)


def table(census: Census) -> Table:
    """The census as a table for a terminal."""
    figures = census.as_dict()
    shown = Table("", "wake-ups", "calls", title="the ledger", title_justify="left", min_width=56)
    for column in shown.columns[1:]:
        column.justify = "right"
    for state, wakeups, calls in ROWS:
        shown.add_row(state, f"{figures[wakeups]:,.0f}" if wakeups else "", f"{figures[calls]:,.0f}")
    drift = f"{census.drift_calls:,}"
    shown.add_row("drift", "", drift if census.drift_calls == 0 else f"[bold red]{drift}[/]")
    shown.caption = (
        f"{census.queued_tasks} doorbells queued, {census.planned} starts planned, oldest due for {census.oldest_due_seconds:.1f} s"
    )
    return shown
