"""What becomes of a call."""

from enum import StrEnum
from typing import Final


class Outcome(StrEnum):
    """What became of a call; the label `outcome` of `wakequeue_calls`."""

    #: Durable, and its Revision sleeps or wakes.
    RECORDED = "recorded"
    #: Its Revision is awake.
    AWAKE = "awake"
    #: A further attempt of a request that was recorded before, and still waits.
    WAITING = "waiting"
    #: Held in memory: not yet durable when its answer was due.
    BUFFERED = "buffered"
    #: Not held: the buffer was full.
    DROPPED = "dropped"
    #: A rule says that it wakes nothing.
    IGNORED = "ignored"
    #: It names no Revision, or can't be read.
    UNRESOLVED = "unresolved"
    #: It met a defect of wakequeue.
    FAILED = "failed"


#: What becomes of a call that wakes nothing, however often it is made: its request has nothing to wait for.
WAKES_NOTHING: Final = frozenset({Outcome.UNRESOLVED, Outcome.IGNORED})
