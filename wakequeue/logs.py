"""How a process writes its log: lines for people, or one JSON object a line.

An object has `time` (RFC 3339), `level` and `role`; one of our events its `event` and that one's keys; a record of another library
`logger` and `message`, and `exception` where there is one. Whatever is in it, it is one line.
"""

import json
import logging
import math
import os
import sys
import threading
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Final

TEXT: Final = "%(asctime)s %(levelname)-7s %(message)s"

_log: Final = logging.getLogger("wakequeue")


class JsonFormatter(logging.Formatter):
    """Writes the records of one role's process as JSON objects; see `wakequeue.events` for those of ours."""

    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        """One record as one line."""
        head = _head(record.created, record.levelname, self._role)
        details = getattr(record, "wakequeue", None)
        if details is None:
            details = {"logger": record.name, "message": record.getMessage()}
        line = head | details | head  # in this order, and without a detail in the place of what each line has
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _written(line)


def configure_logging(log_format: str, role: str) -> None:
    """Write warnings of every library, and our own events, as lines on stderr; `log_format` is the setting."""
    handler = logging.StreamHandler(sys.stderr)
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    handler.setFormatter(JsonFormatter(role) if as_json else logging.Formatter(TEXT))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("py.warnings").setLevel(logging.ERROR)  # deprecations are for the developer of wakequeue
    _log.setLevel(logging.INFO)
    # It logs each header that is no text, with the header: a flood, made of what may be a token.
    logging.getLogger("grpc._cython.cygrpc").addFilter(lambda record: not str(record.msg).startswith("Invalid encoding"))
    if as_json:
        logging.captureWarnings(capture=True)
        sys.excepthook = _uncaught
        threading.excepthook = lambda ended: _uncaught(ended.exc_type, ended.exc_value, ended.exc_traceback)


def say_at_once(text: str, _stream: object = None) -> None:
    """Log what is said in a signal handler, where the log may be in use; in the place of Celery's `safe_say`."""
    handler = logging.root.handlers[0]
    record = logging.makeLogRecord({"name": "celery", "levelno": logging.INFO, "levelname": "INFO", "msg": text})
    os.write(sys.stderr.fileno(), f"{handler.format(record)}\n".encode())


def passed_on(role: str, line: str) -> str:
    """A line of another process as a JSON object: as it is, where it is one."""
    try:
        is_object = isinstance(json.loads(line), dict)
    except ValueError:
        is_object = False
    return line if is_object else _written(_head(time.time(), "info", role) | {"message": line})


def _head(at: float, level: str, role: str) -> dict[str, object]:
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"time": moment, "level": level.lower(), "role": role}


def _written(line: dict[str, object]) -> str:
    return json.dumps({key: _plain(value) for key, value in line.items()})


def _plain(value: object) -> object:
    """Numbers as they are; of all else the text, as which a setting with a secret hides it."""
    is_number = type(value) in {bool, int} or (type(value) is float and math.isfinite(value))
    return value if is_number or value is None else str(value)


def _uncaught(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    if not issubclass(kind, (SystemExit, KeyboardInterrupt)):  # those ask for an end
        _log.critical("a defect of wakequeue", exc_info=(kind, error or kind(), trace))
