"""What the acceptance tests print: how long clients waited after their application was up, and what a hook costs a gateway."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import pytest
from rich.console import Console
from rich.table import Table
from support.told import told


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds, under the words that say what took them: a row of one of the tables."""

    table: str
    words: tuple[str, ...]
    milliseconds: Sequence[float]

    def quantile(self, share: float) -> float:
        """The time that this share of them kept within."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


#: The tables, and the columns of their words.
TABLES = {
    "added after readiness, in ms": ("configuration", "clients", "ready after"),
    "through Envoy to a warm application, in ms": ("configuration", "load"),
}
ADDED, OVERHEAD = TABLES

#: Has a row shown in its table.
Show = Callable[[Times], None]


@pytest.fixture
def show(record_property: Callable[[str, object], None]) -> Show:
    """Take the rows of a test."""
    return lambda times: record_property("times", asdict(times))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables that have rows, and say so where other tests ran beside those that made them."""
    beside = ", beside other tests" if terminalreporter.config.getoption("numprocesses", 0) else ""
    all_rows = [Times(**times) for times in told(terminalreporter, "times")]
    for title, words in TABLES.items():
        rows = [row for row in all_rows if row.table == title]
        table = Table(*words, "times", "p50", "p95", "p99", "most", title=title + beside, title_justify="left")
        for column in table.columns[len(words) :]:
            column.justify = "right"
        for row in rows:
            shares = (row.quantile(share) for share in (0.5, 0.95, 0.99, 1))
            table.add_row(*row.words, str(len(row.milliseconds)), *(f"{share:.1f}" for share in shares))
        if rows:
            Console(width=132).print(table)
