"""What a caller of `/wake` wants: which Revisions to wake, when, and for how long they are kept warm. Pure.

One is named by the path, `/wake/NAMESPACE/REVISION`, or several by the query, `/wake?revision=...&revision=...`. What else the
query may say is what `wakequeue wake` takes.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from gateway_hook.call import Call, Exact
from gateway_hook.http.request import Headers, Wake
from wakequeue.by_hand import NAMES, Asked
from wakequeue.traces import NO_TRACES, TraceOf

#: What the headers begin with in which a call that wakes tells of its request, such as `x-wakequeue-path`.
TOLD: Final = "x-wakequeue-"

#: The parameter that names a Revision, and how many one request may name.
REVISION: Final = "revision"
MOST_REVISIONS: Final = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """The keys of Revisions, as they were written, and what is asked for them; None where they are only to wake, now.

    `several` is true where the query names them, however many it names.
    """

    keys: tuple[str, ...]
    asked: Asked | None = None
    several: bool = False

    @classmethod
    def read(cls, wake: Wake, zone: ZoneInfo, now: float) -> "Wanted":
        """Read a path and its query; `zone` is for a query that tells none. Raises ValueError, which says what is wrong."""
        # A plus is one, as in an offset, and no space, as in a form.
        fields = parse_qsl(wake.query.replace("+", "%2B"), keep_blank_values=True)
        told = {name: value for name, value in fields if name != REVISION}
        keys = (wake.key,) if wake.key else tuple(dict.fromkeys(value for name, value in fields if name == REVISION))
        _refuse_names([name for name, _ in fields], NAMES if wake.key else (REVISION, *NAMES))
        if not 1 <= len(keys) <= MOST_REVISIONS:
            msg = f"{REVISION}: it comes {len(keys)} times; allowed is 1 to {MOST_REVISIONS} times"
            raise ValueError(msg)
        asked = Asked.read(told, zone, now)
        return cls(keys, asked if asked.at or asked.keep_for else None, several=not wake.key)


def wake_call(headers: Headers, key: str, trace_of: TraceOf = NO_TRACES.trace_of) -> Call:
    """The call that a caller of `/wake` makes; what it tells of a request, the rules look at."""
    told = {name: headers.get(TOLD + name, "") for name in ("method", "path", "host", "user-agent")}
    namespace, _, name = key.partition("/")
    return Call(
        sources=(Exact(namespace.encode(), name.encode()),),
        method=told["method"],
        path=told["path"],
        host=told["host"],
        user_agent=told["user-agent"],
        trace=trace_of(headers.items()),
    )


def _refuse_names(names: list[str], known: tuple[str, ...]) -> None:
    for name in names:
        if name not in known:
            msg = f"{name[:70]!r} is no parameter here; allowed are {', '.join(known)}"
            raise ValueError(msg)
        if name != REVISION and names.count(name) > 1:
            msg = f"{name}: it comes twice"
            raise ValueError(msg)
