"""Whether a Redis keeps what the ledger writes, takes it, and answers soon enough. Pure.

Sources: redis.io's INFO and redis.conf; Redis 7.0 was the first to read a script's flags (`#!lua flags=`), as Valkey does.
"""

import re
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any, Final

from wakequeue.doctor.finding import Finding
from wakequeue.doctor.redis_seen import RedisSeen, Server
from wakequeue.doctor.seen import Refusal
from wakequeue.settings import Settings

SUBJECT: Final = "redis"

OLDEST: Final = (7, 0)

#: What of its bound Redis may have used, and what of its clients' there may be, before it is said, and before it is wrong.
MUCH: Final = 0.75
NEARLY_ALL: Final = 0.95

#: A wake-up costs some 4 answers one after the other; each so late is seen by whoever waits for an application.
SLOW_SECONDS: Final = 0.005
SLOWEST_SECONDS: Final = 0.05


def server(seen: RedisSeen, settings: Settings) -> Iterator[Finding]:  # noqa: ARG001  every check's signature
    """It is a primary, by itself, of a version that reads our scripts."""
    info = _info(seen)
    if not info:
        yield Finding.warning(
            SUBJECT, "INFO is refused: how it is set up can't be known", "Allow this user +info, and +config|get besides"
        )
        return
    is_ = f"{info.get('server_name') or 'Redis'} {info.get('valkey_version') or info.get('redis_version', '')}".capitalize()
    if _version(str(info.get("redis_version", ""))) < OLDEST:
        yield Finding.error(SUBJECT, f"{is_} doesn't read the flags of our scripts", "Have Redis 7.0 or newer, or Valkey")
    elif info.get("cluster_enabled"):
        yield Finding.error(SUBJECT, f"{is_} is in cluster mode, which Celery can't use", "Use one primary, or Sentinels")
    elif info.get("role") not in {None, "master"}:
        yield Finding.error(SUBJECT, f"{is_} is a replica, which takes no writes", "Set redis_url to its primary, or to Sentinels")
    else:
        yield Finding.ok(SUBJECT, f"{is_} answers, a primary")


def persistence(seen: RedisSeen, settings: Settings) -> Iterator[Finding]:  # noqa: ARG001  as above
    """What is recorded survives a restart."""
    info = _info(seen)
    if not info:
        return
    if info.get("aof_enabled"):
        yield from _append_only(info, seen.server)
        return
    remedy = "Set appendonly yes and appendfsync everysec"
    match seen.server.config:
        case Refusal():
            words = "appendonly is off, and whether there are snapshots can't be known: CONFIG is refused"
            yield Finding.warning(SUBJECT, f"{words}; a crash loses the calls since the last one", remedy)
        case config if config.get("save"):
            since = f"{info.get('rdb_changes_since_last_save', 0):,} changes are in none yet"
            words = f"appendonly is off: a crash loses all since the last snapshot (save {config['save']}; {since})"
            yield Finding.warning(SUBJECT, words, remedy)
        case _:
            yield Finding.error(SUBJECT, "nothing is persisted: a restart loses every wake-up that is recorded", remedy)


def memory(seen: RedisSeen, settings: Settings) -> Iterator[Finding]:  # noqa: ARG001  as above
    """Nothing is evicted, and there is room."""
    info = _info(seen)
    most, used = int(info.get("maxmemory") or 0), int(info.get("used_memory") or 0)
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        words = f"maxmemory-policy is {policy}: a full Redis throws wake-ups away, and nobody is told"
        finding = Finding.error if most else Finding.warning
        yield finding(SUBJECT, words + ("" if most else ", once maxmemory is set"), "Set it to noeviction")
    if most and used >= MUCH * most:
        finding = Finding.error if used >= NEARLY_ALL * most else Finding.warning
        words = f"{used / most:.0%} of maxmemory ({_mebibytes(most)}) is used: once it is full, no call is recorded"
        yield finding(SUBJECT, words, "Raise maxmemory, or see what fills it: redis-cli --bigkeys")
    elif policy == "noeviction" and info:
        of = f"of {_mebibytes(most)}" if most else "used, with no bound"
        yield Finding.ok(SUBJECT, f"nothing is evicted; {_mebibytes(used)} {of}")


def replicas(seen: RedisSeen, settings: Settings) -> Iterator[Finding]:  # noqa: ARG001  as above
    """A primary with replicas waits for some of them, and has as many."""
    info = _info(seen)
    count, config = int(info.get("connected_slaves") or 0), seen.server.config
    if isinstance(config, Refusal):
        return
    wanted = int(config.get("min-replicas-to-write") or 0)
    good = int(info.get("min_slaves_good_slaves", wanted))
    if wanted and good < wanted:
        words = f"{good} of the {wanted} replicas are there that min-replicas-to-write wants: every write is refused"
        yield Finding.error(SUBJECT, words, "Bring the replicas back")
    elif count and not wanted:
        words = f"{count} replicas, and min-replicas-to-write is 0: one that is cut off goes on taking what a fail-over loses"
        yield Finding.warning(SUBJECT, words, "Set min-replicas-to-write 1 and a small min-replicas-max-lag")


def clients(seen: RedisSeen, settings: Settings) -> Iterator[Finding]:  # noqa: ARG001  as above
    """There is room for more connections."""
    info = _info(seen)
    most, count = int(info.get("maxclients") or 0), int(info.get("connected_clients") or 0)
    if most and count >= MUCH * most:
        words = f"{count:,} of {most:,} connections are taken; those beyond are refused"
        yield Finding.warning(SUBJECT, words, "Raise maxclients, or see who has so many: redis-cli client list")


def latency(seen: RedisSeen, settings: Settings) -> Iterator[Finding]:  # noqa: ARG001  as above
    """It answers soon."""
    middle, longest = median(seen.server.pings), max(seen.server.pings)
    words = f"a PING takes {middle * 1000:.1f} ms, {longest * 1000:.1f} ms at most"
    if middle > SLOW_SECONDS or longest > SLOWEST_SECONDS:
        cost = "a wake-up waits for some 4 such answers, one after the other"
        remedy = "Have it nearer by, and alone on its disk and processor; see redis-cli --latency, and slowlog get"
        yield Finding.warning(SUBJECT, f"{words}: {cost}", remedy)
    else:
        yield Finding.ok(SUBJECT, words)


def _append_only(info: Mapping[str, Any], server: Server) -> Iterator[Finding]:
    if info.get("aof_last_write_status", "ok") != "ok" or info.get("aof_last_bgrewrite_status", "ok") != "ok":
        yield Finding.error(SUBJECT, "its last write to the append-only file failed", "See to its disk, and to its log")
        return
    fsync = "" if isinstance(server.config, Refusal) else server.config.get("appendfsync", "")
    if fsync == "no":
        words = "appendfsync is no: a crash of its machine loses the calls of some 30 s"
        yield Finding.warning(SUBJECT, words, "Set it to everysec, or to always")
    else:
        loses = {"always": "loses nothing", "everysec": "loses a second at most"}.get(fsync)
        told = f"appendfsync {fsync}: a crash {loses}" if loses else "how often it is synced, CONFIG doesn't tell"
        yield Finding.ok(SUBJECT, f"appendonly is on, {told}")


def _info(seen: RedisSeen) -> Mapping[str, Any]:
    return {} if isinstance(seen.server.info, Refusal) else seen.server.info


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", text)[:2])) or OLDEST


def _mebibytes(count: int) -> str:
    return f"{count / (1 << 20):,.1f} MiB"
