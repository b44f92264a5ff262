"""What the documentation says can be done is done here: each of its commands. What it names is there."""

import itertools
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase
from support.documents import PAGES, ROOT, Command, blocks, commands
from support.processes import BIN, Process, clean_environment, free_port
from support.waiting import wait_until

from wakequeue import telemetry
from wakequeue.cli import wakequeue as command_line
from wakequeue.setting_sources import FILE_VARIABLE, ORIGINAL_NAMES, PREFIX
from wakequeue.settings import Settings

#: Programs that need what no test has: a cluster, a registry, a real gateway. Of their commands what they name is looked at.
NOT_HERE = {"docker", "envoy", "istioctl", "kubectl", "pip"}

#: What answers only where one of those runs: the Envoy of deploy/envoy, which tests of its own start, or a reader's gateway.
NOT_OURS = ("http://127.0.0.1:8080/", "127.0.0.1:9901/", "http://GATEWAY/")

#: Files that are a reader's own.
YOURS = {"mine.yaml"}

HELM = ROOT / ".venv/helm/helm"

#: What of Helm needs no cluster.
HELM_HERE = {"lint", "show", "template"}

#: Programs that a line may pipe what it got into, or begin with.
BESIDE = {"cd", "grep"}

#: Words of commands that only look: what they are to print may come a moment later.
LOOKS = {"status", "history", "-s"}

#: How kubectl names a Deployment.
DEPLOYMENT = "deploy/[-a-z]+"

#: What a process prints only with access to Kubernetes.
NEEDS_CLUSTER = "woken"

#: The addresses that a page names, and the setting of each.
ADDRESSES = {"6100": "GRPC", "6101": "ADMIN", "8012": "HTTP", "5555": "FLOWER"}

#: What there is of what a page can name.
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
VARIABLES = {
    *(PREFIX + name.upper() for name in Settings.__struct_fields__),
    *ORIGINAL_NAMES,
    FILE_VARIABLE,
    *re.findall(r"\$\{(\w+)", (ROOT / "docker-compose.yml").read_text()),
}
METRICS = {
    family.name + suffix
    for metric in vars(telemetry).values()
    if isinstance(metric, MetricWrapperBase)
    for family in metric.describe()
    for suffix in ("", "_total", "_info", "_bucket", "_count", "_sum")
}

IDS = [str(page.relative_to(ROOT)) for page in PAGES]


class Machine:
    """Where `wakequeue up` runs, with addresses of its own in the place of those that the pages name."""

    def __init__(self, folder: Path) -> None:
        self.ran: set[str] = set()
        self._ports = {port: str(free_port()) for port in ADDRESSES}
        self.env = {f"WAKEQUEUE_{name}_ADDRESS": f"127.0.0.1:{self._ports[port]}" for port, name in ADDRESSES.items()}
        # A call is recorded when it is answered, as the pages say, however busy the machine.
        self.env |= {
            "WAKEQUEUE_ANSWER_WITHIN": "5s",
            "WAKEQUEUE_DATA_DIR": str(folder),
            "PATH": f"{BIN}:/usr/local/bin:/usr/bin:/bin",
            "COLUMNS": "200",
        }

    def run(self, command: Command) -> None:
        """Run a command as a shell would. Fails where it doesn't end well, or print what the page says."""
        namespace = f"of-{command.page.parent.name}-{command.page.stem}/".lower()
        text = self._here(command.text).replace("shop/", namespace)
        output = [masked(line.replace("shop/", namespace)) for line in command.output]

        looks = LOOKS & set(command.words)
        try:
            wait_until(lambda: not self._against(text, output), 10 if looks else 0)
        except AssertionError as error:
            raise AssertionError(f"{command}\n{self._against(text, output)}") from error
        self.ran.add(command.text)

    def _against(self, text: str, output: list[str]) -> str:
        """What speaks against it that a command did what the page says: empty for nothing."""
        env = clean_environment() | self.env
        ended = subprocess.run(["bash", "-c", text], check=False, env=env, cwd=ROOT, capture_output=True, text=True, timeout=30)
        missing = [line for line in output if line not in masked(ended.stdout)]
        good = not missing and (ended.returncode == 0 or "doctor" in text)
        return "" if good else f"exit code {ended.returncode}, without {missing}: {ended.stdout}{ended.stderr}"

    def _here(self, text: str) -> str:
        """A command with this machine's addresses, programs and days."""
        text = re.sub(r"(?<=127\.0\.0\.1:)\d+", lambda port: self._ports.get(port[0], port[0]), text)
        text = re.sub(r"\b2\d{3}-\d\d-\d\d(?=T)", f"{datetime.now(tz=UTC) + timedelta(days=2):%Y-%m-%d}", text)
        text = re.sub(r"^make ", "make -n ", re.sub(r"^helm ", f"{HELM} ", text))
        return text.replace(".venv/bin/", f"{BIN}/")


def masked(text: str) -> str:
    """A text without what differs from run to run: numbers, ids, and white space."""
    return re.sub(r"\b[0-9a-f]{8}([0-9a-f]{24})?\b|[+-]?\d[\d.,:]*", "#", " ".join(text.split()))


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine on which `wakequeue up` runs."""
    with ExitStack() as stack:
        made = Machine(tmp_path_factory.mktemp("data"))
        stack.enter_context(Process([str(BIN / "wakequeue"), "up"], made.env)).wait_for_line("ready:", 60)
        yield made


def can_run(command: Command) -> bool:
    """Whether a command can be run here. Fails for one of which nobody knows."""
    if any(place in command.text for place in NOT_OURS):
        return False
    known = [runs(*words) for words in command.simple]
    assert None not in known, f"{command}: neither a program that is run here, nor one that can't be"
    return all(known)


def runs(program: str, *arguments: str) -> bool | None:
    """Whether a program runs here; None for one that isn't known."""
    name = program.removeprefix(".venv/bin/")
    if name == "helm":
        return arguments[0] in HELM_HERE and HELM.exists()
    if name in {"make", "curl", "wakequeue", *BESIDE}:
        return name != "wakequeue" or arguments[0] not in {"up", "hook", "worker", "beat", "flower", "autoscaler"}
    return False if name in NOT_HERE else None


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_each_command_is_run(page: Path, machine: Machine) -> None:
    """Each command of a page ends well and prints what the page says; of one that can't be run here what it names exists."""
    if not shutil.which("curl"):
        pytest.skip("there is no curl on this machine")
    for command in commands(page):
        named(command)
        if NEEDS_CLUSTER in " ".join(command.output):
            command.output.clear()
        if can_run(command) and (command.output or command.text not in machine.ran):
            machine.run(command)


def named(command: Command) -> None:
    """See that the files that a command names are there, and wakequeue's own commands and options in it."""
    folders = [ROOT, *(ROOT / words[1] for words in command.simple if words[0] == "cd")]
    for word in set(command.words) - YOURS:
        if re.fullmatch(r"(deploy|docs|tests|protos)/.*|[-\w./]+\.(yaml|yml|toml)", word) and not re.fullmatch(DEPLOYMENT, word):
            assert any((folder / word).exists() for folder in folders), f"{command}: there is no {word}"
    if match := re.search(r"(?:^|-- |\bbin/)wakequeue (.*)", command.text):
        known(match[1], command)


def known(text: str, where: object) -> None:
    """See that a command of wakequeue's own exists, and has the options that are named."""
    words = re.sub(r"[\[\]|]|\.\.\.| #.*", " ", text.partition(" | ")[0]).split()
    found: click.Command = command_line
    context = click.Context(found)
    for word in words:
        if not isinstance(found, click.Group):
            break
        inner = found.get_command(context, word)
        assert inner or word.startswith("-") or word.isupper(), f"{where}: there is no `{text}`"
        found = inner or found
    options = {option for parameter in found.params for option in parameter.opts} | {"--help", "--version"}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= options, f"{where}: `{text}` has no such option"


@pytest.mark.parametrize("page", PAGES, ids=IDS)
def test_each_name_is_one(page: Path) -> None:
    """Each command, make target, setting and metric that a page names in its text is there."""
    text = page.read_text(encoding="utf-8")
    synopses = [line for block in blocks(page) for line in block.lines if block.language == "text"]
    spans = re.findall(r"`([^`\n]+)`", text)
    for span in itertools.chain(synopses, spans):
        if match := re.match(r"wakequeue ([a-z].*)", span):
            known(match[1], page)
    assert set(re.findall(r"`make ([a-z]+)", text)) <= TARGETS, "no such targets"
    assert set(re.findall(r"\bWAKEQUEUE_[A-Z0-9_]*[A-Z0-9]\b", text)) <= VARIABLES, "no such settings"
    assert set(re.findall(r"`(wakequeue_[a-z_]+)", text)) <= METRICS, "no such metrics"


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name == "docs"], ids=lambda page: page.name)
def test_each_block_says_what_it_is(page: Path) -> None:
    """No block is without a language, so that none is a command that nobody runs."""
    assert all(block.language for block in blocks(page))


def test_each_alert_has_its_section() -> None:
    """Where an alert's annotation sends its reader, there is a heading of the alert's name."""
    groups = yaml.safe_load((ROOT / "deploy/helm/wakequeue/rules/wakequeue.yaml").read_text())["groups"]
    alerts = {rule["alert"]: rule["annotations"]["runbook"] for group in groups for rule in group["rules"]}
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs/troubleshooting.md").read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(alerts)
    assert {name: f"docs/troubleshooting.md#{name.lower()}" for name in alerts} == alerts
