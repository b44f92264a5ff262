"""Every log event of wakequeue, named once, with one line on what it says; and how often it is written.

It is logged as `event key=value ...`, or as JSON; see `wakequeue.logs`.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Final


class Event(StrEnum):
    """What is worth a line in the log."""

    #: A process answers, or consumes.
    STARTED = "started"
    #: A process was told to stop and finishes what it has begun.
    DRAINING = "draining"
    #: A process that was told to stop didn't end in time, and ends now, whatever it still waited for.
    ENDED_LATE = "ended_late"
    #: gRPC's server ended by itself, as a call with a malformed path has it do; another one listens.
    SERVER_ENDED = "server_ended"
    #: A call named no Revision; its user was let through, and nothing was recorded.
    UNRESOLVED = "unresolved"
    #: A call met a defect of wakequeue; its user was let through.
    CALL_FAILED = "call_failed"
    #: A call was not let in: its caller is not allowed, or showed no token that is.
    REFUSED = "refused"
    #: Files with certificates or tokens changed, and what is in them is in force.
    RENEWED = "renewed"
    #: Files with certificates or tokens changed and can't be used; what was in force before still is.
    NOT_RENEWED = "not_renewed"
    #: Redis did not answer; what is to be recorded waits until it is back.
    LEDGER_AWAY = "ledger_away"
    #: Redis answers again.
    LEDGER_BACK = "ledger_back"
    #: A Revision that was asleep was called; what becomes of it carries the same `wakeup`.
    RECORDED = "recorded"
    #: Calls could not be held until Redis came back.
    CALLS_DROPPED = "calls_dropped"
    #: The cluster was listed.
    CLUSTER_KNOWN = "cluster_known"
    #: Not all of the cluster could be listed in time; the process goes on without, and tries again.
    CLUSTER_UNKNOWN = "cluster_unknown"
    #: An object of the cluster is not as it should be; what can't be read doesn't count.
    CLUSTER_UNREADABLE = "cluster_unreadable"
    #: The cluster's API did not answer; what was known of a collection stays, and gets older.
    CLUSTER_AWAY = "cluster_away"
    #: The cluster's API answers again.
    CLUSTER_BACK = "cluster_back"
    #: The front is to hold calls, and there is no cluster that says when a Revision is ready: it answers them at once.
    HOLDS_NOTHING = "holds_nothing"
    #: A doorbell could not be published; the sweep will ring it.
    DOORBELL_LOST = "doorbell_lost"
    #: The connection to the Autoscaler is open.
    CONNECTED = "connected"
    #: The connection to the Autoscaler ended or failed; another is tried.
    DISCONNECTED = "disconnected"
    #: The first report of a waking was confirmed by the Autoscaler.
    REPORTED = "reported"
    #: Reports were not confirmed; their wake-ups are pending again.
    RELEASED = "released"
    #: A lease ran out before its holder was done; another worker reports it again.
    LEASE_LOST = "lease_lost"
    #: A wake-up became a dead letter.
    BURIED = "buried"
    #: A Revision is ready that was not when it was called.
    WOKEN = "woken"
    #: A Revision was not ready in time after it was called, and became a dead letter; what Knative says is its cause.
    UNWOKEN = "unwoken"
    #: A Revision was reported without those that wake with it: they could not be recorded.
    WOKE_ALONE = "woke_alone"
    #: The sweep could not run, and tries again.
    SWEEP_FAILED = "sweep_failed"
    #: This beat starts what schedules say.
    LEADS = "leads"
    #: Another beat does; this one takes over should that one be gone.
    FOLLOWS = "follows"
    #: There are no schedules, and the beat has nothing to do.
    NO_SCHEDULES = "no_schedules"
    #: The beat met a defect of wakequeue, and goes on.
    BEAT_FAILED = "beat_failed"
    #: A start of a schedule was made.
    SCHEDULED = "scheduled"
    #: Revisions of a schedule were not started: their namespace may not wake, or they don't exist.
    LEFT_OUT = "left_out"
    #: A start that was sent to the workers isn't in the ledger after 5 s, and is sent again.
    SENT_AGAIN = "sent_again"
    #: A schedule means nobody that is known here, or the cluster isn't known yet, and the beat asks again.
    START_UNKNOWN = "start_unknown"
    #: OpenTelemetry complains, of where its spans go for the most part; spans are lost, and nothing else.
    SPANS_LOST = "spans_lost"
    #: The admin address is taken; this process serves its metrics on another port.
    ADMIN_PORT_TAKEN = "admin_port_taken"


_log: Final = logging.getLogger("wakequeue")

#: How many lines a second each process writes of an event that is no trouble, and comes with every wake-up.
LINES_A_SECOND: Final = 20


def info(event: Event, **details: object) -> None:
    """Log what an operator may want to know."""
    _log.info(_line(event, details), extra=_extra(event, details))


def warning(event: Event, **details: object) -> None:
    """Log what an operator should know."""
    _log.warning(_line(event, details), extra=_extra(event, details))


def _extra(event: Event, details: dict[str, object]) -> dict[str, object]:
    """What `wakequeue.logs` makes JSON of."""
    return {"wakequeue": {"event": event, **details}}


class Bounded:
    """Logs an event `most` times in `every` seconds, then with how often it happened since; safe to share between threads."""

    def __init__(self, event: Event, every: float = 10.0, most: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self._event, self._every, self._most, self._clock = event, every, most, clock
        self._lock = threading.Lock()
        self._until, self._left, self._skipped = -math.inf, 0, 0

    def warning(self, **details: object) -> None:
        """Log what an operator should know, or count it for the next time."""
        if (since_last := self._admitted()) is not None:
            warning(self._event, **details, **since_last)

    def info(self, **details: object) -> None:
        """Log what an operator may want to know, or count it for the next time."""
        if (since_last := self._admitted()) is not None:
            info(self._event, **details, **since_last)

    def _admitted(self) -> dict[str, object] | None:
        """What a line has besides its details; None where it is only counted."""
        with self._lock:
            now = self._clock()
            if now >= self._until:
                self._until, self._left = now + self._every, self._most
            if not self._left:
                self._skipped += 1
                return None
            self._left -= 1
            skipped, self._skipped = self._skipped, 0
        return {"since_last": skipped} if skipped else {}


def often(event: Event) -> Bounded:
    """Of what comes with each wake-up, some lines a second."""
    return Bounded(event, every=1.0, most=LINES_A_SECOND)


def _line(event: Event, details: dict[str, object]) -> str:
    return " ".join([event, *(f"{key}={_value(value)}" for key, value in details.items())])


def _value(value: object) -> str:
    text = str(value)
    return text if text and text.isprintable() and not set(text) & {" ", '"', "="} else repr(text)
