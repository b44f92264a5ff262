"""Each verb's Lua text: what it may do, the prelude, what it shares with others, the verb's own file, and how all of them end."""

from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from typing import Any, Final, Literal, TypeVar

from redis.exceptions import DataError, RedisError

from wakequeue.errors import LedgerUnavailable

T = TypeVar("T")

Verb = Literal[
    "record",
    "take",
    "settle",
    "release",
    "bury",
    "sweep",
    "hasten",
    "replay",
    "purge",
    "census",
    "begin",
    "cancel",
    "lead",
    "present",
]

#: Keys that are read without a script; all are in the docstring of `wakequeue.ledger`.
REVISION: Final = "{wakequeue}:r:"
PENDING: Final = "{wakequeue}:pending"
LEASED: Final = "{wakequeue}:leased"
BURIED: Final = "{wakequeue}:buried"
DEAD: Final = "{wakequeue}:dead"
HISTORY: Final = "{wakequeue}:history"
HASTENED: Final = "{wakequeue}:hastened"
CONNECTED: Final = "{wakequeue}:connected"
PLANNED: Final = "{wakequeue}:planned"
PLANS: Final = "{wakequeue}:plans"
SCHEDULES: Final = "{wakequeue}:schedules"
BEAT: Final = "{wakequeue}:beat"
PROCESSES: Final = "{wakequeue}:processes"

#: How many names go to one script, so that none keeps Redis from its other clients for more than some milliseconds.
NAMES_AT_ONCE: Final = 1_000

#: A full Redis refuses what adds to it, whole; what works off what is there goes on (Redis 7 and Valkey, "script flags").
FLAGS: Final[dict[Verb, str]] = {"record": "", "replay": "", "begin": "", "census": "no-writes"}
WORKS_OFF: Final = "allow-oom"

#: What some verbs share besides the prelude: keeping to a rate; making, bounding and taking out dead letters; making starts.
SHARED: Final[dict[str, frozenset[Verb]]] = {
    "limits": frozenset({"record", "take"}),
    "letters": frozenset({"settle", "bury", "sweep", "replay", "purge", "begin"}),
    "starts": frozenset({"begin", "sweep"}),
}


def script(verb: Verb) -> str:
    """The text that Redis runs for a verb."""
    shared = ["prelude", *(part for part, verbs in SHARED.items() if verb in verbs)]
    *before, own, after = (_text(part) for part in [*shared, verb, "epilogue"])
    return "\n".join([f"#!lua flags={FLAGS.get(verb, WORKS_OFF)}", *before, f"local function verb()\n{own}end", after])


def _text(part: str) -> str:
    return (resources.files(__package__) / f"{part}.lua").read_text()


def asked(ask: Callable[..., object], *arguments: Any, **options: Any) -> Any:  # noqa: ANN401  what Redis takes and answers has no one type
    """What Redis answers. Raises LedgerUnavailable where it gives no answer, or refuses."""
    try:
        return ask(*arguments, **options)
    except DataError:  # what was to be asked is no question: that is a defect, and asking again doesn't mend it
        raise
    except (RedisError, OSError) as error:
        raise LedgerUnavailable(str(error) or type(error).__name__) from error


def in_parts(names: Sequence[T]) -> Iterator[Sequence[T]]:
    """What goes into one script each."""
    return (names[start : start + NAMES_AT_ONCE] for start in range(0, len(names), NAMES_AT_ONCE))


def milliseconds(seconds: float) -> int:
    """The ledger's unit of time."""
    return round(seconds * 1000)


def seconds(milliseconds: bytes | int) -> float | None:
    """The other way round; None for the empty text that stands for no time."""
    return None if milliseconds == b"" else int(milliseconds) / 1000
