"""Both sides of one ledger on a real Redis, and ways to let leases and keys run out in a test."""

import asyncio
from collections.abc import Sequence
from typing import Final, Literal, TypeVar

from redis import Redis

from support.redis_server import RedisServer
from wakequeue.broker import QUEUE
from wakequeue.episode import Ending, Episode
from wakequeue.ledger import (
    Begun,
    Census,
    Commit,
    DeadLetters,
    Entry,
    FrontLedger,
    Lease,
    Plan,
    Recorded,
    Settled,
    Start,
    Starts,
    WorkerLedger,
)
from wakequeue.revision import Revision
from wakequeue.setting_types import Seconds
from wakequeue.settings import Settings

T = TypeVar("T")

A, B, C, D = REVISIONS = tuple(Revision("shop", name) for name in "abcd")
HOUR: Final = 3600.0
MINUTE: Final = 60.0


def entry(revision: Revision, calls: int = 1, *, awake: bool = False, first_age: float = 0.0, last_age: float = 0.0) -> Entry:
    """Calls of one Revision, by one gateway."""
    return Entry(revision, calls, awake, first_age, last_age, {"mixer 10.0.0.7": calls})


def waits(revision: Revision, *requests: str, last_age: float = 0.0, caller: str = "http 10.0.0.7") -> Entry:
    """Requests that wait for one Revision, by one gateway; with no caller they are counted already."""
    told = dict.fromkeys(requests, (caller, last_age))
    return Entry(revision, 0, awake=False, first_age=last_age, last_age=last_age, requests=told)


class Ledger:
    """Both sides of one ledger; the front's doorbells are its own to ring for an hour, and callers are as patient."""

    def __init__(self, server: RedisServer) -> None:
        self.client: Redis = server.client
        self.worker = self.using()
        self.letters = DeadLetters(server.client)
        settings = Settings(ring_again=Seconds(HOUR), idle_after=Seconds(HOUR))
        self.starts = Starts(server.client, settings, QUEUE)
        self._runner = asyncio.Runner()
        patient = Settings(ring_again=Seconds(HOUR), idle_after=Seconds(HOUR), patience=Seconds(HOUR), report_every=Seconds(MINUTE))
        self._front = FrontLedger.connect(server.reach, patient, QUEUE, timeout=10)
        self._commits = 0

    def using(self, *, holder: str = "worker", **numbers: float) -> WorkerLedger:
        """A worker's side of it with these settings; its times are an hour, else."""
        hours = {"idle_after": HOUR, "lease_for": HOUR, "ring_again": HOUR, "report_every": HOUR}
        return WorkerLedger(self.client, Settings(**hours | numbers), holder=holder)

    def record(self, *entries: Entry, commit: Commit | None = None) -> list[Recorded]:
        """Record a commit, with an id of its own unless one is given."""
        self._commits += 1
        return self._runner.run(self._front.record(commit or Commit("front", self._commits), entries))

    def take(self, *revisions: Revision, trial: bool = False, **numbers: float) -> list[Lease]:
        """Lease what is due."""
        return self.using(**numbers).take(revisions, trial=trial).leases

    def settle(
        self, lease: Lease, *, ready_in: float = 0.0, repeat_in: float | None = None, idle_after: float = HOUR
    ) -> list[Revision]:
        """Settle one lease, its report made when it was taken."""
        return self.using(idle_after=idle_after).settle([settled(lease, ready_in=ready_in, repeat_in=repeat_in)])

    def release(self, leases: Sequence[Lease], back_offs: Sequence[float]) -> list[Revision]:
        """Release leases."""
        return self.worker.release(leases, back_offs, "no pong in time")

    def bury(self, leases: Sequence[Lease], reason: str = "expired", **numbers: float) -> list[Revision]:
        """Bury leases."""
        return self.using(**numbers).bury(leases, reason)

    def sweep(self, *, most: int = 10_000, **numbers: float) -> tuple[int, list[Revision]]:
        """Sweep, connected to the Autoscaler."""
        swept = self.using(**numbers).sweep(QUEUE, connected=True, most=most)
        return swept.ended, swept.due

    def now(self) -> float:
        """The time on Redis's clock."""
        seconds, microseconds = self.client.time()
        return seconds + microseconds / 1e6

    def begin_async(self, cause: str, *starts: Start) -> Begun:
        """Begin as a front does."""
        return self._runner.run(self._front.begin(cause, starts))

    def let_come(self, *plans: Plan) -> None:
        """Let the time come for which these are planned."""
        self.client.zadd("{wakequeue}:planned", {plan_id(plan): 1 for plan in plans}, xx=True)

    def hasten(self) -> int:
        """Hasten, however soon after the last time."""
        self.client.delete("{wakequeue}:hastened")
        return self.worker.hasten(QUEUE)

    def census(self) -> Census:
        """Count."""
        return self.worker.census(QUEUE)

    def end_lease(self, *revisions: Revision) -> None:
        """Let leases run out now."""
        self.client.zadd("{wakequeue}:leased", {str(revision): 1 for revision in revisions}, xx=True)

    def forget(self, revision: Revision) -> None:
        """Let a Revision's hash expire now."""
        self.client.delete(key(revision))

    def dump(self) -> dict[bytes, tuple[object, int]]:
        """Every key with its value and the time when it expires, but for those that go by themselves within seconds."""
        names = [
            name
            for name in self.client.scan_iter()
            if not name.startswith((b"{wakequeue}:rate", b"{wakequeue}:ring", b"{wakequeue}:hastened", b"{wakequeue}:connected"))
        ]
        return {name: (self._content(name), self.client.pexpiretime(name)) for name in names}

    def _content(self, name: bytes) -> object:
        """What a key holds, in whichever order Redis keeps it."""
        read = {
            b"hash": self.client.hgetall,
            b"zset": lambda key: self.client.zrange(key, 0, -1, withscores=True),
            b"stream": self.client.xrange,
            b"list": lambda key: self.client.lrange(key, 0, -1),
            b"string": self.client.get,
        }
        return read[self.client.type(name)](name)

    def types(self) -> dict[str, bytes]:
        """Every key with its type."""
        found = ((name.decode(), self.client.type(name)) for name in self.client.scan_iter())
        return {name: kind for name, kind in found if kind != b"none"}  # what expired meanwhile

    def expires_in(self, revision: Revision) -> float | None:
        """The seconds until a Revision's hash expires; None where it doesn't."""
        left_ms = self.client.pttl(key(revision))
        return left_ms / 1000 if left_ms >= 0 else None

    def close(self) -> None:
        """Close the connections."""
        self._runner.run(self._front.close())
        self._runner.close()


def plan_id(plan: Plan) -> str:
    """What a plan goes by."""
    return f"{plan.revision} {round(plan.at * 1000)} {plan.cause}"


def key(revision: Revision) -> str:
    """Where a Revision's hash is."""
    return f"{{wakequeue}}:r:{revision}"


def settled(lease: Lease, *, ready_in: float = 0.0, repeat_in: float | None = None) -> Settled:
    """What settles a lease: its first report was made when it was taken."""
    first = lease.taken_at if lease.episode.first_report is None else lease.episode.first_report
    repeat_at = None if repeat_in is None else lease.taken_at + repeat_in
    return Settled(lease, Episode(first, lease.taken_at, float(lease.calls)), lease.taken_at + ready_in, repeat_at, "asleep")


def ended(lease: Lease, outcome: Literal["woken", "unwoken"], *, after: float = 2.0, repeat_in: float | None = None) -> Settled:
    """What settles a lease that ends a waking, so long after its first call; unwoken because there is no image."""
    ending = Ending(outcome, lease.taken_at - after, lease.taken_at)
    return settled(lease, repeat_in=repeat_in)._replace(ending=ending, cause="no image" if outcome == "unwoken" else "")


def only(things: Sequence[T]) -> T:
    """The one thing that there is."""
    (thing,) = things
    return thing
