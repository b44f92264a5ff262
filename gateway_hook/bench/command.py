"""`wakequeue bench`: how fast a running installation answers and reports, or no figure at all."""

import asyncio
import itertools
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click
from rich.console import Console

from gateway_hook.bench.connection import Target
from gateway_hook.bench.figures import Figure, results, table
from gateway_hook.bench.load import Caller
from gateway_hook.bench.measured import IN_FLIGHT, MOST_QUIET, OPEN_SHARE, ROUNDS, Measured
from gateway_hook.bench.revisions import Messages, Revisions
from gateway_hook.bench.trail import Trail
from gateway_hook.client import METHOD, Front, Own, with_own
from wakequeue.allowed import may_wake
from wakequeue.arguments import REVISION
from wakequeue.errors import NoFigure
from wakequeue.ledger import WorkerLedger
from wakequeue.reach import Reach
from wakequeue.revision import LABEL, Revision
from wakequeue.setting_sources import load
from wakequeue.settings import Settings

#: What gRPC's own health check is asked: of the whole server.
HEALTH: Final = "/grpc.health.v1.Health/Check"
WHOLE: Final = b""

#: How wide a table is that isn't for a terminal.
WIDE: Final = 180


@click.command()
@click.option("--rate", type=click.IntRange(min=1), default=1_000, show_default=True, help="Calls a second in the open loop.")
@click.option("--seconds", type=click.FloatRange(min=0.1), default=10.0, show_default=True, help="How long each open loop is.")
@click.option("--revisions", type=click.IntRange(1, 10_000), default=100, show_default=True, help="How many are called in turn.")
@click.option("--namespace", default="wakequeue-bench", show_default=True, help="Of the Revisions, which have new names each time.")
@click.option(
    "--revision",
    "named",
    type=REVISION,
    multiple=True,
    help="Call this one instead, and others that are named so: where the front has access to Kubernetes it wakes only what exists.",
)
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), default="results.json", show_default=True, help="As JSON."
)
@with_own
@click.option("--json", "as_json", is_flag=True, help="Print the JSON too, not a table.")
def bench(  # noqa: PLR0913  click passes each option as an argument
    *,
    rate: int,
    seconds: float,
    revisions: int,
    namespace: str,
    named: tuple[Revision, ...],
    output: Path,
    own: Own,
    as_json: bool,
) -> None:
    """Measure a running installation: how fast it answers calls, and how soon it reports them.

    It has the front's settings, as `wakequeue call` has, and reads the ledger. No figure is printed where a call fails, or isn't
    reported to the Autoscaler.
    """
    settings, named = load(), tuple(dict.fromkeys(named))
    if not LABEL.fullmatch(namespace):
        msg = "allowed is the name of a namespace, such as wakequeue-bench"
        raise click.BadParameter(msg, param_hint="--namespace")
    if not os.access(output if output.exists() else output.parent, os.W_OK):
        msg = f"{output} can't be written"
        raise click.BadParameter(msg, param_hint="--output")
    _refuse_namespaces(settings, {one.namespace for one in named} or {namespace})
    front, called = Front.of(settings, own), Revisions(settings, namespace, revisions, named)
    _say(_announced(settings, front, called, rate, seconds))
    figures = asyncio.run(_measure(settings, front, called, rate, seconds))
    which = {"revision": list(map(str, named))} if named else {"namespace": namespace, "revisions": revisions}
    how = {"command": "wakequeue bench", "rate": rate, "seconds": seconds, "in_flight": IN_FLIGHT, "tls": front.tls is not None}
    write(output, figures, how | which, as_json=as_json)


async def _measure(settings: Settings, front: Front, revisions: Revisions, rate: int, seconds: float) -> list[Figure]:
    tls = front.tls.context() if front.tls else None
    method, health = (Target(front.address, path, front.metadata, tls, front.server_name) for path in (METHOD, HEALTH))
    messages, ledger = Messages(), WorkerLedger.connect(Reach(settings), settings)
    async with (
        Trail(ledger, revisions.has) as trail,
        Caller(health, itertools.repeat(WHOLE)) as checks,
        Caller(method, messages) as calls,
    ):
        if calls.most_in_flight < IN_FLIGHT:
            _say(
                f"The front takes {calls.most_in_flight} calls at once (WAKEQUEUE_GRPC_CALLS_IN_FLIGHT); others wait, which counts."
            )
        measured = Measured(calls, checks, messages, revisions, trail, settings, rate=rate, seconds=seconds)
        return await measured.all(_say)


def _refuse_namespaces(settings: Settings, namespaces: set[str]) -> None:
    for namespace in namespaces:
        if not may_wake(namespace, settings):
            msg = f"nothing wakes in {namespace} (WAKEQUEUE_NAMESPACES, WAKEQUEUE_DENIED_NAMESPACES): see --namespace"
            raise NoFigure(msg)


def _announced(settings: Settings, front: Front, revisions: Revisions, rate: int, seconds: float) -> str:
    """What will be done, to whom, and roughly for how long."""
    calls, quiet = rate * seconds, min(revisions.count, MOST_QUIET)
    parts = seconds / (settings.waking_for * OPEN_SHARE)
    takes = 2 * seconds + calls / 500 + settings.waking_for + 3 + quiet / 15 + 6
    rests = (ROUNDS + parts + 2) * revisions.rest_seconds
    return (
        f"Calls the front at {front.address} for about {takes + rests:.0f} s: some {3 * calls:,.0f} calls, of {revisions.count} "
        "Revisions at a time, and as many health checks. Its calls are recorded, and reported to the Autoscaler. Ctrl-C ends it."
    )


def write(output: Path, figures: Sequence[Figure], conditions: Mapping[str, Any], *, as_json: bool) -> None:
    """Write the results, and print them."""
    written = json.dumps(results(figures, conditions), indent=2)
    output.write_text(f"{written}\n")
    console = Console()
    if as_json:
        click.echo(written)
    else:
        console.width = console.width if console.is_terminal else WIDE
        console.print(table(figures))


def _say(line: str) -> None:
    """Where it doesn't get among the figures."""
    click.echo(line, err=True)
