"""Where a fault is done: a Redis, a stat server, and the installation between them, all of one trial."""

import os
import time
from collections.abc import Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from support.fault import Row
from support.installation import Installation
from support.processes import BIN, Process, free_port
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.waiting import wait_until
from wakequeue.broker import QUEUE
from wakequeue.ledger import Census, WorkerLedger
from wakequeue.settings import Settings

HURT = Path(__file__).parent / "hurt"


@dataclass(frozen=True, slots=True)
class Site:
    """Everything ends with the stack that it was made on."""

    redis: RedisServer
    stats: StatServer
    installation: Installation
    ledger: WorkerLedger

    @classmethod
    def on(cls, stack: ExitStack, env: Mapping[str, str], *redis_options: str) -> "Site":
        """A site whose processes get this environment."""
        redis, stats = stack.enter_context(RedisServer(*redis_options)), stack.enter_context(StatServer())
        installation = stack.enter_context(Installation(redis.url, stats.url, dict(env)))
        ledger = WorkerLedger.connect(redis.reach, Settings())
        stack.callback(ledger.client.close)
        return cls(redis, stats, installation, ledger)

    def start_worker(self, **env: str) -> Process:
        """A worker that has just been started: what waits for it may end it before it is connected."""
        command = [str(BIN / "wakequeue"), "worker"]
        return self.installation.start(command, WAKEQUEUE_ADMIN_ADDRESS=f"127.0.0.1:{free_port()}", **env)

    def workers(self, number: int, **env: str) -> list[Process]:
        """So many workers, started at the same time, once they consume and are connected."""
        started = [self.start_worker(**env) for _ in range(number)]
        for process in started:
            process.wait_for_line(" started role=worker", within=30)
            process.wait_for_line(" connected endpoint=", within=30)
        return started

    def consuming(self) -> int:
        """How many workers wait for a doorbell."""
        return sum(client["cmd"] == "brpop" for client in self.redis.client.client_list())

    def census(self) -> Census:
        """What the ledger holds."""
        return self.ledger.census(QUEUE)

    def settled(self, calls: int, within: float) -> Census:
        """What the ledger holds once so many calls are settled, and the stat server has them: it sends a pong before it reads."""

        def found() -> Census | None:
            census = self.census()
            return census if census.settled_calls == calls and self.stats.requests().total() >= calls else None

        return wait_until(found, within, f"a ledger in which {calls} calls are settled")

    def reported(self, revisions: Collection[str], within: float) -> float:
        """Wait until each of these Revisions was reported, and return how many seconds that took."""
        began, names = time.monotonic(), set(revisions)
        wait_until(lambda: names <= self.stats.requests().keys(), within, f"each of {len(names)} Revisions reported")
        return time.monotonic() - began

    def row(self, fault: str, times: int, recorded: Mapping[str, int], worst_recovery: float) -> Row:
        """What came of the calls that were recorded."""
        return Row.of(fault, times, recorded=recorded, reported=self.stats.requests(), worst_recovery=worst_recovery)


def hurt(env: Mapping[str, str], at: str, marks: Path) -> dict[str, str]:
    """The environment of processes that end by SIGKILL at a step, once for each Revision; see `hurt/sitecustomize.py`."""
    marks.mkdir(exist_ok=True)
    path = [str(HURT), *filter(None, [env.get("PYTHONPATH")])]
    return {"PYTHONPATH": os.pathsep.join(path), "HURT_AT": at, "HURT_MARKS": str(marks)}
