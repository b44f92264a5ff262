"""`wakequeue history`: what became of each wake-up, who called for it, and what it took."""

import contextlib
import json

import click

from wakequeue.arguments import REVISION, WAKEUP, counted, moment
from wakequeue.ledger import History, Outcome, WorkerLedger
from wakequeue.reach import Reach
from wakequeue.revision import Revision
from wakequeue.setting_sources import load


@click.command()
@click.argument("revision", type=REVISION, metavar="[NAMESPACE/REVISION]", required=False)
@click.option("--count", type=click.IntRange(min=0), default=20, show_default=True, help="How many of the newest entries.")
@click.option("--follow", is_flag=True, help="Go on printing entries as they come, until Ctrl-C.")
@click.option("--wakeup", type=WAKEUP, metavar="ID", help="Only those of this wake-up, by 6 digits of its id or more.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def history(*, revision: Revision | None, count: int, follow: bool, wakeup: str | None, as_json: bool) -> None:
    """Show what became of each wake-up: reported to the Autoscaler, or buried; and how its waking ended: woken, or unwoken."""
    settings = load()
    trail = History(WorkerLedger.connect(Reach(settings), settings).client)
    newest = trail.last_id()
    for outcome in trail.newest(count, revision, newest, wakeup=wakeup or ""):
        _print(outcome, as_json=as_json)
    if follow:
        with contextlib.suppress(KeyboardInterrupt):
            for outcome in trail.follow(newest, revision, wakeup=wakeup or ""):
                _print(outcome, as_json=as_json)


def _print(outcome: Outcome, *, as_json: bool) -> None:
    click.echo(json.dumps(outcome.as_dict()) if as_json else _line(outcome))


def _line(outcome: Outcome) -> str:
    """One entry for a person: when, the head of its wake-up's id, which Revision, what became of it, and what it took."""
    begin = f"{moment(outcome.at)} {outcome.wakeup[:8] or '-' * 8} {outcome.revision} {outcome.outcome}, "
    if outcome.waking_seconds is not None:
        return f"{begin}{outcome.waking_seconds:.3f} s after its first call" + (outcome.reason and f": {outcome.reason}")
    what = f"{outcome.phase}: concurrency {outcome.concurrency:g}" if outcome.outcome == "reported" else outcome.reason
    parts = [begin + what]
    if outcome.first_call is None:
        parts.append("a repeat")
    else:
        waited = outcome.at - outcome.first_call
        parts.append(
            f"{outcome.calls} call{'s' * (outcome.calls != 1)} from {counted(outcome.callers)}, {waited:.3f} s after the first"
        )
    if outcome.tries:
        parts.append(f"attempt {outcome.attempts}, after {', '.join(cause for _, cause in outcome.tries)}")
    return "; ".join(parts)
