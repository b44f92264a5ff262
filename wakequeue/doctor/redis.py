"""The examination of Redis, and of what is in it: the queue, the ledger, and who says that it is there."""

from functools import partial
from typing import Final

from wakequeue.doctor import durable, processes, queued
from wakequeue.doctor.aside import aside
from wakequeue.doctor.causes import finding
from wakequeue.doctor.finding import Finding
from wakequeue.doctor.redis_reading import read
from wakequeue.doctor.redis_seen import RedisSeen
from wakequeue.doctor.seen import Refusal
from wakequeue.setting_shown import masked
from wakequeue.settings import Settings

CHECKS: Final = (
    durable.server,
    durable.persistence,
    durable.memory,
    durable.replicas,
    durable.clients,
    durable.latency,
    queued.elsewhere,
    queued.times,
    queued.queue,
    queued.wakeups,
    queued.schedules,
    processes.running,
    processes.versions,
    processes.alike,
    processes.clocks,
)

#: By cause, what to do where Redis answers, but not to this.
REMEDIES: Final = {
    "password": "Correct user and password in redis_url, or in redis_password_file",
    "acl": "Allow its user the commands and keys that wakequeue needs",
    "loading": "Wait until it has loaded",
    "replica": "Set redis_url to its primary, or to Sentinels",
    "primary": "Correct PRIMARY in redis_url, and see to the Sentinels",
}


async def examine(settings: Settings) -> list[Finding]:
    """What is found of it."""
    return findings(await aside(partial(read, settings)), settings)


def findings(seen: RedisSeen | Refusal, settings: Settings) -> list[Finding]:
    """What each check finds."""
    if isinstance(seen, RedisSeen):
        return [one for check in CHECKS for one in check(seen, settings)]
    place = f"Redis at {masked(settings.redis_url)}" if settings.redis_url else f"the embedded Redis in {settings.data_dir}"
    if remedy := REMEDIES.get(seen.cause):
        return [Finding.error("redis", f"{place}: {seen.detail}", remedy)]
    if not settings.redis_url and seen.cause in {"missing", "refused"}:
        return [Finding.error("redis", f"{place} isn't there", "Run `wakequeue up`, or set redis_url")]
    return [finding("redis", place, seen, "redis")]
