"""Every metric of wakequeue, named once, with one line on what it says.

They follow Prometheus' naming; label values are from small fixed sets, never a path, a host or an error text.
"""

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
LEFT_TO_OTHERS = Counter(
    "wakequeue_left_to_others",
    "Doorbells that this worker put back into the queue: it isn't connected to the Autoscaler, and another worker is.",
    registry=WORKER,
)
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
