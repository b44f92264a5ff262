"""What becomes of a call."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """What became of a call; the label `outcome` of `wakequeue_calls`."""

    #: Durable, and its Revision sleeps or wakes.
    RECORDED = "recorded"
    #: Durable, for later: its Revision wakes at the time that was asked for.
    PLANNED = "planned"
    #: Its Revision is awake.
    AWAKE = "awake"
    #: Its Revision is seen to be ready: nobody needs to hear of it.
    PASSED = "passed"
    #: A further attempt of a request that was recorded before, and still waits.
    WAITING = "waiting"
    #: Held in memory: not yet durable when its answer was due.
    BUFFERED = "buffered"
    #: Not held: the buffer was full, or it asks for what only the ledger can keep, which was away.
    DROPPED = "dropped"
    #: A rule says that it wakes nothing.
    IGNORED = "ignored"
    #: It names no Revision, or one that doesn't exist, or can't be read.
    UNRESOLVED = "unresolved"
    #: It met a defect of wakequeue.
    FAILED = "failed"


#: What becomes of a call that wakes nothing, however often it is made: its request has nothing to wait for.
WAKES_NOTHING: Final = frozenset({Outcome.UNRESOLVED, Outcome.IGNORED})

#: What becomes of a call whose Revision isn't awake, and will be reported: its request has something to wait for.
WILL_WAKE: Final = frozenset({Outcome.RECORDED, Outcome.WAITING, Outcome.BUFFERED})

#: From what needs nothing more to what nobody knows: of several Revisions' outcomes the last in this order is the call's.
LESS_AND_LESS_CERTAIN: Final = (
    Outcome.UNRESOLVED,
    Outcome.IGNORED,
    Outcome.PASSED,
    Outcome.AWAKE,
    Outcome.PLANNED,
    Outcome.RECORDED,
    Outcome.WAITING,
    Outcome.BUFFERED,
    Outcome.DROPPED,
    Outcome.FAILED,
)


def least_certain(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of a call of several Revisions."""
    return max(outcomes, key=LESS_AND_LESS_CERTAIN.index)
