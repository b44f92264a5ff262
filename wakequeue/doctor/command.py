"""`wakequeue doctor`: what is well in an installation, what isn't, and what to do about it."""

import asyncio
import json
import sys
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wakequeue.doctor import cluster
from wakequeue.doctor.finding import Finding, Grade, well
from wakequeue.errors import SettingsError
from wakequeue.setting_sources import load

#: What is looked at, in order: each takes the settings, and returns findings.
EXAMINATIONS: Final = (cluster.examine,)

COLOURS: Final[dict[Grade, str]] = {"ok": "green", "warning": "yellow", "error": "bold red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(as_json: bool) -> None:  # noqa: FBT001  click passes flags as booleans
    """Say what is well in the installation that the settings describe, what isn't, and what to do.

    Exit code 1 where something is wrong, be it a setting; a warning is nothing wrong.
    """
    findings = asyncio.run(_examine())
    console = Console(highlight=False)
    if as_json:
        click.echo(json.dumps({"ok": well(findings), "findings": [one.as_dict() for one in findings]}))
    elif console.is_terminal:
        console.print(table(findings))
    else:
        for one in findings:
            click.echo(f"{one.grade:<7}  {one.subject:<17}  {one.text}")
    sys.exit(0 if well(findings) else 1)


def table(findings: list[Finding]) -> Table:
    """The findings for a terminal."""
    shown = Table.grid(padding=(0, 2, 0, 0))
    for one in findings:
        shown.add_row(Text(one.grade, COLOURS[one.grade]), Text(one.subject), Text(one.text))
    return shown


async def _examine() -> list[Finding]:
    try:
        settings = load()
    except SettingsError as error:
        return [Finding.error("settings", str(error), "Nothing else is looked at before that")]
    found = [Finding.ok("settings", "all are allowed")]
    for examine in EXAMINATIONS:
        found += await examine(settings)
    return found
