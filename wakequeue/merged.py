"""The admin ports of several processes, served as one: their metrics together, told apart by a label `role`."""

import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from http.client import HTTPException

from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

SECONDS = 2.0

#: Whatever proxy the environment names is not for this machine's own ports.
_DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class MergedMetrics(Collector):
    """Collects from the admin ports of this machine's processes, by role; one that doesn't answer is left out."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self._ports = ports

    def collect(self) -> Iterable[Metric]:
        """One family for each name, with the samples of all roles."""
        families: dict[str, Metric] = {}
        for role, port in self._ports.items():
            status, text = fetch(port, "/metrics")
            for family in text_string_to_metric_families(text) if status == 200 else ():  # noqa: PLR2004  HTTP OK
                merged = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    merged.samples.append(sample._replace(labels={**sample.labels, "role": role}))
        return families.values()


def fetch(port: int, path: str) -> tuple[int, str]:
    """GET a path of a process's admin port: its status, 0 where nothing answers, and its text."""
    try:
        with _DIRECTLY.open(f"http://127.0.0.1:{port}{path}", timeout=SECONDS) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (OSError, HTTPException):
        return 0, ""
