"""An installation in which all is well, for the doctor to look at: until a test breaks a part of it, and mends it again."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from support.installation import Installation, Running
from support.processes import BIN, Process, free_port
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.waiting import wait_until
from wakequeue.doctor.command import examine
from wakequeue.ledger import Presences

COMMAND = [str(BIN / "wakequeue"), "doctor"]

#: A clock that isn't Redis's. One that is seconds apart is the same, of a process that stalled between reading the two.
FAR_APART = re.compile(r" by [+-](?:[5-9]|\d{2,})\.\d s")

Found = list[tuple[str, str, str]]
"""Subject, grade and words."""


@dataclass(frozen=True, slots=True)
class Well:
    """A Redis, a stat server, a front and a worker."""

    redis: RedisServer
    stats: StatServer
    installation: Installation
    hook: Running
    worker: Running

    def doctor(self, *options: str, **env: str) -> tuple[int, list[str]]:
        """How the command ended, and its lines."""
        with Process([*COMMAND, *options], self.env | env) as process:
            return process.wait(), process.lines

    def said(self, **env: str) -> tuple[int, Found]:
        """How the command ended, and what it found."""
        code, lines = self.doctor("--json", **env)
        (line,) = lines
        said: dict[str, Any] = json.loads(line)
        assert said.keys() == {"ok", "findings"}
        assert said["ok"] == (code == 0)
        return code, [(one["subject"], one["grade"], one["words"]) for one in said["findings"]]

    def found(self, **env: str) -> Found:
        """What it finds, without a process of its own; how soon this busy machine answers is no finding here."""
        found = asyncio.run(examine(self.env | env))
        assert all(bool(one.remedy) == (one.grade != "ok") for one in found)
        return [(one.subject, one.grade, one.words) for one in found if not tells_times(one.words)]

    def against(self, **env: str) -> Found:
        """What of that isn't ok."""
        return [one for one in self.found(**env) if one[1] != "ok"]

    @property
    def env(self) -> dict[str, str]:
        """What the doctor is told of it."""
        return {
            "WAKEQUEUE_REDIS_URL": self.redis.url,
            "WAKEQUEUE_AUTOSCALER_ENDPOINT": self.stats.url,
            "WAKEQUEUE_GRPC_ADDRESS": self.hook.grpc_address,
            "WAKEQUEUE_HTTP_ADDRESS": self.hook.http_address,
            "WAKEQUEUE_ADMIN_ADDRESS": self.hook.admin,
            "WAKEQUEUE_FLOWER_ADDRESS": f"127.0.0.1:{free_port()}",
        }


def tells_times(words: str) -> bool:
    """Whether it goes by how soon something answers."""
    slow = "a PING takes" in words or "answers a ping in" in words
    return slow or ("clocks are not Redis's" in words and not FAR_APART.search(words))


@contextmanager
def all_well() -> Iterator[Well]:
    """Start all of it."""
    with RedisServer() as redis, StatServer() as stats, Installation(redis.url, stats.url) as installation:
        well = Well(redis, stats, installation, installation.hook(), installation.worker())
        presences = Presences(redis.client)
        wait_until(lambda: len(presences.all()) == 2, 20, "both to say that they run")
        yield well
