"""A deliverer between a real ledger and an Autoscaler that is a fake."""

import asyncio

from redis import Redis

from support.fakes import FakeAutoscaler, FakeCluster
from support.frames import Stat, read_protobuf
from support.redis_server import RedisServer
from wakequeue.broker import QUEUE
from wakequeue.codecs.protobuf import ProtobufCodec
from wakequeue.ledger import Census, Commit, DeadLetter, DeadLetters, Entry, FrontLedger, Start, Starts, WorkerLedger
from wakequeue.revision import Revision
from wakequeue.settings import Settings
from wakequeue.traces import NO_TRACES, Traces
from workers.deliver import Delivered, Deliverer
from workers.hastener import Hastener

A, B, C = REVISIONS = tuple(Revision("shop", name) for name in "abc")


def entry(revision: Revision, calls: int = 1, *, age: float = 0.0, last_age: float | None = None, awake: bool = False) -> Entry:
    """Calls of one Revision; the last as old as the first unless told."""
    return Entry(revision, calls, awake, age, age if last_age is None else last_age)


class Scene:
    """A ledger, an Autoscaler and a deliverer between them."""

    def __init__(self, server: RedisServer) -> None:
        self.client: Redis = server.client
        self.ledger = WorkerLedger(server.client, Settings())
        self.autoscaler = FakeAutoscaler()
        self.cluster = FakeCluster()
        self.connections = 0
        self.hastener = Hastener(self.ledger, lambda: self.connections)
        self.traces: Traces = NO_TRACES
        self._reach = server.reach
        self._commits = 0

    def connect_anew(self) -> None:
        """There is another connection to the Autoscaler."""
        self.connections += 1

    def record(self, *entries: Entry) -> None:
        """A front's commit."""
        self._commits += 1

        async def record() -> None:
            front = FrontLedger.connect(self._reach, Settings(), QUEUE, timeout=10)
            try:
                await front.record(Commit("front", self._commits), entries)
            finally:
                await front.close()

        asyncio.run(record())

    def begin(self, cause: str, *starts: Start) -> None:
        """Start without a call."""
        Starts(self.client, Settings(), QUEUE).begin(cause, starts)

    def deliver(self, *revisions: Revision, codec: ProtobufCodec | None = None, **settings: float | str) -> Delivered:
        """One task's delivery."""
        chosen = Settings(pod_name="pod", **settings)
        ledger = WorkerLedger(self.client, chosen)
        deliverer = Deliverer(
            ledger, self.autoscaler, codec or ProtobufCodec(), chosen, self.hastener, self.cluster, traces=self.traces
        )
        return deliverer.deliver(revisions)

    def reports(self) -> list[Stat]:
        """What the Autoscaler was told."""
        return [stat for frame in self.autoscaler.frames for stat in read_protobuf(frame)]

    def census(self) -> Census:
        """What the ledger holds; no call of it is missing."""
        census = self.ledger.census(QUEUE)
        assert census.drift_calls == 0
        return census

    def ago(self, revision: Revision, **fields: float) -> None:
        """Have times of a Revision's hash be so many seconds ago, and its wake-up be due."""
        seconds, microseconds = self.client.time()
        times = {name: seconds * 1000 + microseconds // 1000 - round(ago * 1000) for name, ago in fields.items()}
        self.client.hset(f"{{wakequeue}}:r:{revision}", mapping=times)
        self.make_due(revision)

    def letters(self) -> list[DeadLetter]:
        """The dead letters, the oldest first."""
        return list(DeadLetters(self.client).find(lambda _: True))

    def make_due(self, revision: Revision) -> None:
        """Let the time come at which a pending Revision is due."""
        self.client.hset(f"{{wakequeue}}:r:{revision}", "due_at", 1)

    def put_off(self, revision: Revision) -> None:
        """Let a pending Revision not be due, however long that takes."""
        self.client.hset(f"{{wakequeue}}:r:{revision}", "due_at", 4_000_000_000_000)

    def end_lease(self, revision: Revision) -> None:
        """Let a lease run out now."""
        self.client.zadd("{wakequeue}:leased", {str(revision): 1}, xx=True)

    def due_in(self, revision: Revision) -> float:
        """In how many seconds a pending Revision is due."""
        seconds, microseconds = self.client.time()
        due_at = int(self.client.hget(f"{{wakequeue}}:r:{revision}", "due_at"))
        return due_at / 1000 - seconds - microseconds / 1e6

    def repeats_after(self, revision: Revision) -> float:
        """In how many seconds after its last report a pending Revision is due."""
        due_at, last_report = self.client.hmget(f"{{wakequeue}}:r:{revision}", "due_at", "last_report")
        return (int(due_at) - int(last_report)) / 1000
