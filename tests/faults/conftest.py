"""The faults: each is done to real processes, makes a row of the table at the end, and has a mutant that fails it.

`make faults` does each so often as CI has time for; `make faults FULL=1`, as often as it takes to trust it. `make mutants` does
each to its mutants.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table
from support.fault import Row
from support.installation import Installation
from support.mutant import Mutant
from support.told import told

#: How often, at most, a fault is done to a mutant that fails whenever it is hurt.
TIMES_FOR_A_MUTANT = 5


@dataclass
class Trial:
    """What a fault is done to: the packages as they are, or a mutant's; every process started through it ends with it."""

    env: dict[str, str]
    full: bool
    record_property: Callable[[str, object], None]
    mutant: Mutant | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    def times(self, usual: int, full: int, *, until_a_mutant_fails: int | None = None) -> int:
        """How often to do the fault: to a mutant, at most as often as it takes."""
        if self.mutant is not None:
            return until_a_mutant_fails or min(usual, TIMES_FOR_A_MUTANT)
        return full if self.full else usual

    def installation(self, redis_url: str, autoscaler: str, **env: str) -> Installation:
        """Fronts and workers to be started."""
        return self.stack.enter_context(Installation(redis_url, autoscaler, self.env | env))

    def judge(self, row: Row) -> Row:
        """Put a row into the table, and return it for the test to judge."""
        if self.mutant is None:
            self.record_property("row", asdict(row))
        return row


def mutants(*made: Mutant) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Do a fault to the packages as they are, and to each of these mutants, which have to fail it."""

    def fails(one: Mutant) -> pytest.MarkDecorator:
        return pytest.mark.xfail(strict=True, raises=AssertionError, reason=f"mutant: {one.name}")

    params = [pytest.param(None, id="as it is"), *(pytest.param(one, id="mutant", marks=fails(one)) for one in made)]
    return pytest.mark.parametrize("trial", params, indirect=True)


def mutant(name: str, file: str, old: str, new: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Do the same with one mutant."""
    return mutants(Mutant(name, file, old, new))


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--full` does each fault as often as it takes to trust it."""
    parser.addoption("--full", action="store_true", help="do each fault as often as it takes to trust it")


@pytest.fixture
def trial(request: pytest.FixtureRequest, tmp_path: Path, record_property: Callable[[str, object], None]) -> Iterator[Trial]:
    """The packages as they are; with `mutant`, its copy too."""
    made: Mutant | None = getattr(request, "param", None)
    env = made.write(tmp_path / "mutant") if made else {}
    trial = Trial(env, bool(request.config.getoption("--full")), record_property, made)
    with trial.stack:
        yield trial


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Iterator[pytest.TestReport]:
    """Have `-rx` say of each mutant what it failed, so that one that fails for another reason is seen."""
    report: pytest.TestReport = yield
    if call.excinfo is not None and getattr(report, "wasxfail", None):
        report.wasxfail += f": {str(call.excinfo.value).splitlines()[0]}"
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table."""
    table = Table(
        "fault", "times", "recorded", "delivered", "twice", "lost", "worst recovery", title="faults", title_justify="left"
    )
    for column in table.columns[1:]:
        column.justify = "right"
    for row in (Row(**row) for row in told(terminalreporter, "row")):
        numbers = (row.times, row.recorded, row.delivered, row.twice, row.lost)
        table.add_row(row.fault, *(f"{number:,}" for number in numbers), f"{row.worst_recovery:.2f} s")
    Console(width=132).print(table)
