"""Who runs: fronts, workers and beats, of which versions, with which settings, and by which clocks. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from wakequeue import __version__
from wakequeue.alike import digests
from wakequeue.doctor.finding import Finding
from wakequeue.doctor.redis_seen import RedisSeen
from wakequeue.doctor.seen import Refusal
from wakequeue.ledger.presence import LASTS, Presence
from wakequeue.settings import Settings

#: What is said of the absence of each role; a beat is wanted where there are schedules.
ABSENT: Final = {
    "hook": ("no front says that it runs: no call is taken", "Run `wakequeue hook`"),
    "worker": ("no worker says that it runs: what is recorded is not delivered", "Run `wakequeue worker`"),
    "beat": ("there are schedules, and no beat says that it runs: nothing starts", "Run `wakequeue beat`"),
}

#: By how many seconds clocks may be apart before it is said, and before it is wrong.
APART: Final = 1.0
FAR_APART: Final = 5.0

#: How many processes a finding names.
NAMED: Final = 3


def running(seen: RedisSeen, settings: Settings) -> Iterator[Finding]:
    """Each role that is wanted is there."""
    if isinstance(seen.presences, Refusal):
        words = f"who runs can't be read: {seen.presences.detail}"
        yield Finding.warning("processes", words, "See to Redis, and look again")
        return
    there = Counter(one.role for one in seen.presences)
    unsaid = f"one that hangs, or was killed, is forgotten after {LASTS:g} s, and one of an older version may say nothing"
    for role, (words, remedy) in ABSENT.items():
        if not there[role] and (role != "beat" or settings.schedules):
            yield Finding.error("processes", words, f"{remedy}; {unsaid}")
    if there:
        yield Finding.ok("processes", ", ".join(f"{count:,} {role}" for role, count in sorted(there.items())))


def versions(seen: RedisSeen, settings: Settings) -> Iterator[Finding]:  # noqa: ARG001  every check's signature
    """All are of one version, which is this one's."""
    by_version = defaultdict(list)
    for one in _presences(seen):
        by_version[one.version].append(one)
    if len(by_version) > 1:
        words = "; ".join(f"{version}: {_named(some)}" for version, some in sorted(by_version.items()))
        yield Finding.warning("versions", f"several run: {words}", "Bring the upgrade to its end")
    elif by_version and __version__ not in by_version:
        words = f"all run {next(iter(by_version))}, and this doctor is of {__version__}"
        yield Finding.warning("versions", words, "Run the doctor of the version that runs")
    elif by_version:
        yield Finding.ok("versions", f"all run {__version__}")


def alike(seen: RedisSeen, settings: Settings) -> Iterator[Finding]:
    """Settings that must be the same everywhere are, as far as digests tell: they do among processes of one version."""
    having: dict[tuple[str, str], dict[str, list[Presence]]] = defaultdict(lambda: defaultdict(list))
    for one in _presences(seen):
        for name, digest in one.digests.items():
            having[name, one.version][digest].append(one)
    apart = {which: by_digest for which, by_digest in having.items() if len(by_digest) > 1}
    for (name, _), by_digest in sorted(apart.items()):
        words = "; ".join(f"{digest} in {_named(some)}" for digest, some in by_digest.items())
        yield Finding.error("alike", f"{name} is not the same everywhere: {words}", "Give all the same, and restart the others")
    if not apart and (others := _unlike_ours(seen, settings)):
        words = f"those that run have another {', '.join(others)} than this doctor"
        yield Finding.warning("alike", words, "Run the doctor with their settings: it judges by its own")
    elif not apart and _presences(seen):
        yield Finding.ok("alike", "settings that must be the same everywhere are, in each version")


def clocks(seen: RedisSeen, settings: Settings) -> Iterator[Finding]:  # noqa: ARG001  as above
    """No clock is far from Redis's."""
    ahead = {"this machine": seen.server.ahead} | {f"{one.role} {one.name}": one.ahead for one in _presences(seen)}
    wrong = {name: seconds for name, seconds in ahead.items() if abs(seconds) > APART}
    if wrong:
        finding = Finding.error if max(map(abs, wrong.values())) > FAR_APART else Finding.warning
        words = ", ".join(f"{name} by {seconds:+.1f} s" for name, seconds in sorted(wrong.items()))
        yield finding("clocks", f"clocks are not Redis's: {words}", "Have all machines keep time by NTP")
    else:
        yield Finding.ok("clocks", f"none is {APART:g} s from Redis's; this machine's by {seen.server.ahead:+.3f} s")


def _unlike_ours(seen: RedisSeen, settings: Settings) -> list[str]:
    ours: dict[str, str] = {}
    for role in ("hook", "worker", "beat"):
        ours |= digests(settings, role)
    theirs = {name: digest for one in _presences(seen) if one.version == __version__ for name, digest in one.digests.items()}
    if not settings.autoscaler_endpoint:  # `wakequeue up` gave its workers a stand-in's
        del ours["autoscaler_endpoint"]
    return sorted(name for name, digest in theirs.items() if ours.get(name, digest) != digest)


def _presences(seen: RedisSeen) -> Sequence[Presence]:
    return () if isinstance(seen.presences, Refusal) else seen.presences


def _named(some: list[Presence]) -> str:
    more = len(some) - NAMED
    return ", ".join(f"{one.role} {one.name}" for one in some[:NAMED]) + (f" and {more:,} more" if more > 0 else "")
