"""`wakequeue wake` and `wakequeue sleep`: Revisions woken by hand, now or at a time, and kept warm; and all that taken back."""

import contextlib
import getpass
import json
import os
import socket
import time
from collections.abc import Sequence
from typing import Literal

import click
from kombu.exceptions import OperationalError

from wakequeue import broker
from wakequeue.allowed import may_wake
from wakequeue.arguments import REVISION
from wakequeue.by_hand import Asked
from wakequeue.ledger import Start, Starts
from wakequeue.reach import Reach
from wakequeue.revision import Revision
from wakequeue.setting_sources import load
from wakequeue.settings import Settings


@click.command()
@click.argument("revisions", type=REVISION, nargs=-1, required=True, metavar="NAMESPACE/REVISION...")
@click.option("--for", "keep_for", metavar="DURATION", help="Keep them warm for so long from then, such as 10m.")
@click.option("--at", metavar="TIME", help="Wake them then, not now: 08:55, the next one, or 2026-11-30T08:55, or with +01:00.")
@click.option("--pods", metavar="N", help="With --for: keep at least so many pods of each; else one.")
@click.option("--zone", help="The time zone of --at, such as Europe/Berlin; else that of the settings.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def wake(
    *, revisions: tuple[Revision, ...], keep_for: str | None, at: str | None, pods: str | None, zone: str | None, as_json: bool
) -> None:
    """Wake Revisions, now or at a time, and keep them warm."""
    settings, now = load(), time.time()
    told = {"for": keep_for, "at": at, "pods": pods, "zone": zone}
    try:
        asked = Asked.read({name: text for name, text in told.items() if text is not None}, settings.zone.info, now)
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    wanted = list(dict.fromkeys(revisions))
    _refuse_namespaces(wanted, settings)
    outcome = _begin(wanted, asked, settings)
    for revision in wanted:
        said = {"revision": str(revision), "outcome": outcome} | asked.times(now)
        click.echo(json.dumps(said) if as_json else _line(said))


@click.command()
@click.argument("revisions", type=REVISION, nargs=-1, metavar="[NAMESPACE/REVISION]...")
@click.option("--all", "every", is_flag=True, help="All Revisions.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def sleep(*, revisions: tuple[Revision, ...], every: bool, as_json: bool) -> None:
    """Take back what is planned of Revisions, and keep them warm no longer.

    One that is awake is then left to the Autoscaler. Schedules in the settings go on, and wake them at their next start.
    """
    if bool(revisions) == every:
        msg = "say which: NAMESPACE/REVISION..., or --all"
        raise click.UsageError(msg)
    settings = load()
    cancelled = Starts.connect(Reach(settings), settings, broker.QUEUE).cancel(None if every else revisions)
    if as_json:
        click.echo(json.dumps({"plans": cancelled.plans, "kept": cancelled.kept}))
    else:
        click.echo(
            f"{cancelled.plans} plan{'s' * (cancelled.plans != 1)} cancelled; "
            f"{cancelled.kept} Revision{'s' * (cancelled.kept != 1)} no longer kept warm"
        )


def _refuse_namespaces(revisions: Sequence[Revision], settings: Settings) -> None:
    if refused := [str(revision) for revision in revisions if not may_wake(revision.namespace, settings)]:
        msg = f"{', '.join(refused)}: nothing wakes there, as the settings namespaces and denied_namespaces say"
        raise click.ClickException(msg)


def _begin(revisions: Sequence[Revision], asked: Asked, settings: Settings) -> Literal["planned", "recorded"]:
    """Hand starts to the ledger, and ring for those that are due; returns what became of them."""
    reach = Reach(settings)
    starts = [Start(revision, asked.at, asked.keep_for, asked.pods) for revision in revisions]
    begun = Starts.connect(reach, settings, broker.QUEUE).begin(f"hand {_who()}", starts)
    if begun.due:
        with contextlib.suppress(OperationalError, OSError):  # the sweep rings
            broker.ring(broker.make_app(reach), begun.due)
    if begun.missed:
        msg = "by Redis's clock that is past for longer than make_up_within: they are dead letters, expired"
        raise click.ClickException(msg)
    return "planned" if begun.planned else "recorded"


def _who() -> str:
    """Who runs this, and where, for the audit trail."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # as in a container, whose users have no names
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _line(said: dict[str, str | int]) -> str:
    woken = f"{said['revision']} is " + (f"planned for {said['at']}" if said["outcome"] == "planned" else "woken now")
    if "until" not in said:
        return woken
    return f"{woken}, and kept warm until {said['until']} with at least {said['pods']} pod{'s' * (said['pods'] != 1)}"
