"""`wakequeue doctor`: what is well in an installation, what isn't, and what to do about it."""

import asyncio
import itertools
import json
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wakequeue.doctor import autoscaler, cluster, ports, redis
from wakequeue.doctor.finding import Finding, Grade, well
from wakequeue.errors import SettingsError
from wakequeue.setting_sources import load
from wakequeue.settings import Settings

#: What is looked at, in the order in which it is told: each takes the settings, and returns findings.
EXAMINATIONS: Final[Mapping[str, Callable[[Settings], Awaitable[list[Finding]]]]] = {
    "redis": redis.examine,
    "autoscaler": autoscaler.examine,
    "ports": ports.examine,
    "cluster": cluster.examine,
}

#: How long each may take; they are made at the same time.
WITHIN: Final = 9.0

COLOURS: Final[dict[Grade, str]] = {"ok": "green", "warning": "yellow", "error": "bold red"}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def doctor(as_json: bool) -> None:  # noqa: FBT001  click passes flags as booleans
    """Say what is well in the installation that the settings describe, what isn't, and what to do.

    Exit code 1 where something is wrong, be it a setting; a warning is nothing wrong.
    """
    findings = asyncio.run(examine())
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


async def examine(environ: Mapping[str, str] | None = None) -> list[Finding]:
    """All that is found of the installation that the settings in this environment describe, or in that of this process."""
    try:
        settings = load(environ)
    except SettingsError as error:
        return [Finding.error("settings", str(error), "Nothing else is looked at before that")]
    found = await asyncio.gather(*(_bounded(subject, examine(settings)) for subject, examine in EXAMINATIONS.items()))
    return [Finding.ok("settings", "all are allowed"), *itertools.chain.from_iterable(found)]


async def _bounded(subject: str, examining: Awaitable[list[Finding]]) -> list[Finding]:
    """What an examination finds; that it finds nothing in time, or fails, is a finding."""
    try:
        async with asyncio.timeout(WITHIN):
            return await examining
    except TimeoutError:
        return [Finding.error(subject, f"it could not be looked at within {WITHIN:g} s", "See to the network, and look again")]
    except Exception as error:  # noqa: BLE001  whatever it is, the other findings count
        return [Finding.error(subject, f"it could not be looked at: {error!r}", "Report a defect")]
