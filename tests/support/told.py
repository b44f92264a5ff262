"""What tests tell the summary at the end, by `record_property`: from whichever process ran them."""

from typing import Any

import pytest


def told(terminal: pytest.TerminalReporter, name: str) -> list[Any]:
    """What was told under this name, in the order of the tests."""
    reports = [
        report
        for several in terminal.stats.values()
        for report in several
        if isinstance(report, pytest.TestReport) and report.when == "call"
    ]
    reports.sort(key=lambda report: (report.location[0], report.location[1] or 0))
    return [value for report in reports for told_name, value in report.user_properties if told_name == name]
