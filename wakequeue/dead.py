"""`wakequeue dead`: the wake-ups that were given up, to be listed, shown, replayed or purged."""

import contextlib
import functools
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from wakequeue.arguments import counted, moment
from wakequeue.ledger import DeadLetter, DeadLetters, WorkerLedger
from wakequeue.reach import Reach
from wakequeue.setting_sources import load

#: How often a paced replay or purge goes on: smooth enough for the workers, seldom enough for Redis.
STEP_SECONDS: Final = 0.1

#: How many letters are purged in one step.
PURGED_AT_ONCE: Final = 1_000

#: Why wake-ups are given up.
REASONS: Final = ("expired", "poisoned", "unencodable", "unwoken")

Filter = Callable[[DeadLetter], bool]


@click.group()
def dead() -> None:
    """Look at the wake-ups that were given up, replay them, or purge them."""


def _filtered(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that choose letters by what they say; it gets `wanted`, and `chosen`: whether any was given."""

    @click.option("--reason", type=click.Choice(REASONS), help="Only those given up for this reason.")
    @click.option("--namespace", help="Only those of Revisions in this namespace.")
    @functools.wraps(command)
    def filtered(reason: str | None, namespace: str | None, **arguments: Any) -> None:  # noqa: ANN401  the command's own
        def wanted(letter: DeadLetter) -> bool:
            return reason in {None, letter.reason} and namespace in {None, letter.revision.namespace}

        command(wanted=wanted, chosen=reason is not None or namespace is not None, **arguments)

    return filtered


def _selected(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the letters that its arguments select: by id, by filter, or all."""

    @click.argument("ids", nargs=-1, metavar="[ID]...")
    @click.option("--all", "every", is_flag=True, help="All dead letters.")
    @_filtered
    @functools.wraps(command)
    def selected(ids: tuple[str, ...], *, every: bool, wanted: Filter, chosen: bool, **arguments: Any) -> None:  # noqa: ANN401  as above
        if bool(ids) + chosen + every != 1:
            msg = "say which dead letters: their ids, or --reason and --namespace, or --all"
            raise click.UsageError(msg)
        letters = _letters()
        command(letters=letters, ids=list(ids) or [letter.id for letter in letters.find(wanted)], **arguments)

    return selected


@dead.command("list")
@_filtered
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def list_(*, wanted: Filter, chosen: bool, as_json: bool) -> None:  # noqa: ARG001  a list without a filter is of all
    """List dead letters, the oldest first."""
    letters = _letters().find(wanted)
    console = Console()
    if as_json:
        for letter in letters:
            click.echo(json.dumps(letter.as_dict()))
    elif console.is_terminal:
        console.print(_table(letters))
    else:
        for letter in letters:
            click.echo(f"{letter.id} {letter.reason} {letter.calls} {moment(letter.buried_at)}")


@dead.command()
@click.argument("id_", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def show(id_: str, *, as_json: bool) -> None:
    """Show all that is known of one dead letter."""
    letter = next(_letters().find(lambda one: one.id == id_), None)
    if letter is None:
        msg = f"there is no dead letter {id_}: it was replayed or dropped, or never was"
        raise click.ClickException(msg)
    if as_json:
        click.echo(json.dumps(letter.as_dict()))
        return
    click.echo(f"{letter.revision}: {letter.reason}, buried {moment(letter.buried_at)} after {letter.attempts} attempts")
    click.echo(f"wake-up   {letter.wakeup or 'without an id'}")
    click.echo(f"calls     {letter.calls}, from {counted(letter.callers)}")
    click.echo(f"last call {moment(letter.last_call)}")
    for at, cause in letter.tries:
        click.echo(f"attempt   {moment(at)} {cause}")


@dead.command()
@_selected
@click.option("--rate", type=click.IntRange(min=1), default=500, show_default=True, help="How many a second.")
def replay(*, letters: DeadLetters, ids: list[str], rate: int) -> None:
    """Make dead letters pending again, as if they had been called now.

    A replay that was interrupted goes on with the rest when it is run again; none is replayed twice.
    """
    step = max(1, int(rate * STEP_SECONDS))
    _work_through(ids, letters.replay, step, step / rate, "replayed")


@dead.command()
@_selected
@click.option("--yes", is_flag=True, help="Don't ask.")
def purge(*, letters: DeadLetters, ids: list[str], yes: bool) -> None:
    """Drop dead letters for good."""
    if ids and not yes:
        click.confirm(f"Drop {len(ids)} dead letter{'s' * (len(ids) != 1)} for good?", abort=True)
    _work_through(ids, letters.purge, PURGED_AT_ONCE, 0.0, "purged")


def _letters() -> DeadLetters:
    settings = load()
    return DeadLetters(WorkerLedger.connect(Reach(settings), settings).client)


def _work_through(ids: Sequence[str], verb: Callable[[Sequence[str]], int], step: int, step_seconds: float, done: str) -> None:
    """Do the verb to `step` letters each `step_seconds`, and say at the end, or when interrupted, to how many it was done."""
    count = 0
    with _interruption() as interrupted, _progress() as progress:
        task = progress.add_task(done, total=len(ids))
        began = time.monotonic()
        for number, start in enumerate(range(0, len(ids), step)):
            if interrupted.wait(began + number * step_seconds - time.monotonic()):
                break
            part = ids[start : start + step]
            count += verb(part)
            progress.advance(task, len(part))
    if interrupted.is_set():
        click.echo(f"interrupted: {count} of {len(ids)} dead letters {done}; the same command goes on with the rest")
        raise click.exceptions.Exit(130)
    gone = len(ids) - count
    click.echo(
        f"{count} dead letter{'s' * (count != 1)} {done}"
        + (f"; {gone} not there: replayed or dropped before, or never" if gone else "")
    )


@contextlib.contextmanager
def _interruption() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets: the step in hand is finished, and counted."""
    interrupted = threading.Event()
    before = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _table(letters: Iterator[DeadLetter]) -> Table:
    shown = Table("id", "reason", "calls", "attempts", "buried", "last cause", title="dead letters", title_justify="left")
    for letter in letters:
        cause = letter.tries[-1][1] if letter.tries else ""
        shown.add_row(letter.id, letter.reason, f"{letter.calls:,}", str(letter.attempts), moment(letter.buried_at), cause)
    return shown
