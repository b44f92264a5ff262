"""Every metric and every log event of wakequeue, each named once, with one line on what it says.

Metrics follow Prometheus' naming; label values are from small fixed sets, never a path, a host or an error text. Events are
logged as `event key=value ...`, or as JSON; see `wakequeue.logs`.
"""

import logging
import math
import threading
import time
from collections.abc import Callable
from enum import StrEnum
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)

from wakequeue import __version__

_COLD_STARTS: Final = (0.1, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 90, 120, 180, 300, 600)
_SECONDS: Final = (0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1, 2, 4, 8, 16, 60, 300)

disable_created_metrics()  # type: ignore[no-untyped-call]

#: What a front exports, what a worker exports, and what a beat exports.
FRONT: Final = CollectorRegistry()
WORKER: Final = CollectorRegistry()
BEAT: Final = CollectorRegistry()

# The front
CALLS = Counter(
    "wakequeue_calls",
    "Calls from gateways, by protocol, and by what became of them: recorded, planned, awake, passed, waiting, buffered, dropped, "
    "ignored, unresolved or failed.",
    ["protocol", "outcome"],
    registry=FRONT,
)
UNRESOLVED = Counter("wakequeue_unresolved", "Calls that named no Revision, by reason.", ["reason"], registry=FRONT)
LOG_ENTRIES = Counter("wakequeue_log_entries", "Entries of gateways' access logs, by what they tell.", ["kind"], registry=FRONT)
IGNORED = Counter("wakequeue_ignored", "Calls that wake nothing, by the rule that says so.", ["reason"], registry=FRONT)
REFUSED = Counter("wakequeue_refused", "Calls that were not let in, by reason.", ["reason"], registry=FRONT)
RECORDED = Counter("wakequeue_recorded", "Calls that this front made durable in the ledger.", registry=FRONT)
PASSED = Counter("wakequeue_passed", "Calls that need no record: their Revision was ready, and still was later.", registry=FRONT)
DROPPED = Counter("wakequeue_dropped", "Calls that could not be held until Redis came back.", registry=FRONT)
BUFFERED = Gauge("wakequeue_buffered_calls", "Calls that this front holds and has not yet recorded.", registry=FRONT)
HELD = Gauge("wakequeue_held_calls", "Calls that wait for their Revisions to be ready before they are answered.", registry=FRONT)
HOLDS = Counter("wakequeue_holds", "Calls that were to wait so, by why they wait no longer.", ["ended"], registry=FRONT)

# The worker
REPORTS = Counter(
    "wakequeue_reports", "Reports confirmed by the Autoscaler, by the phase of the Revision.", ["phase"], registry=WORKER
)
REQUESTS = Counter("wakequeue_reported_requests", "Calls named in confirmed reports.", registry=WORKER)
FRAMES = Counter("wakequeue_frames", "WebSocket frames written to the Autoscaler.", registry=WORKER)
PONGS = Counter("wakequeue_pongs", "Pongs that confirmed frames.", registry=WORKER)
CONNECTED = Gauge("wakequeue_autoscaler_connected", "1 while the connection to the Autoscaler is open.", registry=WORKER)
RECONNECTS = Counter("wakequeue_reconnects", "Connections that ended or failed, by cause.", ["cause"], registry=WORKER)
DELAYED = Counter(
    "wakequeue_delayed", "Wake-ups that a rate limit put off, by whose: that of a namespace, or of all.", ["limit"], registry=WORKER
)
RELEASED = Counter("wakequeue_released", "Wake-ups given back for another attempt.", registry=WORKER)
LEASES_LOST = Counter("wakequeue_leases_lost", "Wake-ups whose lease ran out before they were done.", registry=WORKER)
LEASES_ENDED = Counter("wakequeue_leases_ended", "Leases that the sweep ended, not their worker.", registry=WORKER)
BURIED = Counter("wakequeue_buried", "Wake-ups that became dead letters, by reason.", ["reason"], registry=WORKER)
WAKINGS = Counter(
    "wakequeue_wakings",
    "Wakings that ended: ready, or not in time, or without anything known of readiness.",
    ["outcome"],
    registry=WORKER,
)
COLD_START = Histogram(
    "wakequeue_cold_start_seconds",
    "How long wakings took that ended ready: first call -> ready.",
    buckets=_COLD_STARTS,
    registry=WORKER,
)
LEDGER_AGE = Gauge("wakequeue_ledger_age_seconds", "How old what this worker counted in the ledger is.", registry=WORKER)
WAKEUPS = Gauge(
    "wakequeue_ledger_wakeups", "Wake-ups in the ledger, by state: pending, leased, or buried.", ["state"], registry=WORKER
)
LEDGER_CALLS = Gauge(
    "wakequeue_ledger_calls",
    "Calls recorded in the ledger since its beginning, and which of them are settled, pending, leased, buried or discarded.",
    ["state"],
    registry=WORKER,
)
LETTERS_DROPPED = Gauge(
    "wakequeue_dead_letters_dropped", "Dead letters that the bounds dropped since the ledger's beginning.", registry=WORKER
)
HASTENED = Counter(
    "wakequeue_hastened", "Wake-ups that were due when the Autoscaler was back, and were rung the oldest first.", registry=WORKER
)
DRIFT = Gauge("wakequeue_ledger_drift_calls", "Recorded calls that are in no state: 0 unless something is wrong.", registry=WORKER)
SCHEDULES = Gauge("wakequeue_schedules", "Schedules that this worker's settings have, for a beat to start.", registry=WORKER)
PLANNED = Gauge("wakequeue_planned_starts", "Starts that are planned for later.", registry=WORKER)
QUEUED = Gauge("wakequeue_queued_tasks", "Doorbells that wait in the queue.", registry=WORKER)
OLDEST_DUE = Gauge("wakequeue_oldest_due_seconds", "For how long the oldest due wake-up has been due.", registry=WORKER)
LEFT_OUT = Counter("wakequeue_left_out", "Revisions that schedules mean and did not start, by reason.", ["reason"], registry=WORKER)

# The beat
LEADS = Gauge("wakequeue_beat_leads", "1 while this beat is the one that starts what schedules say.", registry=BEAT)
STARTS_SENT = Counter("wakequeue_starts_sent", "Starts of schedules that were sent to the workers, each time.", registry=BEAT)

# Front and worker
DOORBELLS = Counter("wakequeue_doorbells", "Doorbells published, by who rang.", ["by"], registry=None)
CLUSTER_AGE = Gauge(
    "wakequeue_cluster_age_seconds",
    "How old is what is known of a collection: 0 while it is watched.",
    ["collection"],
    registry=None,
)
CLUSTER_OBJECTS = Gauge("wakequeue_cluster_objects", "Objects of a collection that are known.", ["collection"], registry=None)
CLUSTER_LISTS = Counter("wakequeue_cluster_lists", "Times that a collection was listed.", ["collection"], registry=None)
CLUSTER_WATCHES = Counter(
    "wakequeue_cluster_watches", "Watches that ended, or could not begin, by cause.", ["collection", "cause"], registry=None
)
STAGE = Histogram(
    "wakequeue_stage_seconds",
    "How long each stage took. answer: a gateway's call to our answer, or held; hold: a call recorded to its answer, where it is "
    "held; record: a commit sent to Redis to durable; queue: a wake-up due to taken by a worker; send: a report handed to the "
    "sender to its frame written; confirm: its frame written to the pong.",
    ["stage"],
    buckets=_SECONDS,
    registry=None,
)
ANSWER, HOLD, RECORD = STAGE.labels("answer"), STAGE.labels("hold"), STAGE.labels("record")
QUEUE, SEND, CONFIRM = STAGE.labels("queue"), STAGE.labels("send"), STAGE.labels("confirm")
for _registry in (FRONT, WORKER):
    for _both in (DOORBELLS, STAGE, CLUSTER_AGE, CLUSTER_OBJECTS, CLUSTER_LISTS, CLUSTER_WATCHES):
        _registry.register(_both)
for _registry, _role in ((FRONT, "hook"), (WORKER, "worker"), (BEAT, "beat")):
    ProcessCollector(registry=_registry)
    PlatformCollector(registry=_registry)
    _build = Info("wakequeue_build", "1, with the version of wakequeue and what this process is.", registry=_registry)
    _build.info({"version": __version__, "role": _role})

#: What the label of these says. They are at 0 from the start: what wasn't there before doesn't count as growth for Prometheus.
for _counter, *_values in (
    (
        UNRESOLVED,
        *("bad_params", "digested_name", "doubled_header", "invalid_name", "invalid_utf8", "malformed", "missing_name"),
        *("no_service", "unknown_host", "unknown_revision"),
    ),
    (LOG_ENTRIES, "cold", "start", "other"),
    (IGNORED, "probe", "method", "user_agent", "path", "host", "namespace"),
    (REFUSED, "client_not_allowed", "no_token", "wrong_token"),
    (HOLDS, "ready", "deadline", "left", "full", "draining"),
    (REPORTS, "asleep", "waking", "awake"),
    (RECONNECTS, "restart_1012", "closed", "handshake", "timeout", "refused", "network"),
    (DELAYED, "namespace", "all"),
    (BURIED, "expired", "unencodable", "poisoned", "unwoken"),
    (WAKINGS, "woken", "unwoken", "reported"),
    (LEFT_OUT, "denied", "gone"),
    (DOORBELLS, "front", "sweep", "schedule"),
):
    for _said in _values:
        _counter.labels(_said)


class Event(StrEnum):
    """What is worth a line in the log."""

    #: A process answers, or consumes.
    STARTED = "started"
    #: A process was told to stop and finishes what it has begun.
    DRAINING = "draining"
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
