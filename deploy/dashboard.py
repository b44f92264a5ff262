"""Writes the Grafana dashboard: `python deploy/dashboard.py`, or with `--check` says whether what is committed is that.

The file is as long as the dashboard. Rows stand in the order in which an operator asks. In the queries `{*` stands for the chosen
namespaces and jobs, and `[~]` for the time over which Grafana wants rates. What workers say of the ledger, all of them say: it is
reduced by max or min, never by sum.
"""

import json
import sys
from itertools import count
from pathlib import Path
from typing import Any, Final, NamedTuple

PATH: Final = Path(__file__).parent / "helm/wakequeue/dashboards/wakequeue.json"
COLUMNS: Final = 24
DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
CHOSEN: Final = '{namespace=~"$namespace", job=~"$job"'
#: A process: its pod in Kubernetes, its instance elsewhere; and its role, where one port serves several.
WHO: Final = "{{role}} {{pod}} {{instance}}"
#: Of what every program exports, that of ours; with the role.
OURS: Final = "* on (namespace, job, instance) group_left (role) wakequeue_build_info"
BY_WHO: Final = "by (role, pod, instance)"
QUANTILES: Final = {"p50": 0.5, "p95": 0.95, "p99": 0.99}

GREEN_BELOW: Final = ("green", "red")
GREEN_FROM: Final = ("red", "green")


class Stat(NamedTuple):
    """One number: of `colours` the first below `turns_at`, and the second from there on."""

    title: str
    description: str
    query: str
    turns_at: float = 1
    colours: tuple[str, str] = GREEN_BELOW
    unit: str = "short"
    width: int = 3
    height: int = 4
    kind: str = "stat"

    def content(self) -> dict[str, Any]:
        """What Grafana is told besides what every panel has."""
        steps = [{"color": self.colours[0], "value": None}, {"color": self.colours[1], "value": self.turns_at}]
        return {
            "targets": _targets({"": self.query}),
            "fieldConfig": {
                "defaults": {"unit": self.unit, "thresholds": {"mode": "absolute", "steps": steps}},
                "overrides": [],
            },
            "options": {
                "colorMode": "background",
                "graphMode": "none",
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
            },
        }


class Graph(NamedTuple):
    """Lines over time, by legend and query; a dashed line at `limit`, which is where it begins to be bad."""

    title: str
    description: str
    queries: dict[str, str]
    unit: str = "short"
    limit: float | None = None
    stacked: bool = False
    width: int = 8
    height: int = 8
    kind: str = "timeseries"

    def content(self) -> dict[str, Any]:
        """As that of Stat."""
        steps: list[dict[str, Any]] = [{"color": "green", "value": None}]
        if self.limit is not None:
            steps.append({"color": "red", "value": self.limit})
        custom = {
            "fillOpacity": 10,
            "lineWidth": 1,
            "showPoints": "never",
            "stacking": {"mode": "normal" if self.stacked else "none", "group": "A"},
            "thresholdsStyle": {"mode": "off" if self.limit is None else "dashed"},
        }
        return {
            "targets": _targets(self.queries),
            "fieldConfig": {
                "defaults": {
                    "unit": self.unit,
                    "min": 0,
                    "custom": custom,
                    "thresholds": {"mode": "absolute", "steps": steps},
                },
                "overrides": [],
            },
            "options": {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                "tooltip": {"mode": "multi", "sort": "desc"},
            },
        }


ROWS: Final[dict[str, tuple[Stat | Graph, ...]]] = {
    "Is it well?": (
        Stat(
            "Alerts",
            "Alerts of wakequeue that fire, in all installations; 0 also where the alert rules aren't loaded.",
            'sum(ALERTS{alertname=~"Wakequeue.+", alertstate="firing"}) or vector(0)',
        ),
        Stat(
            "Drift",
            "Recorded calls that are in no state of the ledger, or in two. Anything but 0 is a defect, or keys that Redis evicted.",
            "max(abs(wakequeue_ledger_drift_calls{*}))",
        ),
        Stat(
            "Dead letters",
            "Wake-ups that were given up and lie there to be replayed or purged: `wakequeue dead list`.",
            'max(wakequeue_ledger_wakeups{*, state="buried"})',
            colours=("green", "orange"),
        ),
        Stat(
            "Oldest due",
            "For how long the oldest due wake-up has been due. Milliseconds are usual; seconds mean that workers don't keep up.",
            "max(wakequeue_oldest_due_seconds{*})",
            turns_at=5,
            unit="s",
        ),
        Stat(
            "Ledger counted",
            "How old the newest count of the ledger is that any worker made. If it is old, Redis is away, and what else is said "
            "of the ledger is as old.",
            "min(wakequeue_ledger_age_seconds{*})",
            turns_at=30,
            unit="s",
        ),
        Stat(
            "Workers connected",
            "The share of workers that are connected to the Autoscaler.",
            "avg(wakequeue_autoscaler_connected{*})",
            colours=GREEN_FROM,
            unit="percentunit",
        ),
        Stat(
            "A beat leads",
            "1 if some beat starts what the schedules say, or there is no schedule.",
            "max(wakequeue_beat_leads{*}) or max(wakequeue_schedules{*} == bool 0)",
            colours=GREEN_FROM,
        ),
        Stat(
            "Versions",
            "How many versions of wakequeue run. More than 1 for the time of an upgrade alone.",
            "count(count by (version) (wakequeue_build_info{*}))",
            turns_at=2,
            colours=("green", "orange"),
        ),
    ),
    "Calls": (
        Graph(
            "Calls by outcome",
            "What became of the calls that gateways made. Failed and dropped ones woke nobody; unresolved ones name no Revision.",
            {"{{outcome}}": "sum by (outcome) (rate(wakequeue_calls_total{*}[~]))"},
            unit="reqps",
            stacked=True,
        ),
        Graph(
            "Calls by protocol",
            "How gateways call: a template of Mixer, external authorization, the access log service, or HTTP.",
            {"{{protocol}}": 'sum by (protocol) (rate(wakequeue_calls_total{*, outcome!="ignored"}[~]))'},
            unit="reqps",
            stacked=True,
        ),
        Graph(
            "Calls that wake nobody",
            "By reason: unresolved ones name no Revision, ignored ones a rule leaves out, refused ones may not come in.",
            {
                "unresolved: {{reason}}": "sum by (reason) (rate(wakequeue_unresolved_total{*}[~])) > 0",
                "ignored: {{reason}}": "sum by (reason) (rate(wakequeue_ignored_total{*}[~])) > 0",
                "refused: {{reason}}": "sum by (reason) (rate(wakequeue_refused_total{*}[~])) > 0",
            },
            unit="reqps",
        ),
        Graph(
            "Calls in fronts' hands",
            "Calls that fronts hold and have not yet recorded: they grow while Redis is away.",
            {WHO: f"sum {BY_WHO} (wakequeue_buffered_calls{{*}})"},
        ),
        Graph(
            "Calls dropped",
            "Calls that could not be held until Redis came back. Nobody is told of them.",
            {"dropped": "sum(rate(wakequeue_dropped_total{*}[~]))"},
            unit="reqps",
        ),
        Graph(
            "Calls held",
            "Calls that wait, without an answer, for their Revisions to be ready; and how many were answered, by why.",
            {
                "waiting": "sum(wakequeue_held_calls{*})",
                "{{ended}} a second": "sum by (ended) (rate(wakequeue_holds_total{*}[~]))",
            },
        ),
    ),
    "Wake-ups and readiness": (
        Graph(
            "Reports by phase",
            "Reports that the Autoscaler confirmed, by the phase in which the Revision was: asleep ones are its first.",
            {"{{phase}}": "sum by (phase) (rate(wakequeue_reports_total{*}[~]))"},
            unit="ops",
            stacked=True,
        ),
        Graph(
            "Wake-ups in the ledger",
            "Revisions that are pending or leased, and dead letters.",
            {"{{state}}": "max by (state) (wakequeue_ledger_wakeups{*})"},
        ),
        Graph(
            "How wakings end",
            "Woken: seen to be ready. Unwoken: not in time, and a dead letter. Reported: nothing is known of readiness.",
            {"{{outcome}}": "sum by (outcome) (rate(wakequeue_wakings_total{*}[~]))"},
            unit="ops",
            stacked=True,
        ),
    ),
    "Latencies": (
        *(
            Graph(
                f"Stages, {name}",
                "How long each stage takes: call to answer, and recorded to answered where it is held; commit to "
                "durable; due to taken by a worker; handed to the sender to written; its frame written to the pong.",
                {"{{stage}}": f"histogram_quantile({quantile}, sum by (le, stage) (rate(wakequeue_stage_seconds_bucket{{*}}[~])))"},
                unit="s",
            )
            for name, quantile in QUANTILES.items()
        ),
        Graph(
            "Cold start",
            "From the first call of a sleeping Revision until it was seen to be ready: Knative's part, and the application's own.",
            {
                name: f"histogram_quantile({quantile}, sum by (le) (rate(wakequeue_cold_start_seconds_bucket{{*}}[~])))"
                for name, quantile in QUANTILES.items()
            },
            unit="s",
            width=24,
        ),
    ),
    "Queue": (
        Graph(
            "Doorbells in the queue",
            "Tasks that wait for a worker. One stands for up to 256 Revisions.",
            {"waiting": "max(wakequeue_queued_tasks{*})"},
            limit=100,
        ),
        Graph(
            "Age of the oldest due wake-up",
            "For how long it has been due and was not taken.",
            {"oldest": "max(wakequeue_oldest_due_seconds{*})"},
            unit="s",
            limit=30,
        ),
        Graph(
            "Doorbells by who rings",
            "Fronts ring for new calls, the sweep for repeats, retries and what was lost, schedules for their starts.",
            {"{{by}}": "sum by (by) (rate(wakequeue_doorbells_total{*}[~]))"},
            unit="ops",
            stacked=True,
        ),
    ),
    "Retries and dead letters": (
        Graph(
            "Retries",
            "Wake-ups given back for another attempt; leases that ran out or that the sweep ended, as for a worker that died; "
            "wake-ups that came first as the Autoscaler was back; doorbells that a worker without a connection left to others.",
            {
                "released": "sum(rate(wakequeue_released_total{*}[~]))",
                "lease lost": "sum(rate(wakequeue_leases_lost_total{*}[~]))",
                "lease ended": "sum(rate(wakequeue_leases_ended_total{*}[~]))",
                "hastened": "sum(rate(wakequeue_hastened_total{*}[~]))",
                "left to others": "sum(rate(wakequeue_left_to_others_total{*}[~]))",
            },
            unit="ops",
        ),
        Graph(
            "Put off by rate limits",
            "Wake-ups that the limit of their namespace, or that of all, put off to a slot of their own.",
            {"{{limit}}": "sum by (limit) (rate(wakequeue_delayed_total{*}[~]))"},
            unit="ops",
        ),
        Graph(
            "New dead letters by reason",
            "Expired: too old to tell. Unencodable: can't be said. Poisoned: ended workers. Unwoken: told of, not ready in time.",
            {"{{reason}}": "sum by (reason) (increase(wakequeue_buried_total{*}[~]))"},
        ),
    ),
    "Connections to the Autoscaler": (
        Graph(
            "Connected",
            "1 while a worker's connection to the Autoscaler is open.",
            {WHO: f"max {BY_WHO} (wakequeue_autoscaler_connected{{*}})"},
        ),
        Graph(
            "Connections that ended, by cause",
            "restart_1012 is the Autoscaler's own restart; the others are failures of it, or of the network between.",
            {"{{cause}}": "sum by (cause) (rate(wakequeue_reconnects_total{*}[~]))"},
            unit="ops",
        ),
        Graph(
            "Frames and pongs",
            "Frames written, and the pongs that confirmed them; one pong may confirm several.",
            {"frames": "sum(rate(wakequeue_frames_total{*}[~]))", "pongs": "sum(rate(wakequeue_pongs_total{*}[~]))"},
            unit="ops",
        ),
    ),
    "What is known of the cluster": (
        Graph(
            "Age by collection",
            "How old what is known is, where it is oldest: 0 while it is watched. Empty where Kubernetes isn't asked.",
            {"{{collection}}": "max by (collection) (wakequeue_cluster_age_seconds{*})"},
            unit="s",
            limit=60,
        ),
        Graph(
            "Watches that ended, by cause",
            "`time` is the usual end; forbidden and not_found are matters of permissions and releases: `wakequeue doctor`.",
            {"{{collection}}: {{cause}}": "sum by (collection, cause) (rate(wakequeue_cluster_watches_total{*}[~]))"},
            unit="ops",
        ),
        Graph(
            "Objects known",
            "Objects of each collection in the memory of a front or a worker.",
            {"{{collection}}": "max by (collection) (wakequeue_cluster_objects{*})"},
        ),
    ),
    "Beat": (
        Graph(
            "Leads",
            "1 for the beat that starts what schedules say. Others take over should it be gone.",
            {WHO: f"max {BY_WHO} (wakequeue_beat_leads{{*}})"},
        ),
        Graph(
            "Starts",
            "Starts that the beat sent to the workers, and Revisions that were left out, by reason.",
            {
                "sent": "sum(rate(wakequeue_starts_sent_total{*}[~]))",
                "left out: {{reason}}": "sum by (reason) (rate(wakequeue_left_out_total{*}[~]))",
            },
            unit="ops",
        ),
        Graph(
            "Schedules and plans",
            "Schedules of the settings, and starts that the ledger keeps until their time comes.",
            {"schedules": "max(wakequeue_schedules{*})", "planned starts": "max(wakequeue_planned_starts{*})"},
        ),
    ),
    "Processes": (
        Graph(
            "CPU",
            "Cores that each process keeps busy. One is a front's limit; run more of them before.",
            {WHO: f"rate(process_cpu_seconds_total{{*}}[~]) {OURS}"},
        ),
        Graph(
            "Memory",
            "Resident memory of each process.",
            {WHO: f"process_resident_memory_bytes{{*}} {OURS}"},
            unit="bytes",
        ),
        Graph(
            "Processes by version",
            "How many of each role and version are scraped.",
            {"{{role}} {{version}}": "count by (role, version) (wakequeue_build_info{*})"},
        ),
    ),
}


def dashboard() -> dict[str, Any]:
    """It, as Grafana reads it."""
    return {
        "uid": "wakequeue",
        "title": "wakequeue",
        "description": "From a gateway's call to the Autoscaler: is it well, and if it isn't, where.",
        "tags": ["wakequeue", "knative"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "",
        "templating": {"list": _variables()},
        "panels": _panels(),
    }


def _variables() -> list[dict[str, Any]]:
    def labels(label: str, chosen: str) -> dict[str, Any]:
        query = f"label_values(wakequeue_build_info{chosen}, {label})"
        every = {"includeAll": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"}, "multi": True}
        asked = {"query": {"query": query, "refId": label}, "definition": query, "refresh": 2, "sort": 1}
        return {"name": label, "label": label.capitalize(), "type": "query", "datasource": DATASOURCE, **asked, **every}

    source = {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"}
    return [source, labels("namespace", ""), labels("job", '{namespace=~"$namespace"}')]


def _panels() -> list[dict[str, Any]]:
    """Rows under each other, and their panels from left to right, as many as there is room for."""
    panels, ids, top = [], count(1), 0
    for title, row in ROWS.items():
        panels.append(_panel("row", next(ids), title, (0, top, COLUMNS, 1)) | {"collapsed": False, "panels": []})
        top, left, height = top + 1, 0, 0
        for one in row:
            if left + one.width > COLUMNS:
                top, left = top + height, 0
            place = (left, top, one.width, one.height)
            panel = _panel(one.kind, next(ids), one.title, place)
            panels.append(panel | {"description": one.description, "datasource": DATASOURCE} | one.content())
            left, height = left + one.width, one.height
        top += height
    return panels


def _panel(kind: str, number: int, title: str, place: tuple[int, int, int, int]) -> dict[str, Any]:
    return {"id": number, "type": kind, "title": title, "gridPos": dict(zip("xywh", place, strict=True))}


def _targets(queries: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "refId": chr(ord("A") + number),
            "datasource": DATASOURCE,
            "expr": query.replace("{*", CHOSEN).replace("[~]", "[$__rate_interval]"),
            "legendFormat": legend or "__auto",
        }
        for number, (legend, query) in enumerate(queries.items())
    ]


if __name__ == "__main__":
    text = json.dumps(dashboard(), indent=2) + "\n"
    if sys.argv[1:] != ["--check"]:
        PATH.write_text(text)
    elif PATH.read_text() != text:
        sys.exit(f"{PATH} is stale: run `python {sys.argv[0]}`")
