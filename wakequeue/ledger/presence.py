"""Presence: each front, worker and beat says again and again that it is there, and what it is; *present* is the verb."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Final, Self

import msgspec
from redis import Redis

from wakequeue.ledger.scripts import PROCESSES, asked, milliseconds, script
from wakequeue.reach import Reach

#: How often a process says that it is there, and how long one is thought to be that says it no more.
SAY_EVERY: Final = 10.0
LASTS: Final = 30.0

#: What may be printed as it is, whoever wrote it: escape sequences and markup are none.
Word = Annotated[str, msgspec.Meta(pattern=r"\A[-A-Za-z0-9._+!]{1,64}\Z")]


@dataclass(frozen=True, slots=True)
class Presence:
    """A process, such as `front-7c9:1` (its host and pid), of a version, that runs `since` a time by its own clock (Unix seconds).

    `role` is the command that runs it: hook, worker or beat. Of each setting that is to be the same in all of them it has a digest.
    `ahead` is by how many seconds its clock is ahead of Redis's, less what its word took to get there.
    """

    name: str
    role: Word
    version: Word
    since: float
    digests: Mapping[str, str] = field(default_factory=dict)
    ahead: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """What it says of itself, for JSON."""
        return {"name": self.name, "role": self.role, "version": self.version, "since": self.since, "digests": self.digests}

    @classmethod
    def parse(cls, kept: bytes) -> Self | None:
        """Read what the ledger keeps; what a newer version says besides is left out. None where it is no such thing."""
        ahead, _, says = kept.partition(b" ")
        try:
            return replace(msgspec.json.decode(says, type=cls), ahead=msgspec.json.decode(ahead, type=float) / 1000)
        except (msgspec.DecodeError, ValueError, RecursionError):
            return None


class Presences:
    """Who is there, in one ledger; safe to share between threads. Every method raises LedgerUnavailable."""

    def __init__(self, client: Redis) -> None:
        self.client = client
        self._present = client.register_script(script("present"))

    @classmethod
    def connect(cls, reach: Reach, *, timeout: float = 2.0) -> Self:
        """A ledger that gives up on an unanswered command after `timeout` seconds."""
        return cls(reach.client(timeout, retries=0))

    def say(self, key: str, presence: Presence, clock: float) -> None:
        """This process, by a key unlike any other's, is there; its clock shows this Unix time."""
        self._tell(key, LASTS, clock, msgspec.json.encode(presence.as_dict()))

    def leave(self, key: str) -> None:
        """It isn't any more."""
        self._tell(key, 0.0, 0.0, b"")

    def all(self) -> list[Presence]:
        """Everyone who is there, in the order of their roles and names."""
        return presences(asked(self.client.hvals, PROCESSES))

    def _tell(self, key: str, lasts: float, clock: float, says: bytes) -> None:
        asked(self._present, args=[key, milliseconds(lasts), milliseconds(clock), says])


def presences(kept: list[bytes]) -> list[Presence]:
    """What the ledger keeps of processes, in the order of their roles and names; what is no presence is nobody's."""
    return sorted(filter(None, map(Presence.parse, kept)), key=lambda one: (one.role, one.name))
