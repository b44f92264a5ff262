"""Deliver what is due: take it, decide what to report, encode, send, and settle once the pong has come.

Where the cluster says whether a Revision is ready, that decides too, and the settle says how its waking ended.

What was not confirmed is released with a back-off, and what can never be delivered is buried. Every wake-up taken is settled,
released or buried by the same call, unless the worker dies: then its lease runs out, and the sweep gives it back, as a suspect.
Suspects are delivered after the others, one trial at a time, so that a worker's death in a trial blames few.

Those that wake with a Revision are taken once its waking begins, and go out in the same frame.
"""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

from wakequeue.cluster.knowledge import Cluster
from wakequeue.codecs import Codec, Frame
from wakequeue.episode import Step, decide, rest
from wakequeue.errors import AutoscalerUnavailable, Expired, Permanent, Unencodable
from wakequeue.events import Event, often, warning
from wakequeue.ledger import Lease, Taken, WorkerLedger
from wakequeue.revision import Revision
from wakequeue.settings import Settings
from wakequeue.stat import StatMessage
from wakequeue.telemetry import BURIED, DELAYED, LEASES_LOST, QUEUE, RELEASED, REPORTS, REQUESTS
from wakequeue.traces import NO_TRACES, Traces
from workers.autoscaler import Autoscaler
from workers.company import Company
from workers.hastener import Hastener
from workers.keeping import keep_of
from workers.spans import Spans
from workers.wakings import Wakings

#: How long a thread waits for its turn to try suspects.
TRIAL_SECONDS = 1.0

#: How many suspects are on trial together that were blamed once; who was blamed more often is alone.
SUSPECTS_TOGETHER = 16


@dataclass(slots=True)
class Delivered:
    """What became of the wake-ups that were due.

    Those `delayed` by a rate limit were not taken; those of which nothing had to be said are only `taken`.
    """

    taken: int = 0
    reported: int = 0
    buried: int = 0
    lost: int = 0
    delayed: int = 0


class _Decided(NamedTuple):
    lease: Lease
    step: Step
    frame: Frame | None
    at: float

    @property
    def begins(self) -> bool:
        """Whether a waking begins with it, or the Revision was last told to be kept warm since it was last reported."""
        kept_since, last_report = self.lease.kept_since or 0.0, self.lease.episode.last_report or 0.0
        return self.lease.calls > 0 and (self.step.phase == "asleep" or kept_since > last_report)

    @property
    def seconds(self) -> float:
        """How long ago its first call was, by no other process's clock."""
        return self.lease.taken_at - self.lease.first_call + time.monotonic() - self.at

    @property
    def is_first(self) -> bool:
        """Whether its report is the first of a waking."""
        return not self.lease.episode.last_report or self.step.phase == "asleep"


class Deliverer:
    """Delivers wake-ups; safe to share between the threads of a worker.

    What waits for a connection is its first frame. All else that is due `hastener` puts into the order of its age then; what was
    taken before that is given back, unsent, to have its place in it.
    """

    def __init__(  # noqa: PLR0913  what a worker is made of
        self,
        ledger: WorkerLedger,
        autoscaler: Autoscaler,
        codec: Codec,
        settings: Settings,
        hastener: Hastener,
        cluster: Cluster,
        *,
        traces: Traces = NO_TRACES,
    ) -> None:
        self._ledger, self._autoscaler, self._codec, self._settings = ledger, autoscaler, codec, settings
        self._cluster, self._wakings, self._company = cluster, Wakings(cluster), Company(ledger, settings, cluster)
        self._rhythm = settings.rhythm
        self._rhythms = {style: replace(self._rhythm, original_style=style == "original") for style in ("activator", "original")}
        self._hastener, self._traces = hastener, traces
        self._trial = threading.Lock()
        self._reported = often(Event.REPORTED)

    def deliver(self, revisions: Iterable[Revision]) -> Delivered:
        """Deliver those of the Revisions that are due; none, where the sweep is about to ring for them in another order.

        Raises AutoscalerUnavailable once what was taken is released, and LedgerUnavailable where Redis is away.
        """
        delivered = Delivered()
        connection = self._hastener.hasten()
        if connection is None:
            return delivered
        taken = self._ledger.take(revisions)
        self._deliver(taken, connection, delivered)
        # Who finds a trial going on leaves its suspects to a later doorbell: the other wake-ups need the thread.
        if taken.suspects and self._trial.acquire(timeout=TRIAL_SECONDS):
            try:
                for group in _trials(taken.suspects):
                    self._deliver(self._ledger.take(group, trial=True), connection, delivered)
            finally:
                self._trial.release()
        return delivered

    def _deliver(self, taken: Taken, connection: int, delivered: Delivered) -> None:
        spans = Spans(self._traces)
        batches = [self._prepare(taken, delivered)]
        if company := self._company.take(one.lease for one in batches[0] if one.begins):
            batches.append(self._prepare(company, delivered))
        frames = [one.frame for batch in batches for one in batch if one.frame is not None]
        spans.passed("encoded")
        try:
            if frames:
                self._hastener.refuse_past(connection)
                self._autoscaler.send(frames)
        except AutoscalerUnavailable as error:
            for batch in batches:
                self._release([one.lease for one in batch], connection, error)
                spans.failed((one.lease for one in batch), f"released: {error}")
            raise
        spans.passed("confirmed")
        delivered.reported += len(frames)
        for batch in batches:
            delivered.lost += self._settle(batch)
            spans.settled((one.lease, one.step) for one in batch)

    def _prepare(self, taken: Taken, delivered: Delivered) -> list[_Decided]:
        """Decide what to say of what was taken together, and bury those of which nothing will ever be said."""
        for limit, delayed in taken.delayed.items():
            DELAYED.labels(limit).inc(delayed)
            delivered.delayed += delayed
        decided, doomed = self._decide(taken.leases)
        delivered.taken += len(taken.leases)
        delivered.buried += sum(self._bury(dead, reason) for reason, dead in doomed.items())
        return decided

    def _decide(self, leases: list[Lease]) -> tuple[list[_Decided], dict[str, list[Lease]]]:
        """What to send of each lease, and by reason those of which nothing will ever be sent."""
        decided: list[_Decided] = []
        doomed: dict[str, list[Lease]] = {}
        for lease in leases:
            QUEUE.observe(lease.taken_at - lease.due_at)
            try:
                decided.append(self._compose(lease))
            except Permanent as error:
                doomed.setdefault(error.reason, []).append(lease)
        return decided, doomed

    def _compose(self, lease: Lease) -> _Decided:
        now, rhythm = lease.taken_at, self._rhythms.get(lease.style, self._rhythm)
        readiness = self._cluster.readiness(lease.revision)
        keep = keep_of(lease.pods, self._cluster.scaling(lease.revision), self._settings) if lease.pods else None
        if now - lease.last_call <= self._settings.max_age or (keep and not lease.calls):
            waited = now - lease.first_call if lease.calls else 0.0
            step = decide(
                lease.episode,
                calls=lease.calls,
                waiting=lease.waiting,
                waited=waited,
                now=now,
                rhythm=rhythm,
                known=lease.known,
                quiet=now - lease.last_call,
                readiness=readiness,
                keep=keep,
            )
        elif lease.calls:
            raise Expired
        else:
            step = rest(lease.episode, now=now, rhythm=rhythm, readiness=readiness)
        if step.report is None:
            return _Decided(lease, step, None, time.monotonic())
        message = StatMessage(lease.revision, self._settings.pod_name, step.report.concurrency, step.report.requests)
        try:
            return _Decided(lease, step, self._codec.encode(message, now), time.monotonic())
        except Exception as error:
            # Whatever it is, the codec would raise it again, and the wake-ups beside this one would wait for its lease.
            raise Unencodable from error

    def _settle(self, decided: list[_Decided]) -> int:
        if not decided:
            return 0
        settled = [self._wakings.settled(one.lease, one.step) for one in decided]
        lost = self._ledger.settle(settled)
        self._wakings.count(one for one in settled if one.lease.revision not in lost)
        reported = [one for one in decided if one.step.report is not None]
        for phase, reports in Counter(one.step.phase for one in reported).items():
            REPORTS.labels(phase).inc(reports)
        REQUESTS.inc(sum(one.lease.calls for one in reported))
        for one in reported:
            if one.is_first and one.lease.revision not in lost:
                self._reported.info(
                    wakeup=one.lease.wakeup, revision=one.lease.revision, calls=one.lease.calls, seconds=round(one.seconds, 3)
                )
        return _count_lost(lost)

    def _release(self, leases: list[Lease], connection: int, error: AutoscalerUnavailable) -> None:
        if not leases:
            return
        at_once = self._hastener.is_past(connection)
        back_offs = [0.0 if at_once else self._back_off(lease.attempts) for lease in leases]
        lost = self._ledger.release(leases, back_offs, str(error))
        RELEASED.inc(len(leases) - _count_lost(lost))
        warning(Event.RELEASED, revisions=len(leases), first=leases[0].revision, wakeup=leases[0].wakeup, because=error)

    def _bury(self, leases: list[Lease], reason: str) -> int:
        lost = self._ledger.bury(leases, reason)
        Spans(self._traces).failed(leases, f"buried: {reason}")
        buried = len(leases) - _count_lost(lost)
        BURIED.labels(reason).inc(buried)
        warning(Event.BURIED, revisions=buried, first=leases[0].revision, wakeup=leases[0].wakeup, reason=reason)
        return buried

    def _back_off(self, attempts: int) -> float:
        longest = min(self._settings.retry_after * 2.0 ** min(attempts - 1, 30), self._settings.retry_at_most)
        return longest * random.uniform(0.5, 1.0)  # noqa: S311  jitter, not a secret


def _trials(suspects: Mapping[Revision, int]) -> Iterator[tuple[Revision, ...]]:
    """Who is on trial together: the more often a suspect was blamed, the fewer it is among."""
    first = [revision for revision, crashes in suspects.items() if crashes == 1]
    yield from (tuple(first[start : start + SUSPECTS_TOGETHER]) for start in range(0, len(first), SUSPECTS_TOGETHER))
    yield from ((revision,) for revision, crashes in suspects.items() if crashes > 1)


def _count_lost(lost: list[Revision]) -> int:
    if lost:
        LEASES_LOST.inc(len(lost))
        warning(Event.LEASE_LOST, revisions=len(lost), first=lost[0])
    return len(lost)
