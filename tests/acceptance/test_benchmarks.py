"""The benchmarks run, whole, and nothing that they call is lost; how fast it was is no test's business."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.documents import ROOT
from support.processes import clean_environment


@pytest.mark.timeout(300)
def test_a_short_run_measures_every_figure_and_loses_nothing(tmp_path: Path) -> None:
    """It refuses to print any where a call failed, was lost or was counted twice."""
    output = tmp_path / "results.json"
    command = [sys.executable, "-m", "benchmarks", "--short", "--output", str(output)]

    done = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=280, check=False)

    assert done.returncode == 0, done.stderr
    results = json.loads(output.read_text())
    assert {one["figure"] for one in results["figures"]} == {f"F{number}" for number in range(1, 12)}
    assert all(one["n"] > 0 and one["value"] >= 0 and one["aim"] for one in results["figures"])
    assert set(results["series"]) == {"latency", "by_rate", "masses", "day", "microseconds", "handlers"}
    assert "F11" in done.stdout
