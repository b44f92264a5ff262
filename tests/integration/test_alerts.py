"""The alert rules, by Prometheus' own promtool: each fires when it should, and doesn't when it shouldn't."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.metrics import exported, named
from support.prometheus import PROMTOOL, RULES, needs_prometheus

from wakequeue.cli import COMMANDS

CASES = sorted((Path(__file__).parents[1] / "alerts").glob("*.yaml"))

ALERTS: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"] if "alert" in rule
]
NAMES = [alert["alert"] for alert in ALERTS]


def promtool(*arguments: object) -> str:
    """Run promtool, and return what it printed."""
    done = subprocess.run([PROMTOOL, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_prometheus
def test_the_rules_are_rules() -> None:
    """Prometheus takes them, with the templates in their words."""
    assert f"SUCCESS: {len(ALERTS)} rules found" in promtool("check", "rules", RULES)


@needs_prometheus
def test_each_fires_when_it_should() -> None:
    """And doesn't before, nor for another installation that is well."""
    assert promtool("test", "rules", *CASES).count("SUCCESS") == len(CASES)


def test_each_has_a_case_that_fires_and_one_that_does_not() -> None:
    """Nobody adds an alert that was never seen to fire."""
    asked: dict[str, set[bool]] = {name: set() for name in NAMES}
    for case in CASES:
        for test in yaml.safe_load(case.read_text())["tests"]:
            for ask in test["promql_expr_test"]:
                name = ask["expr"].removeprefix('ALERTS{alertname="').removesuffix('", alertstate="firing"}')
                asked[name].add(bool(ask.get("exp_samples")))
    assert {name for name, answers in asked.items() if answers == {True, False}} == set(NAMES)


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_each_asks_for_what_is_exported(alert: dict[str, Any]) -> None:
    """Every metric that it names, in its words too, is one of ours, and there is one."""
    assert named(alert["expr"])
    assert named(alert["expr"]) | named(alert["annotations"]["description"]) <= exported()


@pytest.mark.parametrize("alert", ALERTS, ids=NAMES)
def test_each_says_what_it_means_and_where_to_read_on(alert: dict[str, Any]) -> None:
    """It waits, is a page or a warning, has words, and a section of the troubleshooting page; the commands it names exist."""
    assert alert["for"]
    assert alert["labels"]["severity"] in {"page", "warning"}
    said = alert["annotations"]
    assert set(said) == {"summary", "description", "runbook"}
    assert said["runbook"] == f"docs/troubleshooting.md#{alert['alert'].lower()}"
    commands = {part.split()[1] for part in said["description"].split("`") if part.startswith("wakequeue ")}
    assert commands <= set(COMMANDS)


def test_the_names_differ() -> None:
    """One section for each."""
    assert len({name.lower() for name in NAMES}) == len(NAMES)
    assert all(name.startswith("Wakequeue") for name in NAMES)
