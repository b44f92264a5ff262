"""The command line: `wakequeue COMMAND`. Each command is where its subject is, and is imported only when it is asked for."""

import importlib
import sys
from typing import Final

import click

from wakequeue import __version__
from wakequeue.errors import CannotStart, LedgerFull, LedgerUnavailable, NoFigure, SettingsError
from wakequeue.lasting import lasting

#: Where each command is: module and attribute, in the order in which they are listed.
COMMANDS: Final = {
    "up": ("wakequeue.up", "up"),
    "hook": ("gateway_hook.server", "hook"),
    "worker": ("workers.command", "worker"),
    "beat": ("workers.beating", "beat"),
    "flower": ("workers.flower_command", "flower"),
    "autoscaler": ("wakequeue.standin", "autoscaler"),
    "call": ("gateway_hook.command", "call"),
    "bench": ("gateway_hook.bench.command", "bench"),
    "wake": ("wakequeue.wake", "wake"),
    "sleep": ("wakequeue.wake", "sleep"),
    "mixer": ("gateway_hook.mixer.command", "mixer"),
    "status": ("wakequeue.status", "status"),
    "history": ("wakequeue.history", "history"),
    "schedule": ("wakequeue.schedule_command", "schedule"),
    "dead": ("wakequeue.dead", "dead"),
    "alive": ("wakequeue.alive", "alive"),
    "doctor": ("wakequeue.doctor.command", "doctor"),
}


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002  click's signature
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        with lasting():
            command: click.Command = getattr(importlib.import_module(module), attribute)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def wakequeue() -> None:
    """Tells Knative's Autoscaler that a sleeping application was called.

    Settings are read from WAKEQUEUE_* variables and from the TOML file that WAKEQUEUE_SETTINGS_FILE names.
    """


def main() -> None:
    """Run a command. Exit code 2 for wrong settings or usage, 1 where something else is in the way."""
    try:
        wakequeue()
    except SettingsError as error:
        sys.exit(_say(error, 2))
    except LedgerFull as error:
        sys.exit(_say(f"the ledger is full: {error}", 1))
    except LedgerUnavailable as error:
        sys.exit(_say(f"Redis does not answer: {error} (is `wakequeue up` running, or WAKEQUEUE_REDIS_URL set?)", 1))
    except (CannotStart, NoFigure) as error:
        sys.exit(_say(error, 1))


def _say(error: object, code: int) -> int:
    click.echo(f"wakequeue: {error}", err=True)
    return code
