"""Another clock for a process: ahead, back, or set under way, as NTP or an operator would set it; it still runs as it should."""

import os
from importlib.util import find_spec
from pathlib import Path


def _library() -> Path | None:
    """libfaketime's, which comes for Linux on x86-64."""
    spec = find_spec("libfaketime")
    if spec is None or spec.origin is None or (os.uname().sysname, os.uname().machine) != ("Linux", "x86_64"):
        return None
    return next(Path(spec.origin).parent.rglob("libfaketime.so.1"), None)


LIBRARY = _library()

#: What Celery's worker adds to its environment as it starts. The library reads the environment with each look at the clock, and
#: ends by SIGSEGV where another thread makes it longer meanwhile; what is there already is replaced in its place. No value may be
#: empty, for `Process` leaves such a variable out.
ADDED_BY_CELERY = ("_MP_FORK_LOGLEVEL_", "_MP_FORK_LOGFILE_", "_MP_FORK_LOGFORMAT_", "CELERY_LOG_LEVEL", "CELERY_LOG_FILE")


class Clock:
    """The wall clock of every process that is started with `env`; what CLOCK_MONOTONIC says stays true, as on a real machine."""

    def __init__(self, folder: Path, hours: float = 0.0) -> None:
        self._file = folder / f"clock-{id(self)}"
        self.set(hours)
        self.env = dict.fromkeys(ADDED_BY_CELERY, "0") | {
            "LD_PRELOAD": str(LIBRARY),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }

    def set(self, hours: float) -> None:
        """Set it so many hours ahead of the true time; within a second it is so."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{hours * 3600:+.0f}s\n")
        new.replace(self._file)
