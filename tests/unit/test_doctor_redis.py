"""What the doctor finds, by what it saw of a Redis and of what is in it."""

from dataclasses import replace

import pytest
from redis import exceptions
from redis.sentinel import MasterNotFoundError

from wakequeue import __version__
from wakequeue.alike import Role, digests
from wakequeue.broker import VISIBILITY_TIMEOUT
from wakequeue.doctor import queued, redis
from wakequeue.doctor.queued import STARTS_PER_SWEEP
from wakequeue.doctor.redis_reading import refusal
from wakequeue.doctor.redis_seen import Held, Queue, RedisSeen, Server
from wakequeue.doctor.seen import Refusal
from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger import Census, Presence
from wakequeue.ledger.scripts import script
from wakequeue.setting_sources import load
from wakequeue.settings import Settings

INFO = {
    "redis_version": "7.2.4",
    "role": "master",
    "cluster_enabled": 0,
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "maxmemory": 100 << 20,
    "used_memory": 10 << 20,
    "maxmemory_policy": "noeviction",
    "connected_slaves": 0,
    "connected_clients": 10,
    "maxclients": 10_000,
}
CONFIG = {"appendfsync": "everysec", "save": "", "min-replicas-to-write": "0"}
EMPTY = Census(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.0)
FORBIDDEN = Refusal("acl", "no permissions")
SCHEDULES = {"WAKEQUEUE_SCHEDULES": '{"office": {"every": "1h", "wakes": ["shop/cart"]}}'}


def process(role: Role, **other: object) -> Presence:
    """One with the default settings, of this version."""
    return replace(Presence(f"{role}:1", role, __version__, 0.0, digests(Settings(), role)), **other)


RUNNING = (process("hook"), process("worker"))


def server(
    *, config: dict[str, str] | Refusal | None = None, pings: tuple[float, ...] = (0.001,), ahead: float = 0.0, **info: object
) -> Server:
    """A server in which all is well, but for what is named."""
    return Server(INFO | info, CONFIG if config is None else config, pings, ahead)


def seen(
    its: Server | None = None,
    *,
    queue: Queue | Refusal | None = None,
    held: Held | Refusal | None = None,
    presences: tuple[Presence, ...] | Refusal = RUNNING,
    variables: tuple[str, ...] = (),
) -> RedisSeen:
    """All is well, but for what is named."""
    return RedisSeen(its or server(), queue or Queue(), held or Held(EMPTY), presences, variables)


def holding(held: Held | None = None, **census: object) -> RedisSeen:
    """A ledger that holds this."""
    return seen(held=replace(held or Held(EMPTY), census=replace(EMPTY, **census)))


def told(what: RedisSeen | Refusal, **environ: str) -> list[tuple[str, str, str]]:
    """The findings that aren't ok: subject, grade and text."""
    found = redis.findings(what, load(environ))
    assert all(bool(one.remedy) == (one.grade != "ok") for one in found)
    return [(one.subject, one.grade, one.text) for one in found if one.grade != "ok"]


def test_all_is_well() -> None:
    """Nothing but ok."""
    assert not told(seen())
    assert not told(seen(server(config={**CONFIG, "appendfsync": "always"})))


@pytest.mark.parametrize(
    ("its", "grade", "words"),
    [
        (server(redis_version="6.2.14"), "error", "Redis 6.2.14 doesn't read the flags of our scripts"),
        (server(cluster_enabled=1), "error", "in cluster mode, which Celery can't use"),
        (server(role="slave"), "error", "is a replica, which takes no writes"),
        (server(aof_enabled=0), "error", "nothing is persisted"),
        (server(aof_enabled=0, config={"save": "60 1"}, rdb_changes_since_last_save=1200), "warning", "1,200 changes are in none"),
        (server(aof_enabled=0, config=FORBIDDEN), "warning", "whether there are snapshots can't be known"),
        (server(aof_last_write_status="err"), "error", "last write to the append-only file failed"),
        (server(aof_last_bgrewrite_status="err"), "error", "last write to the append-only file failed"),
        (server(config={"appendfsync": "no"}), "warning", "loses the calls of some 30 s"),
        (server(maxmemory_policy="volatile-ttl"), "error", "maxmemory-policy is volatile-ttl"),
        (server(maxmemory_policy="allkeys-lru", maxmemory=0), "warning", "once maxmemory is set"),
        (server(used_memory=80 << 20), "warning", "80% of maxmemory (100.0 MiB) is used"),
        (server(used_memory=96 << 20), "error", "96% of maxmemory"),
        (server(connected_slaves=1), "warning", "min-replicas-to-write is 0"),
        (server(config=CONFIG | {"min-replicas-to-write": "2"}, min_slaves_good_slaves=1), "error", "every write is refused"),
        (server(connected_clients=9_000), "warning", "9,000 of 10,000 connections"),
        (server(pings=(0.004, 0.006, 0.006)), "warning", "a PING takes 6.0 ms, 6.0 ms at most"),
        (server(pings=(0.001, 0.001, 0.06)), "warning", "a PING takes 1.0 ms, 60.0 ms at most"),
        (Server(FORBIDDEN, FORBIDDEN, (0.001,), 0.0), "warning", "INFO is refused"),
    ],
)
def test_a_server(its: Server, grade: str, words: str) -> None:
    """One finding says what isn't well."""
    ((subject, graded, text),) = told(seen(its))
    assert (subject, graded) == ("redis", grade)
    assert words in text


@pytest.mark.parametrize("its", [server(connected_slaves=1, config=FORBIDDEN), server(config=FORBIDDEN), server(maxmemory=0)])
def test_what_cannot_be_known_is_no_trouble(its: Server) -> None:
    """Neither is what has no bound."""
    assert not told(seen(its))


def test_valkey_goes_by_its_own_version() -> None:
    """It says that it is Redis 7.2.4 too."""
    its = server(server_name="valkey", valkey_version="8.1.1")
    assert "Valkey 8.1.1 answers" in redis.findings(seen(its), Settings())[0].words


@pytest.mark.parametrize(
    ("what", "subject", "grade", "words"),
    [
        (seen(variables=("CELERY_BROKER_URL",)), "broker", "error", "CELERY_BROKER_URL is set"),
        (seen(queue=Queue(foreign=["shop.charge"])), "broker", "error", "shop.charge"),
        (seen(queue=Queue(shared=True)), "broker", "warning", "another Celery application"),
        (seen(queue=Queue(3, 2 * VISIBILITY_TIMEOUT + 1)), "broker", "warning", "the oldest for 121 s"),
        (seen(queue=FORBIDDEN), "broker", "error", "the queue can't be read: no permissions"),
        (seen(held=FORBIDDEN), "ledger", "error", "the ledger can't be read: no permissions"),
        (holding(recorded_calls=2, settled_calls=1), "ledger", "error", "+1 calls are in no state"),
        (holding(pending=7, oldest_due_seconds=3.0), "ledger", "warning", "due for 3.0 s, of 7"),
        (holding(pending=7, oldest_due_seconds=16.0), "ledger", "error", "due for 16.0 s"),
        (holding(queued_tasks=17), "ledger", "warning", "17 doorbells are queued, more than ring_below (16)"),
        (holding(Held(EMPTY, "expired"), buried=2), "ledger", "warning", "2 dead letters, the newest of them expired"),
        (holding(Held(EMPTY, overdue=3.0), planned=1), "ledger", "warning", "a planned start has been due for 3.0 s, of 1 that"),
        (holding(Held(EMPTY, overdue=16.0), planned=10_000), "ledger", "error", "a planned start has been due for 16.0 s"),
        (seen(presences=FORBIDDEN), "processes", "warning", "who runs can't be read"),
        (seen(presences=(process("worker"),)), "processes", "error", "no front says that it runs"),
        (seen(presences=(process("hook"),)), "processes", "error", "no worker says that it runs"),
        (seen(presences=(*RUNNING, process("worker", version="0.0.9"))), "versions", "warning", "0.0.9: worker worker:1"),
        (seen(presences=(process("hook", version="9"), process("worker", version="9"))), "versions", "warning", "all run 9"),
        (seen(presences=(*RUNNING, process("hook", digests={"zone": "x"}))), "alike", "error", "zone is not the same everywhere"),
        (seen(presences=(process("hook", ahead=1.5), process("worker"))), "clocks", "warning", "hook hook:1 by +1.5 s"),
        (seen(presences=(process("hook"), process("worker", ahead=-6.0))), "clocks", "error", "worker worker:1 by -6.0 s"),
        (seen(server(ahead=3.0)), "clocks", "warning", "this machine by +3.0 s"),
    ],
)
def test_what_is_in_it(what: RedisSeen, subject: str, grade: str, words: str) -> None:
    """One finding says what isn't well."""
    ((found, graded, text),) = told(what)
    assert (found, graded) == (subject, grade)
    assert words in text


def test_what_sweeps_have_yet_to_make_is_not_late() -> None:
    """They make so many each, and come again after a time; a wake-up too waits for one."""
    assert f"begin_planned({STARTS_PER_SWEEP}," in script("sweep")
    assert not told(holding(Held(EMPTY, overdue=5.0), planned=10_000))
    rarely = load({"WAKEQUEUE_SWEEP_EVERY": "5s"})
    what = holding(Held(EMPTY, overdue=6.0), planned=1, pending=1, oldest_due_seconds=6.0)
    assert {one.grade for one in queued.wakeups(what, rarely)} == {"ok"}


@pytest.mark.parametrize(
    ("environ", "grade", "words"),
    [
        ({"WAKEQUEUE_RING_AGAIN": "90s"}, "warning", "ring_again (90s) isn't shorter than the queue's visibility timeout"),
        ({"WAKEQUEUE_RING_AGAIN": "400s"}, "error", "ring_again (400s) isn't shorter than max_age (300s)"),
        ({"WAKEQUEUE_LEASE_FOR": "60s"}, "warning", "lease_for (60s) isn't shorter than the queue's visibility timeout"),
    ],
)
def test_times_that_do_not_fit_the_queues(environ: dict[str, str], grade: str, words: str) -> None:
    """Those of the settings are held against the one of Celery's queue."""
    broker, alike = told(seen(), **environ)
    assert broker[:2] == ("broker", grade)
    assert words in broker[2]
    assert alike[:2] == ("alike", "warning")


def test_schedules_want_a_beat() -> None:
    """One that runs, and one that leads."""
    theirs = tuple(process(role, digests={}) for role in ("hook", "worker"))
    found = told(seen(presences=theirs), **SCHEDULES)
    assert [(subject, grade) for subject, grade, _ in found] == [("schedules", "error"), ("processes", "error")]
    assert not told(seen(held=Held(EMPTY, leader="beat"), presences=(*theirs, process("beat", digests={}))), **SCHEDULES)


def test_many_are_named_by_some() -> None:
    """And the others are counted."""
    old = tuple(process("worker", version="0.0.9", name=f"old-{number}:1") for number in range(5))
    ((_, _, text),) = told(seen(presences=(*RUNNING, *old)))
    assert "0.0.9: worker old-0:1, worker old-1:1, worker old-2:1 and 2 more" in text


def test_another_version_may_have_its_settings_in_another_shape() -> None:
    """Digests are compared within a version: neither with those of another, nor with this doctor's."""
    old = tuple(process("worker", version="0.0.9", digests={"zone": digest}) for digest in ("x", "y"))
    assert [(subject, grade) for subject, grade, _ in told(seen(presences=(*RUNNING, old[0])))] == [("versions", "warning")]
    others = tuple(replace(one, version="0.0.9") for one in RUNNING)
    assert [subject for subject, _, _ in told(seen(presences=others), WAKEQUEUE_IDLE_AFTER="7s")] == ["versions"]
    _, (subject, grade, text) = told(seen(presences=(*RUNNING, *old)))
    assert (subject, grade) == ("alike", "error")
    assert "x in worker worker:1; y in worker worker:1" in text


def test_the_stand_ins_endpoint_is_no_difference() -> None:
    """`wakequeue up` gives its workers one that the settings don't have."""
    theirs = process("worker").digests | {"autoscaler_endpoint": "12345678"}
    presences = (process("hook"), process("worker", digests=theirs))
    assert not told(seen(presences=presences))
    assert told(seen(presences=presences), WAKEQUEUE_AUTOSCALER_ENDPOINT="ws://a:1")[0][:2] == ("alike", "warning")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (exceptions.AuthenticationError("invalid username-password pair"), "refuses the user or the password"),
        (exceptions.BusyLoadingError("Redis is loading"), "is loading its data"),
        (exceptions.ReadOnlyError("You can't write"), "is a replica"),
        (MasterNotFoundError("No master found for 'main'"), "no Sentinel names a primary"),
        (exceptions.NoPermissionError("this user has no permissions"), "has no permissions"),
        (exceptions.TimeoutError("Timeout reading from socket"), "no answer in time"),
        (exceptions.ResponseError("unknown"), "can't be reached: unknown"),
    ],
)
def test_a_redis_that_answers_otherwise(error: Exception, words: str) -> None:
    """It is one error, in words, with what to do; of the ledger's own error its cause counts."""
    wrapped = LedgerUnavailable("no")
    wrapped.__cause__ = error
    assert refusal(error) == refusal(wrapped)
    ((subject, grade, text),) = told(refusal(error), WAKEQUEUE_REDIS_URL="redis://ann:hunter2@redis:6379")
    assert (subject, grade) == ("redis", "error")
    assert words in text
    assert "hunter2" not in text


def test_the_embedded_redis_is_not_there() -> None:
    """That is said in other words: it is ours to start."""
    ((_, _, text),) = told(Refusal("missing", "there is no such socket"), WAKEQUEUE_DATA_DIR="/data")
    assert text == "the embedded Redis in /data isn't there. Run `wakequeue up`, or set redis_url."
