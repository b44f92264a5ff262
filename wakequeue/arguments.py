"""What several commands take and print."""

import datetime as dt
import re
from typing import Final

import click

from wakequeue.revision import Revision


class _RevisionType(click.ParamType[Revision]):
    name = "NAMESPACE/REVISION"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Revision:
        try:
            return Revision.parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _WakeupType(click.ParamType[str]):
    name = "ID"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch("[0-9a-f]{6,32}", value.lower()):
            self.fail(f"{value!r} is no id of a wake-up, nor its first 6 hexadecimal digits or more", param, ctx)
        return value.lower()


#: Where the stand-in Autoscaler listens, unless it is told otherwise.
STANDIN: Final = "127.0.0.1:8080"

#: A Revision, by its key.
REVISION: Final = _RevisionType()

#: The id of a wake-up, or as much of its head as tells it from others.
WAKEUP: Final = _WakeupType()


def moment(at: float) -> str:
    """A Unix time as a person reads it, in this machine's zone, to the millisecond."""
    return dt.datetime.fromtimestamp(at).astimezone().isoformat(" ", "milliseconds")


def counted(calls: dict[str, int]) -> str:
    """Who called how often: `mixer_authorization 10.0.0.7 (3), others (1)`."""
    return ", ".join(f"{caller} ({number})" for caller, number in calls.items()) or "nobody known"
