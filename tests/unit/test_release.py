"""Releases: which frame format each one reads."""

import re

import pytest

from wakequeue.release import Format, Release

#: The formats that each minor release of 0.x reads, the one that is used by default first.
READS: dict[int, tuple[Format, ...]] = {
    **dict.fromkeys(range(1, 16), ("gob",)),
    16: ("json", "gob"),
    **dict.fromkeys(range(17, 20), ("protobuf", "json")),
    **dict.fromkeys(range(20, 27), ("protobuf",)),
}
FORMATS: tuple[Format, ...] = ("gob", "json", "protobuf")


@pytest.mark.parametrize("minor", READS)
def test_a_release_of_0_x_has_the_formats_that_it_reads(minor: int) -> None:
    """Each release takes each format that it reads, no other, and its newest where none is named."""
    assert Release.parse(f"0.{minor}") == Release(minor, READS[minor][0])
    for name in FORMATS:
        if name in READS[minor]:
            assert Release.parse(f"0.{minor}/{name}") == Release(minor, name)
        else:
            with pytest.raises(ValueError, match=f"0.{minor}/{name}"):
                Release.parse(f"0.{minor}/{name}")


@pytest.mark.parametrize("text", ["1.0", "1.23", "v1.23", "1.23.4", "v1.23.4", "1.23/protobuf", " 1.23 ", "1.23\n"])
def test_every_1_x_reads_protobuf(text: str) -> None:
    """All of 1.x is one release to us, in any of the ways that people write it."""
    assert Release.parse(text) == Release(9_999, "protobuf")


@pytest.mark.parametrize("text", ["v0.9", "0.9.1", "v0.9.12/gob"])
def test_a_v_and_a_patch_change_nothing(text: str) -> None:
    """`v0.9.1` is 0.9."""
    assert Release.parse(text) == Release(9, "gob")


NO_RELEASES = [
    "",
    "0",
    "1",
    "0.0",
    "2.0",
    "1.x",
    "latest",
    "0.9.",
    "0.9.x",
    "-0.9",
    "0,9",
    "0.9/",
    "0.9/xml",
    "0.9 gob",
    "0.1234",
    "vv1.0",
]
WRONG_FORMATS = ["1.23/gob", "1.23/json", "0.20/json", "0.17/gob", "0.15/json", "0.16/protobuf", "0.16/GOB"]
NO_TEXT = [0.9, 1, None, ["0.9"]]


@pytest.mark.parametrize("text", [*NO_RELEASES, *WRONG_FORMATS, *NO_TEXT])
def test_anything_else_is_refused(text: object) -> None:
    """Other text is no release, and neither is a number that a file wrote without quotes: 0.10 would be 0.1."""
    with pytest.raises(ValueError, match=rf"^{re.escape(str(text))}$"):
        Release.parse(text)
