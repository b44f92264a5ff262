"""What is exported before anything happens: who this is, and every label's value that an alert could wait for."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from support.prometheus import PROMTOOL, needs_prometheus
from websockets.exceptions import ConnectionClosedError, InvalidHandshake
from websockets.frames import Close, CloseCode

from gateway_hook.admission import Refusal
from gateway_hook.envoy.log_entry import Kind
from gateway_hook.hold import Ended
from gateway_hook.outcome import Outcome
from gateway_hook.rules import Ignored
from wakequeue import __version__
from wakequeue.errors import Expired, Unencodable
from wakequeue.telemetry import BEAT, FRONT, WORKER
from workers.autoscaler import _cause

ROOT = Path(__file__).parents[2]

#: Why a connection ended, of the errors that there are.
CAUSES = {
    _cause(error)
    for error in (
        ConnectionClosedError(Close(CloseCode.SERVICE_RESTART, ""), None),
        ConnectionClosedError(None, None),
        InvalidHandshake(),
        TimeoutError(),
        ConnectionRefusedError(),
        OSError(),
    )
}


@pytest.fixture(scope="module")
def exported() -> dict[str, list[Metric]]:
    """What a process of its own exports before anything happens, by registry."""
    asked = "import json; from prometheus_client import generate_latest; from wakequeue.telemetry import FRONT, WORKER"
    told = "print(json.dumps({'FRONT': generate_latest(FRONT).decode(), 'WORKER': generate_latest(WORKER).decode()}))"
    done = subprocess.run([sys.executable, "-c", f"{asked}; {told}"], capture_output=True, check=True)
    return {name: list(text_string_to_metric_families(text)) for name, text in json.loads(done.stdout).items()}


def values(families: list[Metric], name: str, label: str) -> set[str]:
    """What a label of a metric says."""
    return {sample.labels[label] for family in families if family.name == name for sample in family.samples}


def in_source(pattern: str, *folders: str) -> set[str]:
    """What a pattern captures anywhere in these."""
    texts = (path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {found for text in texts for found in re.findall(pattern, text)}


@pytest.mark.parametrize(("registry", "role"), [(FRONT, "hook"), (WORKER, "worker"), (BEAT, "beat")])
def test_every_process_says_what_it_is(registry: CollectorRegistry, role: str) -> None:
    """Its version and its role, by the word that its command has."""
    assert registry.get_sample_value("wakequeue_build_info", {"version": __version__, "role": role}) == 1


@pytest.mark.parametrize(
    ("registry", "name", "label", "said"),
    [
        ("FRONT", "wakequeue_log_entries", "kind", set(Kind)),
        ("FRONT", "wakequeue_ignored", "reason", set(Ignored)),
        ("FRONT", "wakequeue_refused", "reason", set(Refusal)),
        ("FRONT", "wakequeue_holds", "ended", set(Ended)),
        (
            "FRONT",
            "wakequeue_unresolved",
            "reason",
            in_source(r'Unresolved\("(\w+)"', "gateway_hook") | in_source(r'_refuse\(protocol, "(\w+)"', "gateway_hook"),
        ),
        ("WORKER", "wakequeue_buried", "reason", {Expired.reason, Unencodable.reason, "poisoned", "unwoken"}),
        ("WORKER", "wakequeue_reports", "phase", {"asleep", "waking", "awake"}),
        ("WORKER", "wakequeue_wakings", "outcome", {"woken", "unwoken", "reported"}),
        ("WORKER", "wakequeue_reconnects", "cause", CAUSES),
        ("WORKER", "wakequeue_delayed", "limit", {"namespace", "all"}),
        ("WORKER", "wakequeue_left_out", "reason", {"denied", "gone"}),
        ("FRONT", "wakequeue_doorbells", "by", in_source(r'DOORBELLS.labels\("(\w+)"', "gateway_hook", "workers")),
    ],
)
def test_every_value_is_there_from_the_start(
    exported: dict[str, list[Metric]], registry: str, name: str, label: str, said: set[str]
) -> None:
    """Prometheus takes no series that begins at 1 for growth, so that the first dead letter would raise no alert."""
    assert values(exported[registry], name, label) == said


def test_the_help_says_every_outcome_and_state(exported: dict[str, list[Metric]]) -> None:
    """What a label says that has no value yet, the metric's help says: the reference is made of it."""
    helps = {family.name: family.documentation for registry in (FRONT, WORKER) for family in registry.collect()}
    assert all(outcome in helps["wakequeue_calls"] for outcome in Outcome)
    assert all(
        f"{stage}:" in helps["wakequeue_stage_seconds"] for stage in values(exported["FRONT"], "wakequeue_stage_seconds", "stage")
    )


@needs_prometheus
@pytest.mark.parametrize("registry", [FRONT, WORKER, BEAT], ids=["hook", "worker", "beat"])
def test_names_and_helps_are_as_prometheus_wants_them(registry: CollectorRegistry) -> None:
    """Its own linter has nothing to say against any."""
    done = subprocess.run([PROMTOOL, "check", "metrics"], input=generate_latest(registry), capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
