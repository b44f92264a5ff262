"""The beat: leads where no other beat does, and has the workers make the starts of schedules that are due.

The ledger says which start of a schedule was made last. What is due since then is sent, and sent again until the ledger has it; of
several, as there are after an outage, the newest alone: those before it are passed over.
"""

import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from kombu.exceptions import OperationalError

from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger import Led, Starts
from wakequeue.schedule import Schedule, newest_due, next_start
from wakequeue.settings import Settings
from wakequeue.telemetry import LEADS, STARTS_SENT, Bounded, Event, info, warning

#: For how long a beat leads that isn't heard of again; and how often each is heard of, or looks whether it may lead.
LEAD_SECONDS: Final = 3.0
LOOK_SECONDS: Final = 0.25

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
    """What is due at the ledger's time; `zone` is for schedules that name none."""
    starts, coming = {}, math.inf
    for name, schedule in schedules.items():
        start = _next_start(schedule, led.last_starts[name], zone)
        if start <= led.now:
            starts[name] = newest_due(schedule, led.last_starts[name], led.now, zone) or start
            start = _next_start(schedule, starts[name], zone)
        coming = min(coming, start)
    return Due(starts, coming)


def to_send(starts: Mapping[str, float], sent: Mapping[str, Sent], now: float) -> dict[str, float]:
    """Those starts that were not sent yet, or so long ago that they are sent again."""
    never = Sent(-math.inf, -math.inf)

    def is_new(name: str, start: float) -> bool:
        last = sent.get(name, never)
        return last.start != start or now - last.at >= AGAIN_SECONDS

    return {name: start for name, start in starts.items() if is_new(name, start)}


class Beat:
    """One beat, by a name unlike any other's.

    `send` publishes the start of a schedule at a time; nothing is, while the queue is long, for that would only lengthen it.
    `clock` gives the seconds that pass.
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
        self._schedules, self._zone, self._ring_below = settings.schedules, settings.zone.info, settings.ring_below
        self._stuck_after, self._clock = settings.stuck_after, clock
        self._sent: dict[str, Sent] = {}
        self._leads: bool | None = None
        self._away = False
        self._failed = Bounded(Event.BEAT_FAILED)
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
                self._starts.stand_down(self._name)
            except LedgerUnavailable as error:
                self._lose(error)

    def _look(self) -> float:
        led = self._starts.lead(self._name, self._schedules, LEAD_SECONDS)
        began = self._clock()
        found = due(self._schedules, led, self._zone)
        if led.leads:
            self._send_all(to_send(found.starts, self._sent, led.now), led.now)
        self._tell(leads=led.leads)
        return max(0.0, min(LOOK_SECONDS, found.next - led.now - (self._clock() - began)))

    def _send_all(self, starts: Mapping[str, float], now: float) -> None:
        if not starts or self._starts.queued() >= self._ring_below:
            return
        for name, start in starts.items():
            self._send(name, datetime.fromtimestamp(start, self._schedules[name].zone or self._zone))
            self._sent[name] = Sent(start, now)
            STARTS_SENT.inc()

    def _tell(self, *, leads: bool) -> None:
        if self._away:
            info(Event.LEDGER_BACK)
        if leads != self._leads:
            info(Event.LEADS if leads else Event.FOLLOWS, beat=self._name)
        self._away, self._leads = False, leads
        LEADS.set(leads)

    def _lose(self, error: Exception) -> None:
        if not self._away:
            warning(Event.LEDGER_AWAY, error=error)
        self._away, self._leads = True, None
        LEADS.set(0)
