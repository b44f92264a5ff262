"""Each verb's Lua text: the prelude, then the verb's own file."""

from importlib import resources
from typing import Literal

Verb = Literal["record", "take", "settle", "release", "bury", "sweep", "census"]


def script(verb: Verb) -> str:
    """The text that Redis runs for a verb."""
    folder = resources.files(__package__)
    return (folder / "prelude.lua").read_text() + (folder / f"{verb}.lua").read_text()


def milliseconds(seconds: float) -> int:
    """The ledger's unit of time."""
    return round(seconds * 1000)


def seconds(milliseconds: bytes | int) -> float | None:
    """The other way round; None for the empty text that stands for no time."""
    return None if milliseconds == b"" else int(milliseconds) / 1000
