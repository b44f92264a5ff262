"""The files that others replace while the front runs, certificates and tokens: read, and read again when they change."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Generic, TypeVar

from wakequeue.errors import SettingsError
from wakequeue.events import Event, info, warning
from wakequeue.setting_sources import PREFIX
from wakequeue.settings import Settings

T = TypeVar("T")

#: The most bytes that are read of one: more than the authorities of the whole web.
LARGEST: Final = 1 << 20

#: What each file has to be.
ALLOWED: Final = {
    "grpc_certificate_file": "a readable file with the front's certificate in PEM, and after it those that lead to its authority",
    "grpc_key_file": "a readable file with the key of that certificate in PEM, unencrypted",
    "grpc_client_ca_file": "a readable file with the certificates of the clients' authorities in PEM",
    "grpc_token_file": "a readable file with one or more tokens of printable ASCII characters, each on a line",
}


def read(settings: Settings, name: str) -> bytes:
    """The bytes of the file that the setting `name` names. Raises SettingsError where it can't be read."""
    try:
        with Path(getattr(settings, name)).open("rb") as file:
            return file.read(LARGEST)
    except OSError as error:
        raise unusable(settings, name, error.strerror or "can't be read") from error


def unusable(settings: Settings, name: str, why: str) -> SettingsError:
    """The refusal of a file, in one line that shows nothing of what is in it."""
    return SettingsError(f"{PREFIX}{name.upper()} = {str(getattr(settings, name))!r}: {why}; allowed is {ALLOWED[name]}")


class Renewed(Generic[T]):
    """What `read` makes of the files at `paths`, and makes again when they change.

    A change that can't be used is said once, and leaves the value as it was. `read` raises SettingsError, at the making too.
    """

    def __init__(self, paths: Sequence[str], read: Callable[[], T]) -> None:
        self._paths = paths
        self._read = read
        self._seen = self._state()
        self.value = read()

    def renew(self) -> bool:
        """Look at the files; says whether there is another value than before."""
        # The state is from before the reading, so that files which change meanwhile are read once more.
        seen, self._seen = self._seen, self._state()
        if self._seen == seen:
            return False
        try:
            self.value = self._read()
        except SettingsError as error:
            warning(Event.NOT_RENEWED, error=error)
            return False
        info(Event.RENEWED, files=",".join(self._paths))
        return True

    def _state(self) -> list[tuple[int, ...] | None]:
        return [_state(path) for path in self._paths]


def _state(path: str) -> tuple[int, ...] | None:
    """What tells a file from the one that was there before; None where there is none."""
    try:
        stat = Path(path).stat()
    except OSError:
        return None
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
