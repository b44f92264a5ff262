"""A real Prometheus scrapes a real installation: the dashboard's queries are answered, and no alert of a healthy one fires."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
import yaml
from support.calls import Calls
from support.installation import Installation
from support.prometheus import ROOT, RULES, Prometheus, needs_prometheus
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.waiting import wait_until

pytestmark = needs_prometheus

#: A schedule, and time enough for every call to be recorded before it is answered.
SETTINGS = {
    "WAKEQUEUE_SCHEDULES": json.dumps({"office": {"every": "1s", "wakes": "shop/cart-00001"}}),
    "WAKEQUEUE_ANSWER_WITHIN": "10s",
}
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/helm/wakequeue/dashboards/wakequeue.json").read_text())

#: What the chosen variables and intervals of a dashboard are in these queries.
CHOSEN = {"$namespace": "shop|other", "$job": ".*", "$__rate_interval": "10s"}

#: Signs that all has been seen that is to be shown.
SIGNS = (
    "count(wakequeue_build_info) == 3",
    "sum(rate(wakequeue_calls_total[10s])) > 0",
    "sum(rate(wakequeue_reports_total[10s])) > 0",
    "max(wakequeue_ledger_calls{state='settled'}) > 0",
)

#: Panels of what doesn't happen here: there is no Kubernetes, and every call is one.
WITHOUT_NUMBERS = {"Cold start", "Age by collection", "Watches that ended, by cause", "Objects known", "Calls that wake nobody"}


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A Prometheus that sees calls, reports and starts of a front, a worker and a beat."""
    with RedisServer() as redis, StatServer() as stats, Installation(redis.url, stats.url, SETTINGS) as installation:
        with ThreadPoolExecutor() as starting:
            starts = {role: starting.submit(getattr(installation, role)) for role in ("worker", "beat", "hook")}
        running = {role: start.result() for role, start in starts.items()}
        admins = {f"{role}-0": one.admin for role, one in running.items()}
        folder = tmp_path_factory.mktemp("prometheus")
        with Prometheus(folder, admins) as started, Calls(running["hook"].grpc_address, every=0.02, namespace="shop"):
            for sign in SIGNS:
                wait_until(partial(started.query, sign), 20, sign)
            yield started


def queries() -> list[tuple[str, str]]:
    """Each query of the dashboard, by the title of its panel."""
    asked = []
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            query = target["expr"]
            for variable, value in CHOSEN.items():
                query = query.replace(variable, value)
            asked.append((panel["title"], query))
    return asked


def shown(prometheus: Prometheus) -> dict[str, list[dict[str, Any]]]:
    """What each panel shows: its series, without those that are no number. Fails where a query is an error."""
    panels: dict[str, list[dict[str, Any]]] = {}
    for title, query in queries():
        panels.setdefault(title, []).extend(series for series in prometheus.query(query) if series["value"][1] != "NaN")
    return panels


def test_every_query_of_the_dashboard_is_answered(prometheus: Prometheus) -> None:
    """None is an error, and no panel is without a number but those of what didn't happen."""

    def without_numbers() -> set[str]:
        return {title for title, series in shown(prometheus).items() if not series}

    # On a busy machine a scrape may be missed.
    wait_until(lambda: without_numbers() <= WITHOUT_NUMBERS, what="numbers of all that happened")
    assert without_numbers() >= WITHOUT_NUMBERS


def test_what_is_shown_is_true(prometheus: Prometheus) -> None:
    """Of an installation that is well the first row says so; calls are counted by what became of them, and processes told apart."""
    well = {"Alerts": 0.0, "Drift": 0.0, "Dead letters": 0.0, "Workers connected": 1.0, "A beat leads": 1.0, "Versions": 1.0}
    labels = {
        "Calls by outcome": ("outcome", {"recorded"}),
        "Connected": ("pod", {"worker-0"}),
        "Leads": ("pod", {"beat-0"}),
        "Memory": ("pod", {"hook-0", "worker-0", "beat-0"}),
    }

    def is_true() -> bool:
        panels = shown(prometheus)
        numbers = {title: {float(series["value"][1]) for series in panels[title]} for title in well}
        said = {title: {series["metric"][label] for series in panels[title]} for title, (label, _) in labels.items()}
        return numbers == {title: {one} for title, one in well.items()} and said == {
            title: one for title, (_, one) in labels.items()
        }

    wait_until(is_true, what="what is true to be shown")


def test_every_alert_rule_is_evaluated_and_none_fires(prometheus: Prometheus) -> None:
    """Prometheus has all rules, could evaluate each, and found nothing, not even what would have to last."""

    def evaluated() -> bool:
        return all(rule["health"] != "unknown" for rule in prometheus.rules())

    wait_until(evaluated, what="every rule to be evaluated")
    written = yaml.safe_load(RULES.read_text())["groups"]
    assert {rule["name"] for rule in prometheus.rules()} == {rule["alert"] for group in written for rule in group["rules"]}
    assert {rule["health"] for rule in prometheus.rules()} == {"ok"}
    wait_until(lambda: not prometheus.alerts(), what="what was pending before the first scrape to be over")
