"""The Grafana dashboard: it is what its source says, asks for what is exported, and can be read."""

import json
import subprocess
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from support.metrics import exported, named

ROOT = Path(__file__).parents[2]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/helm/wakequeue/dashboards/wakequeue.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
TITLES = [panel["title"] for panel in PANELS]

#: What every process exports on Linux, and none elsewhere.
OTHERS = {"process_cpu_seconds_total", "process_resident_memory_bytes"}


def test_it_is_what_its_source_says() -> None:
    """Whoever changes one changes the other."""
    done = subprocess.run([sys.executable, "deploy/dashboard.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("panel", PANELS, ids=TITLES)
def test_each_panel_asks_for_what_is_exported(panel: dict[str, Any]) -> None:
    """Every query names a metric of ours, or of every process; alerts are Prometheus' own."""
    for target in panel["targets"]:
        asked = named(target["expr"])
        assert asked or "ALERTS{" in target["expr"]
        assert asked <= exported() | OTHERS
        assert "ALERTS{" in target["expr"] or 'namespace=~"$namespace", job=~"$job"' in target["expr"]


@pytest.mark.parametrize("panel", PANELS, ids=TITLES)
def test_each_panel_says_what_it_shows(panel: dict[str, Any]) -> None:
    """With a description, a unit, thresholds, the chosen data source, and a legend where there are several lines."""
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    assert panel["datasource"]["uid"] == "${datasource}"
    letters = [target["refId"] for target in panel["targets"]]
    assert len(set(letters)) == len(letters)
    assert panel["type"] == "stat" or "__auto" not in {target["legendFormat"] for target in panel["targets"]}


def test_no_panel_is_on_another() -> None:
    """All are within 24 columns, and no place is taken twice, nor left empty beside others."""
    taken: Counter[tuple[int, int]] = Counter()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        for x in range(place["x"], place["x"] + place["w"]):
            taken.update((x, y) for y in range(place["y"], place["y"] + place["h"]))
    assert set(taken.values()) == {1}
    assert {x for x, _ in taken} == set(range(24))
    assert set(Counter(y for _, y in taken).values()) == {24}


def test_rows_and_numbers_are_in_order() -> None:
    """Ids are unlike each other, and rows come one below the other, the first about whether all is well."""
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    rows = [panel for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert rows[0]["title"] == "Is it well?"
    assert all(one["gridPos"]["y"] < other["gridPos"]["y"] for one, other in pairwise(rows))


def test_it_can_be_pointed_at_any_installation() -> None:
    """The data source, the namespaces and the jobs are chosen; all, at first."""
    variables = {one["name"]: one for one in DASHBOARD["templating"]["list"]}
    assert list(variables) == ["datasource", "namespace", "job"]
    assert variables["datasource"]["query"] == "prometheus"
    for name in ("namespace", "job"):
        assert named(variables[name]["definition"]) == {"wakequeue_build_info"}
        assert variables[name]["allValue"] == ".*", "a label that isn't there is chosen too"
