"""Whether what is recorded is delivered: the queue, the wake-ups in the ledger, and the starts of schedules. Pure."""

from collections.abc import Callable, Iterator
from typing import Final

from wakequeue.broker import VISIBILITY_TIMEOUT
from wakequeue.doctor.finding import Finding
from wakequeue.doctor.redis_seen import RedisSeen
from wakequeue.doctor.seen import Refusal
from wakequeue.settings import Settings

#: A wake-up is taken, and a planned start made, within milliseconds of the sweep that finds it due.
LATE_SECONDS: Final = 2.0

#: How many planned starts a sweep makes (ledger/sweep.lua).
STARTS_PER_SWEEP: Final = 250


def times(seen: RedisSeen, settings: Settings) -> Iterator[Finding]:  # noqa: ARG001  every check's signature
    """A doorbell that is lost is rung again in time, and none twice while its wake-ups are in hand."""
    if settings.ring_again >= settings.max_age:
        words = f"ring_again ({settings.ring_again:g}s) isn't shorter than max_age ({settings.max_age:g}s)"
        yield Finding.error("broker", f"{words}: a lost doorbell is a lost wake-up", "Set ring_again to a second or so")
    elif settings.ring_again >= VISIBILITY_TIMEOUT:
        words = f"ring_again ({settings.ring_again:g}s) isn't shorter than the queue's visibility timeout ({VISIBILITY_TIMEOUT}s)"
        yield Finding.warning("broker", f"{words}: a lost doorbell waits as long", "Set ring_again to a second or so")
    if settings.lease_for >= VISIBILITY_TIMEOUT:
        words = f"lease_for ({settings.lease_for:g}s) isn't shorter than the queue's visibility timeout ({VISIBILITY_TIMEOUT}s)"
        yield Finding.warning("broker", f"{words}: Celery rings twice while a worker is at it", "Set lease_for to less")


def queue(seen: RedisSeen, settings: Settings) -> Iterator[Finding]:
    """The queue is ours, and what was taken from it is acknowledged."""
    if isinstance(seen.queue, Refusal):
        yield Finding.error("broker", f"the queue can't be read: {seen.queue.detail}", _remedy(seen.queue))
        return
    wrong = False
    if seen.queue.foreign:
        wrong = True
        words = f"the queue holds tasks that no worker of ours has: {', '.join(seen.queue.foreign)[:200]}"
        yield Finding.error("broker", words, "Give wakequeue a database of its own, and see who publishes them")
    if seen.queue.shared:
        wrong = True
        words = "another Celery application uses this database, and shares its unacknowledged tasks with ours"
        yield Finding.warning("broker", words, "Give each a database of its own")
    if seen.queue.oldest_unacked > 2 * VISIBILITY_TIMEOUT:
        wrong = True
        since = f"the oldest for {seen.queue.oldest_unacked:,.0f} s, and nobody restores it"
        words = f"{seen.queue.unacked} tasks are unacknowledged, {since}"
        yield Finding.warning("broker", words, "See whether workers run, and whether their clocks are right")
    if not wrong:
        where = f"database {settings.redis_url.place.db if settings.redis_url else 0}"
        yield Finding.ok("broker", f"the queue is beside the ledger ({where}); {seen.queue.unacked} tasks unacknowledged")


def elsewhere(seen: RedisSeen, settings: Settings) -> Iterator[Finding]:  # noqa: ARG001  as above
    """No variable sends the queue elsewhere."""
    for name in seen.variables:
        words = f"{name} is set: with it Celery's queue isn't where the ledger is"
        yield Finding.error("broker", words, "Unset it, here and wherever else wakequeue runs")


def wakeups(seen: RedisSeen, settings: Settings) -> Iterator[Finding]:
    """What is due is taken, nothing is lost, and nothing was given up."""
    if isinstance(seen.held, Refusal):
        yield Finding.error("ledger", f"the ledger can't be read: {seen.held.detail}", _remedy(seen.held))
        return
    held, census = seen.held, seen.held.census
    late = LATE_SECONDS + settings.sweep_every
    if census.drift_calls:
        words = f"{census.drift_calls:+,} calls are in no state: the ledger has lost them, or has them twice"
        yield Finding.error("ledger", words, "Was another database restored, or a key deleted by hand? Else report a defect")
    if census.oldest_due_seconds > late:
        words = f"a wake-up has been due for {census.oldest_due_seconds:,.1f} s, of {census.pending:,} that are pending"
        finding = _grading(census.oldest_due_seconds, settings)
        yield finding("ledger", words, "See whether workers run, reach the Autoscaler, and are enough")
    if census.queued_tasks > settings.ring_below:
        words = (
            f"{census.queued_tasks:,} doorbells are queued, more than ring_below ({settings.ring_below}): none is rung meanwhile"
        )
        yield Finding.warning("ledger", words, "Run more workers")
    if census.buried:
        words = f"{census.buried:,} dead letters, the newest of them {held.newest_reason}"
        yield Finding.warning("ledger", words, "Look at them with `wakequeue dead list`; replay or purge them")
    if held.overdue > late + settings.sweep_every * (census.planned // STARTS_PER_SWEEP):
        words = f"a planned start has been due for {held.overdue:,.1f} s, of {census.planned:,} that are planned"
        finding = _grading(held.overdue, settings)
        yield finding("ledger", words, "See whether a worker runs, for each sweeps")
    words = f"{census.pending:,} wake-ups pending, {census.leased:,} leased; {held.kept:,} Revisions kept warm"
    yield Finding.ok("ledger", f"{words}; {census.planned:,} starts planned; drift {census.drift_calls}")


def schedules(seen: RedisSeen, settings: Settings) -> Iterator[Finding]:
    """Where there are schedules, a beat leads."""
    if not settings.schedules or isinstance(seen.held, Refusal):
        return
    words = f"{len(settings.schedules):,} schedules"
    if seen.held.leader:
        yield Finding.ok("schedules", f"{words}, and a beat leads")
    else:
        yield Finding.error("schedules", f"{words}, and no beat leads: nothing starts", "Run `wakequeue beat`")


def _grading(late_by: float, settings: Settings) -> Callable[[str, str, str], Finding]:
    return Finding.error if late_by > settings.stuck_after else Finding.warning


def _remedy(refusal: Refusal) -> str:
    return "Allow its user the commands and keys that wakequeue needs" if refusal.cause == "acl" else "See to Redis, and look again"
