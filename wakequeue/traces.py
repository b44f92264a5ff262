"""Traces: how the parts of wakequeue continue those that gateways began. Without the setting `traces` nothing here does anything.

    gateway ---- wakequeue.call ---- wakequeue.deliver (sent) ---- wakequeue.deliver (done)
                       ^
                       |  one link for each call
               wakequeue.report     the root of the wake-up's own trace, which has the wake-up's id

A call is continued where its gateway sampled it. No other begins a trace, but for a report of such calls, and the start of a
schedule: however many applications wake, what nobody traced makes no span.

`wakequeue.otel` makes real spans, with the extra `traces`, and is the only module that imports OpenTelemetry.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self

from wakequeue.errors import CannotStart
from wakequeue.settings import Settings

Said = str | int | float
Fields = Iterable[tuple[str, str | bytes]]
"""Headers, as names in lower case and values."""


class TraceOf(Protocol):
    """See `Traces.trace_of`."""

    def __call__(self, *headers: Fields) -> str:
        """The trace that headers name."""
        ...


class Span:
    """What becomes of one call, as a part of its trace; this one is part of none, and whatever it is told is dropped."""

    __slots__ = ("context",)

    def __init__(self) -> None:
        #: What continues it, a W3C `traceparent`; empty where it is part of no trace.
        self.context = ""

    def join(self, trace: str) -> None:
        """Be part of this trace, a `traceparent`; of none where that is empty."""

    def tell(self, **said: Said) -> None:
        """Say something of the call, such as its `outcome`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Be over."""


UNTRACED: Final = Span()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One report of a wake-up, or a try of it, to be told once it is over. Times are Unix seconds.

    While it is `waking`, its reports are one trace; each later one, of which there is no end, is a trace of its own. `traces` are
    those of its calls; `stages` say what was done between its beginning and its end, and when. Where there is an
    `error`, it failed.
    """

    wakeup: str
    waking: bool
    traces: Sequence[str]
    began_at: float
    ended_at: float
    stages: Mapping[str, float]
    said: Mapping[str, Said]
    error: str = ""


class Traces:
    """Makes the spans of one process; this one makes none."""

    def trace_of(self, *headers: Fields) -> str:
        """The trace that headers name, the first ones that name any; empty where none do, or it isn't sampled."""
        return ""

    def call(self, protocol: str) -> Span:
        """A span of a call that came just now, to be entered: it is over when that is left."""
        return UNTRACED

    def publish(
        self, task: str, queue: str, traces: Sequence[str] = (), *, begin: bool = False
    ) -> AbstractContextManager[dict[str, str]]:
        """The span of a message that continues these traces, or what this thread does; with what the message's headers say of it.

        Where there is nothing to continue, it is the first of a trace if it is to `begin` one.
        """
        return nullcontext({})

    def run(self, task: str, headers: Mapping[str, object]) -> AbstractContextManager[object]:
        """The span of the task that a message with these headers asks for, while it runs."""
        return nullcontext()

    def report(self, report: Report) -> None:
        """The span of a report."""

    def close(self) -> None:
        """Send what wasn't sent yet, if that can be done at once."""


NO_TRACES: Final = Traces()


def opened(settings: Settings, role: str, instance: str) -> Traces:
    """The traces that the settings want, of the process that has this role and name.

    Raises CannotStart where they want some, and the extra isn't installed, or what OpenTelemetry's own variables say can't be.
    """
    if not settings.traces:
        return NO_TRACES
    try:
        from wakequeue.otel import OpenTelemetry  # noqa: PLC0415  it takes 0.1 s and 6 MB

        return OpenTelemetry(role, instance)
    except ImportError as error:
        msg = "traces = true needs the extra: pip install 'wakequeue[traces]'"
        raise CannotStart(msg) from error
    except Exception as error:  # whatever OpenTelemetry raises, its variables say what it can't do
        msg = f"traces = true, and OpenTelemetry can't be used as its variables OTEL_... say: {error}"
        raise CannotStart(msg) from error
