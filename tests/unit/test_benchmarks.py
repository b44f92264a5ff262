"""The results that are committed are those of a full run, and what is written of them says the same."""

import json
import re

import pytest
from support.documents import ROOT

RESULTS = json.loads((ROOT / "benchmarks/results.json").read_text())


def test_the_committed_results_are_a_full_run() -> None:
    """With every figure, and what the README and a reader need of each."""
    assert RESULTS["conditions"]["scale"] == 1
    assert {one["figure"] for one in RESULTS["figures"]} == {f"F{number}" for number in range(1, 12)}
    for one in RESULTS["figures"]:
        assert one.keys() >= {"value", "unit", "n", "p50", "p95", "p99", "ratio", "aim", "met"}, one


def test_the_readme_has_the_table_of_the_committed_results() -> None:
    """Every figure with its value, and when and where it was measured."""
    table = (ROOT / "README.md").read_text().partition("<!-- figures")[2].partition("<!-- end of figures")[0]

    rows = re.findall(r"^\| (F\d+) \| (.*?) \|", table, re.MULTILINE)

    assert rows == [(one["figure"], one["what"]) for one in RESULTS["figures"]]
    assert RESULTS["at"] in table
    assert RESULTS["machine"]["processor"] in table


@pytest.mark.parametrize("plot", ["latency", "rate", "masses", "day"])
def test_the_page_shows_every_plot(plot: str) -> None:
    """And the picture is there."""
    assert f"images/performance-{plot}.svg" in (ROOT / "docs/performance.md").read_text()
    assert (ROOT / f"docs/images/performance-{plot}.svg").read_text().startswith("<?xml")
