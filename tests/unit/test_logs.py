"""How a log line is written: whatever is in it, one line, and as JSON one object."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wakequeue.errors import LedgerUnavailable
from wakequeue.events import Event, info, warning
from wakequeue.logs import JsonFormatter, configure_logging, passed_on, say_at_once
from wakequeue.revision import Revision
from wakequeue.setting_types import Secret


class Terminal(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@dataclass
class Log:
    """The log of a process, with a stderr of its own."""

    patch: pytest.MonkeyPatch
    stderr: io.StringIO = field(default_factory=io.StringIO)

    def configure(self, log_format: str, role: str = "hook") -> None:
        """Have it written so."""
        self.patch.setattr(sys, "stderr", self.stderr)
        configure_logging(log_format, role)

    @property
    def lines(self) -> list[str]:
        """What was written."""
        return self.stderr.getvalue().splitlines()

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The same, as the objects that they are; none fails to be one."""
        objects = [json.loads(line) for line in self.lines]
        assert all(isinstance(one, dict) for one in objects)
        return objects


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[Log]:
    """A stderr that is no terminal, in a process that may be told how to write its log; afterwards all is as it was."""
    log, root = Log(monkeypatch), logging.getLogger()
    loggers = [root, logging.getLogger("wakequeue"), logging.getLogger("py.warnings")]
    before = [(one, one.level) for one in loggers], list(root.handlers), list(logging.getLogger("grpc._cython.cygrpc").filters)
    for owner in (sys, threading):
        monkeypatch.setattr(owner, "excepthook", owner.excepthook)
    root.handlers.clear()  # basicConfig would close them
    yield log
    logging.captureWarnings(capture=False)
    root.handlers[:] = before[1]
    logging.getLogger("grpc._cython.cygrpc").filters[:] = before[2]
    for one, level in before[0]:
        one.setLevel(level)


def test_an_event_is_its_keys(log: Log) -> None:
    """It has when, how grave and by whom, then the event and its details; numbers are numbers."""
    log.configure("json")
    info(Event.STARTED, role="hook", admin_port=6101, ratio=0.5, tls=False)
    warning(Event.RELEASED, first=Revision("shop", "cart"), because=LedgerUnavailable("a\nb"))
    started, released = log.objects
    assert list(started) == ["time", "level", "role", "event", "admin_port", "ratio", "tls"]
    assert datetime.fromisoformat(started.pop("time")).tzinfo is not None
    assert started == {"level": "info", "role": "hook", "event": "started", "admin_port": 6101, "ratio": 0.5, "tls": False}
    assert (released["level"], released["first"], released["because"]) == ("warning", "shop/cart", "a\nb")


def test_a_time_is_rfc_3339_with_milliseconds() -> None:
    """In UTC, as `Z`."""
    record = logging.makeLogRecord({"name": "x", "msg": "y"})
    record.created = 1_700_000_000.5
    assert json.loads(JsonFormatter("hook").format(record))["time"] == "2023-11-14T22:13:20.500Z"


def test_a_librarys_record_says_whose_it_is(log: Log) -> None:
    """With its message, and with the traceback of its exception, in one line."""
    log.configure("json", "worker")
    try:
        int("two\nlines")
    except ValueError:
        logging.getLogger("hypercorn.error").exception("in %s", "a\nrequest")
    (one,) = log.objects
    assert (one["level"], one["logger"], one["message"]) == ("error", "hypercorn.error", "in a\nrequest")
    assert one["exception"].startswith("Traceback ")
    assert one["exception"].endswith("with base 10: 'two\\nlines'")


@given(st.dictionaries(st.text(), st.one_of(st.text(), st.binary(), st.floats(), st.integers(), st.none(), st.sets(st.text()))))
def test_whatever_the_details_it_is_one_object(details: dict[str, object]) -> None:
    """No value, key or number of a stranger makes it more than one line, no JSON, or takes the place of what each line has."""
    record = logging.makeLogRecord({"wakequeue": {"event": "unresolved", **details}, "levelname": "INFO"})
    line = JsonFormatter("hook").format(record)
    written = json.loads(line, parse_constant=pytest.fail)
    assert line.isprintable()
    assert (written["level"], written["role"]) == ("info", "hook")
    assert set(written) == {"time", "level", "role", "event", *details}


def test_a_setting_with_a_secret_hides_it(log: Log) -> None:
    """As it does in the text."""
    log.configure("json")
    warning(Event.NOT_RENEWED, token=Secret("needle"), several=[Secret("needle")])
    assert "needle" not in log.stderr.getvalue()
    assert log.objects[0]["token"] == "***"


@pytest.mark.parametrize(
    ("log_format", "stderr", "is_json"),
    [("auto", Terminal, False), ("auto", io.StringIO, True), ("text", io.StringIO, False), ("json", Terminal, True)],
)
def test_where_nothing_is_chosen_people_get_text(log: Log, log_format: str, stderr: type[io.StringIO], *, is_json: bool) -> None:
    """Auto is text on a terminal, and JSON elsewhere; what is chosen is so anywhere."""
    log.stderr = stderr()
    log.configure(log_format)
    info(Event.STARTED, admin_port=6101)
    (line,) = log.lines
    assert line.startswith("{") == is_json
    assert is_json or line.endswith(" INFO    started admin_port=6101")


def test_a_defect_is_one_line_too(log: Log) -> None:
    """What ends a thread, or the process, is written as the rest of the log is; a library's warning is nobody's here."""
    log.configure("json")
    thread = threading.Thread(target=lambda: {}[1])
    thread.start()
    thread.join()
    sys.excepthook(ValueError, ValueError("x"), None)
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert [one["exception"].splitlines()[-1] for one in log.objects] == ["KeyError: 1", "ValueError: x"]


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_what_is_said_in_a_signal_handler_is_a_line_of_the_log(
    log: Log, capfd: pytest.CaptureFixture[str], log_format: str
) -> None:
    """It goes past the log's lock, and looks as all else does."""
    log.configure(log_format, "worker")
    with open(2, "w", closefd=False) as stderr:
        log.patch.setattr(sys, "stderr", stderr)
        say_at_once("worker: Warm shutdown (MainProcess)", sys.__stdout__)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.endswith(" INFO    worker: Warm shutdown (MainProcess)") or json.loads(line)["message"].startswith("worker: Warm")
    assert log.lines == []


def test_a_line_of_another_process_is_an_object() -> None:
    """As it is, where it is one; else with whose it is."""
    ours = '{"event": "started"}'
    assert passed_on("hook", ours) == ours
    for line in ("stat shop/cart", "[1]", "5", "", "{"):
        told = json.loads(passed_on("autoscaler", line))
        assert (told["role"], told["level"], told["message"]) == ("autoscaler", "info", line)
