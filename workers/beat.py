"""The beat: leads where no other beat does, and has the workers make the starts of schedules that are due.

The ledger says which start of a schedule was made last. What is due since then is sent, and sent again until the ledger has it; of
several, as there are after an outage, the newest alone: those before it are passed over.
"""

import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from itertools import islice
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from kombu.exceptions import OperationalError

from wakequeue.broker import STARTS
from wakequeue.errors import LedgerUnavailable
from wakequeue.events import Bounded, Event, info, warning
from wakequeue.ledger import Led, Starts
from wakequeue.schedule import Schedule, newest_due, next_start
from wakequeue.settings import Settings
from wakequeue.telemetry import LEADS, STARTS_SENT

#: For how long a beat leads that isn't heard of again; and how often each is heard of, or looks whether it may lead.
LEAD_SECONDS: Final = 3.0
LOOK_SECONDS: Final = 0.25

#: How many starts wait for a worker at most.
MOST_QUEUED: Final = 16

#: After how long a start that the ledger doesn't have is sent again.
AGAIN_SECONDS: Final = 5.0

_next_start = lru_cache(maxsize=4096)(next_start)


class Due(NamedTuple):
    """By schedule the newest start that is due and not in the ledger; and when the next one of any is."""

    starts: dict[str, float]
    next: float


class Sent(NamedTuple):
    """A start, and when it was sent last."""

    start: float
    at: float


def due(schedules: Mapping[str, Schedule], led: Led, zone: ZoneInfo) -> Due:
    """What is due at the ledger's time, of schedules by their keys; `zone` is for those that name none."""
    starts, coming = {}, math.inf
    for key, schedule in schedules.items():
        start = _next_start(schedule, led.last_starts[key], zone)
        if start <= led.now:
            starts[key] = newest_due(schedule, led.last_starts[key], led.now, zone) or start
            start = _next_start(schedule, starts[key], zone)
        coming = min(coming, start)
    return Due(starts, coming)


def to_send(starts: Mapping[str, float], sent: Mapping[str, Sent], now: float) -> dict[str, float]:
    """Those starts that were not sent yet, or so long ago that they are sent again."""
    never = Sent(-math.inf, -math.inf)

    def is_new(key: str, start: float) -> bool:
        last = sent.get(key, never)
        return last.start != start or now - last.at >= AGAIN_SECONDS

    return {key: start for key, start in starts.items() if is_new(key, start)}


class Beat:
    """One beat, by a name unlike any other's.

    `send` publishes the start of a schedule, by its key, at a time; `MOST_QUEUED` wait at most, for more would only lengthen the
    queue. `clock` gives the seconds that pass.
    """

    def __init__(
        self,
        name: str,
        starts: Starts,
        send: Callable[[str, datetime], None],
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name, self._starts, self._send = name, starts, send
        self._zone = settings.zone.info
        self._schedules = {one.key(self._zone): one for one in settings.schedules.values()}
        self._stuck_after, self._clock = settings.stuck_after, clock
        self._sent: dict[str, Sent] = {}
        self._leads: bool | None = None
        self._away = False
        self._failed, self._again = Bounded(Event.BEAT_FAILED), Bounded(Event.SENT_AGAIN)
        self._ticked_at = clock()

    @property
    def alive(self) -> bool:
        """Whether it still ticks."""
        return self._clock() - self._ticked_at < self._stuck_after

    @property
    def ledger_answers(self) -> bool:
        """Whether the ledger was there at the last tick."""
        return self._leads is not None

    def tick(self) -> float:
        """Lead, if no other beat does, and send what is due. Returns the seconds until the next tick; raises nothing."""
        wait = LOOK_SECONDS
        try:
            wait = self._look()
        except (LedgerUnavailable, OperationalError, OSError) as error:
            self._lose(error)
        except Exception as error:  # noqa: BLE001  whatever it is, other starts are still to come
            self._failed.warning(error=f"{type(error).__name__}: {error}")
        self._ticked_at = self._clock()
        return wait

    def stand_down(self) -> None:
        """Lead no longer, so that another beat does at once."""
        if self._leads:
            self._leads = False
            try:
                self._starts.stand_down(STARTS, self._name)
            except LedgerUnavailable as error:
                self._lose(error)

    def _look(self) -> float:
        led = self._starts.lead(STARTS, self._name, self._schedules, LEAD_SECONDS)
        began = self._clock()
        found = due(self._schedules, led, self._zone)
        if led.leads:
            self._send_some(to_send(found.starts, self._sent, led.now), led)
        self._tell(leads=led.leads)
        return max(0.0, min(LOOK_SECONDS, found.next - led.now - (self._clock() - began)))

    def _send_some(self, starts: Mapping[str, float], led: Led) -> None:
        for key, start in islice(starts.items(), max(0, MOST_QUEUED - led.queued)):
            if key in self._sent and self._sent[key].start == start:
                self._again.warning(schedule=self._schedules[key].name, late=f"{led.now - start:.1f}")
            self._send(key, datetime.fromtimestamp(start, self._schedules[key].zone or self._zone))
            self._sent[key] = Sent(start, led.now)
            STARTS_SENT.inc()

    def _tell(self, *, leads: bool) -> None:
        if self._away:
            info(Event.LEDGER_BACK)
        if leads != self._leads:
            info(Event.LEADS if leads else Event.FOLLOWS, beat=self._name)
        LEADS.set(leads)
        self._away, self._leads = False, leads

    def _lose(self, error: Exception) -> None:
        if not self._away:
            warning(Event.LEDGER_AWAY, error=error)
        LEADS.set(0)
        self._away, self._leads = True, None
