"""`wakequeue status`: what the ledger holds, by state."""

import json
from typing import Final

import click
from rich.console import Console
from rich.table import Table

from wakequeue.broker import QUEUE
from wakequeue.ledger import Census, WorkerLedger
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
    """Show what the ledger holds, by state."""
    settings = load()
    census = WorkerLedger.connect(Reach(settings), settings).census(QUEUE)
    console = Console()
    if as_json:
        click.echo(json.dumps(census.as_dict()))
    elif console.is_terminal:
        console.print(table(census))
    else:
        for name, figure in census.as_dict().items():
            click.echo(f"{name} {figure:g}")


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
