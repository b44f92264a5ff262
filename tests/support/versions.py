"""Earlier versions of the packages, as the repository has them, to be run beside the installed ones."""

import subprocess
import tarfile
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from support.mutant import PACKAGES

ROOT = Path(__file__).parents[2]

#: The last commit whose ledger knows no wake-up's id.
WITHOUT_IDS = "0615b33"


@dataclass(frozen=True, slots=True)
class Version:
    """The packages at a commit."""

    commit: str

    def write(self, folder: Path) -> dict[str, str]:
        """Write them; returns the environment in which processes run them."""
        with tarfile.open(fileobj=BytesIO(_git("archive", self.commit, *PACKAGES))) as archive:
            archive.extractall(folder, filter="data")
        # They may not know this setting, which every process of the tests has.
        return {"PYTHONPATH": str(folder), "WAKEQUEUE_LOG_FORMAT": ""}


def previous() -> Version:
    """The packages before the newest commit that changed them."""
    return Version(_git("rev-list", "--max-count=1", "--skip=1", "HEAD", "--", *PACKAGES).decode().strip())


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout
