"""What the acceptance tests print: how long clients waited after their application was up, and what a hook costs a gateway."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from rich.console import Console
from rich.table import Table


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
ROWS = pytest.StashKey[list[Times]]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin with empty tables."""
    config.stash[ROWS] = []


@pytest.fixture(scope="session")
def rows(request: pytest.FixtureRequest) -> list[Times]:
    """What the tables will show."""
    return request.config.stash[ROWS]


def pytest_terminal_summary(config: pytest.Config) -> None:
    """Print the tables that have rows."""
    for title, words in TABLES.items():
        rows = [row for row in config.stash[ROWS] if row.table == title]
        table = Table(*words, "times", "p50", "p95", "p99", "most", title=title, title_justify="left")
        for column in table.columns[len(words) :]:
            column.justify = "right"
        for row in rows:
            shares = (row.quantile(share) for share in (0.5, 0.95, 0.99, 1))
            table.add_row(*row.words, str(len(row.milliseconds)), *(f"{share:.1f}" for share in shares))
        if rows:
            Console(width=132).print(table)
