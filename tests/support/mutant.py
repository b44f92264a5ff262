"""A mutant: a copy of the installed packages with one guard switched off, to show that a test can fail."""

import shutil
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

PACKAGES = ("gateway_hook", "wakequeue", "workers")


@dataclass(frozen=True, slots=True)
class Mutant:
    """One text in one file, and what stands there instead; `name` says what no longer holds."""

    name: str
    file: str
    old: str
    new: str

    def write(self, folder: Path) -> dict[str, str]:
        """Write the copy; returns the environment in which processes run it. Fails where the text isn't there exactly once."""
        for package in PACKAGES:
            source = str(resources.files(package))
            shutil.copytree(source, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        path = folder / self.file
        text = path.read_text()
        if text.count(self.old) != 1:
            # No AssertionError: that is how a mutant is to fail.
            raise ValueError(f"{self.file} has {text.count(self.old)} times {self.old!r}")
        path.write_text(text.replace(self.old, self.new))
        return {"PYTHONPATH": str(folder)}
