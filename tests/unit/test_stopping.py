"""A process that is told to stop does."""

import subprocess
import sys


def test_it_ends_whatever_it_waits_for() -> None:
    """After its time it says so and ends, with an exit code that a supervisor sees, though a thread of it waits for something."""
    waits = "import threading; from wakequeue.stopping import end_within; threading.Thread(target=threading.Event().wait).start()"
    done = subprocess.run(
        [sys.executable, "-c", f"{waits}; end_within(0.1)"], check=False, capture_output=True, text=True, timeout=20
    )
    assert (done.returncode, done.stderr) == (1, "ended_late\n")
