"""Files that are replaced while the front runs: read again when they change, and kept as they were when they can't be used."""

import logging
import os
from pathlib import Path

import pytest

from gateway_hook.files import Renewed, read
from wakequeue.errors import SettingsError
from wakequeue.setting_sources import load
from wakequeue.settings import Settings


def settings_for(path: Path) -> Settings:
    """Return settings with this file of tokens."""
    return load({"WAKEQUEUE_GRPC_TOKEN_FILE": str(path)})


def renewed(path: Path) -> Renewed[bytes]:
    """Return what is in a file, which can be used unless it is empty."""

    def use() -> bytes:
        content = read(settings_for(path), "grpc_token_file")
        if not content:
            raise SettingsError("empty")
        return content

    return Renewed([str(path)], use)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file with something in it."""
    path = tmp_path / "file"
    path.write_bytes(b"one")
    return path


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What wakequeue logs, from INFO on."""
    caplog.set_level(logging.INFO, logger="wakequeue")
    return caplog


def replace(path: Path, content: bytes) -> None:
    """Put another file in a file's place at once."""
    fresh = path.with_suffix(".new")
    fresh.write_bytes(content)
    fresh.replace(path)


def test_a_file_that_stays_is_read_once(path: Path, log: pytest.LogCaptureFixture) -> None:
    """As long as nothing changes there is nothing new, and nothing to say."""
    file = renewed(path)
    assert not file.renew()
    assert file.value == b"one"
    assert log.messages == []


def test_a_file_that_is_replaced_is_read_again(path: Path, log: pytest.LogCaptureFixture) -> None:
    """Once; also where its length and its time stay the same."""
    file = renewed(path)
    stat = path.stat()
    replace(path, b"two")
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert file.renew()
    assert file.value == b"two"
    assert not file.renew()
    assert log.messages == [f"renewed files={path}"]


def test_a_link_that_is_turned_is_followed(tmp_path: Path) -> None:
    """Kubernetes turns a link to the folder with the new files."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    link = tmp_path / "data"
    link.symlink_to("one")
    file = renewed(link / "file")
    (tmp_path / "fresh").symlink_to("two")
    (tmp_path / "fresh").replace(link)
    assert file.renew()
    assert file.value == b"two"


@pytest.mark.parametrize("broken", ["empty", "missing", "folder"])
def test_a_change_that_can_not_be_used_is_said_once_and_changes_nothing(
    path: Path, broken: str, log: pytest.LogCaptureFixture
) -> None:
    """What was there goes on, until there is something that can be used."""
    file = renewed(path)
    path.unlink()
    if broken == "empty":
        path.write_bytes(b"")
    if broken == "folder":
        path.mkdir()
    assert not file.renew()
    assert not file.renew()
    assert file.value == b"one"
    assert len(log.messages) == 1
    assert log.messages[0].startswith("not_renewed error=")
    if broken == "folder":
        path.rmdir()
    replace(path, b"two")
    assert file.renew()
    assert file.value == b"two"


def test_a_file_that_changes_while_it_is_read_is_read_once_more(path: Path) -> None:
    """The state that counts is from before the reading."""
    reads = []

    def use() -> bytes:
        reads.append(path.read_bytes())
        if len(reads) == 2:
            replace(path, b"three")
        return reads[-1]

    file = Renewed([str(path)], use)
    replace(path, b"two")
    assert file.renew()
    assert file.renew()
    assert reads == [b"one", b"two", b"three"]


def test_every_file_counts(tmp_path: Path) -> None:
    """A change of one of several is a change."""
    paths = [tmp_path / "a", tmp_path / "b"]
    for path in paths:
        path.write_bytes(b"1")
    files = Renewed([str(path) for path in paths], lambda: [path.read_bytes() for path in paths])
    replace(paths[1], b"2")
    assert files.renew()
    assert files.value == [b"1", b"2"]


@pytest.mark.parametrize(("name", "says"), [("missing", "No such file or directory"), ("folder", "Is a directory")])
def test_a_file_that_can_not_be_read_refuses_to_start(tmp_path: Path, name: str, says: str) -> None:
    """The line names the setting, the file, and what is allowed."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(SettingsError) as caught:
        renewed(tmp_path / name)
    line = str(caught.value)
    assert line.startswith(f"WAKEQUEUE_GRPC_TOKEN_FILE = '{tmp_path}/{name}': {says}; allowed is a readable file with ")
