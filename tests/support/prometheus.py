"""A real Prometheus of a test's own, which scrapes what the test runs, with the alert rules loaded."""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest
import yaml

from support.processes import Process, free_port

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/helm/wakequeue/rules/wakequeue.yaml"
FOLDER = ROOT / ".venv/prometheus/usr/bin"
PROMTOOL = FOLDER / "promtool"

needs_prometheus = pytest.mark.skipif(
    not PROMTOOL.exists(), reason=f"there is no Prometheus at {FOLDER}: `make .venv/prometheus` unpacks it"
)


class Prometheus:
    """Scrapes admin ports, by the pod that each stands for, twice a second; its storage is in `folder`."""

    def __init__(self, folder: Path, pods: Mapping[str, str]) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        targets = [{"targets": [admin], "labels": {"pod": pod, "namespace": "shop"}} for pod, admin in pods.items()]
        config = folder / "prometheus.yml"
        config.write_text(
            yaml.safe_dump(
                {
                    "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
                    "rule_files": [str(RULES)],
                    "scrape_configs": [{"job_name": "wakequeue", "static_configs": targets}],
                }
            )
        )
        options = {"config.file": config, "storage.tsdb.path": folder / "data", "web.listen-address": self.address}
        self._process = Process([str(FOLDER / "prometheus"), *(f"--{name}={value}" for name, value in options.items())], {})

    def query(self, query: str) -> list[dict[str, Any]]:
        """The series of a query, now. Fails where Prometheus says that it can't be answered."""
        answer = self._ask("query", query=query)
        assert answer["status"] == "success", f"{query}: {answer}"
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that are pending or fire."""
        alerts: list[dict[str, Any]] = self._ask("alerts")["data"]["alerts"]
        return alerts

    def rules(self) -> list[dict[str, Any]]:
        """The rules that are loaded, with how their last evaluation went."""
        return [rule for group in self._ask("rules")["data"]["groups"] for rule in group["rules"]]

    def _ask(self, path: str, **parameters: str) -> dict[str, Any]:
        data = urllib.parse.urlencode(parameters).encode() if parameters else None
        try:
            with urllib.request.urlopen(f"http://{self.address}/api/v1/{path}", data, timeout=10) as answer:
                read: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            read = json.load(error)
        return read

    def __enter__(self) -> Self:
        self._process.wait_for_line("Server is ready")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.__exit__(kind, error, trace)
