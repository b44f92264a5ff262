"""What every protocol does with a call: rule, resolve, record, and some hold; whatever comes of it is counted, and is no error.

One that asks for a time, or for a while, is ruled and resolved as any other, and begun.
"""

import asyncio
import itertools
import uuid
from collections.abc import Sequence
from functools import cache
from hashlib import blake2b
from time import perf_counter
from typing import Final, NamedTuple

from google.protobuf.message import DecodeError

from gateway_hook.call import Call, Read
from gateway_hook.hold import Gone, Holds
from gateway_hook.outcome import WILL_WAKE, Outcome, least_certain
from gateway_hook.recorder import Recorder
from gateway_hook.resolve import Resolver
from gateway_hook.rules import Ignored, Rules
from wakequeue.by_hand import Asked
from wakequeue.cluster.knowledge import Cluster
from wakequeue.errors import Unresolved
from wakequeue.events import Bounded, Event
from wakequeue.ledger import Start
from wakequeue.revision import Revision
from wakequeue.settings import Settings
from wakequeue.telemetry import ANSWER, CALLS, IGNORED, UNRESOLVED
from wakequeue.traces import NO_TRACES, UNTRACED, Span, Traces

#: What is kept of a request's id: ids are as long as a client likes, and this many bytes tell them apart.
DIGEST_BYTES: Final = 8

#: How many calls of one batch are taken at a time, so that others get their turn.
AT_A_TIME: Final = 500


class _Taken(NamedTuple):
    """What became of a call, the Revisions that it wakes, and what its request goes by; `comes_again` unless that is only ours."""

    outcome: Outcome
    woken: Sequence[Revision] = ()
    request: str = ""
    comes_again: bool = True


class _Meant(NamedTuple):
    """A call, and the Revisions that it wakes."""

    call: Call
    woken: Sequence[Revision]


class Hook:
    """Takes the calls of one front, by any protocol."""

    def __init__(self, recorder: Recorder, settings: Settings, cluster: Cluster, traces: Traces = NO_TRACES) -> None:
        self._recorder, self._answer_within, self._traces = recorder, settings.answer_within, traces
        #: The trace that a request's headers name; see `wakequeue.traces.Traces.trace_of`.
        self.trace_of = traces.trace_of
        self._rules = Rules(settings)
        self._resolver = Resolver(
            cluster, settings.service_patterns, settings.revisions_by_host, largest=settings.split == "largest"
        )
        self._holds = Holds(settings, cluster)
        self._name, self._numbers = uuid.uuid4().hex[:12], itertools.count()
        self._unresolved = Bounded(Event.UNRESOLVED)
        self._failed = Bounded(Event.CALL_FAILED)
        self._counted = cache(CALLS.labels)
        #: How many calls were answered, or are held and could be.
        self.answered = 0
        #: Set once no more calls come: who reads a stream of them ends it.
        self.closing = asyncio.Event()

    async def call(self, protocol: str, caller: str, read: Read, remaining: float | None = None) -> Outcome:
        """Take one call that `caller` told of, and return what became of it.

        `read` makes the call of what was received, and may raise DecodeError or Unresolved. `remaining` is for how many seconds
        the caller still waits for the answer: it comes before half of them are gone, or within `answer_within`.
        """
        with self._traces.call(protocol) as span:
            return (await self._call(protocol, caller, read, remaining, span)).outcome

    async def call_and_hold(
        self, protocol: str, caller: str, read: Read, remaining: float | None = None, gone: Gone | None = None
    ) -> Outcome:
        """Do as `call` does; where calls are held, return only when what this one wakes is ready, or it has to be answered.

        `gone` returns once the caller has left; without one, this is cancelled then.
        """
        started = perf_counter()
        seconds = self._holds.time_to_hold(remaining)
        with self._traces.call(protocol) as span:
            taken = await self._call(protocol, caller, read, remaining, span, holds=seconds)
            if taken.outcome in WILL_WAKE:
                try:
                    with self._recorder.still_waits(taken.woken, taken.request, comes_again=taken.comes_again):
                        await self._holds.hold(taken.woken, seconds - (perf_counter() - started), gone)
                except Exception as error:  # noqa: BLE001  as below
                    self._failed.warning(protocol=protocol, error=repr(error))
            return taken.outcome

    def let_go(self) -> None:
        """Have all calls answered that are held, and hold no more."""
        self._holds.let_go()

    def knows_host(self, host: str) -> bool:
        """Whether the operator's table of hosts has this one, or the cluster."""
        return self._resolver.knows(host.encode())

    async def calls(self, protocol: str, caller: str, reads: Sequence[Read], remaining: float | None = None) -> list[Outcome]:
        """Take calls that came together, and return what became of each; see `call`. A batch may be of any size."""
        if len(reads) == 1:  # nearly always, and a task would cost time
            return [await self.call(protocol, caller, reads[0], remaining)]
        outcomes: list[Outcome] = []
        for start in range(0, len(reads), AT_A_TIME):
            some = reads[start : start + AT_A_TIME]
            outcomes += await asyncio.gather(*(self.call(protocol, caller, read, remaining) for read in some))
        return outcomes

    async def begin(self, protocol: str, caller: str, reads: Sequence[Read], asked: Asked) -> list[Outcome]:
        """Take calls that came together, to wake at a time or be kept warm, and return what became of each.

        What they begin becomes durable as one, or not at all.
        """
        started = perf_counter()
        meant = [self._meant(protocol, read) for read in reads]
        woken = [revision for one in meant if not isinstance(one, Outcome) for revision in one.woken]
        starts = [Start(revision, asked.at, asked.keep_for, asked.pods) for revision in woken]
        try:
            begun = await self._recorder.begin(starts, f"{protocol} {caller}") if starts else Outcome.IGNORED
        except Exception as error:  # noqa: BLE001  as below
            begun = self._fail(protocol, error)
        return [self._answer(protocol, one if isinstance(one, Outcome) else begun, started) for one in meant]

    async def _call(
        self, protocol: str, caller: str, read: Read, remaining: float | None, span: Span, *, holds: float = 0.0
    ) -> _Taken:
        """Take one call, which may be held for so many seconds then."""
        started = perf_counter()
        budget = self._answer_within if remaining is None else remaining / 2
        meant = self._meant(protocol, read, span)
        if isinstance(meant, Outcome):
            taken = _Taken(meant)
        else:
            try:
                taken = await self._record(meant, f"{protocol} {caller}", budget, span, holds=holds)
            except Exception as error:  # noqa: BLE001  as below
                taken = _Taken(self._fail(protocol, error))
        span.tell(outcome=self._answer(protocol, taken.outcome, started))
        return taken

    def _meant(self, protocol: str, read: Read, span: Span = UNTRACED) -> _Meant | Outcome:
        """What a call means, or what becomes of it where it wakes nothing."""
        try:
            call = read()
            span.join(call.trace)
            if ignored := self._rules.ignores(call):
                return _ignore(ignored)
            revisions = self._resolver.resolve(call.sources)
        except DecodeError:
            return self._refuse(protocol, "malformed", "")
        except Unresolved as error:
            return self._refuse(protocol, error.reason, error.detail)
        except Exception as error:  # noqa: BLE001  whatever it is, it is our trouble and not the user's
            return self._fail(protocol, error)
        woken = self._rules.allowed(revisions)
        return _Meant(call, woken) if woken else _ignore(Ignored.NAMESPACE)

    async def _record(self, meant: _Meant, caller: str, budget: float, span: Span, *, holds: float) -> _Taken:
        call, woken = meant
        if span.context:
            span.tell(revision=",".join(map(str, woken)))
        request = _digest(call.request_id) if call.cold and call.request_id else ""
        comes_again = bool(request)
        if not request and self._holds.will_hold(woken, holds):
            # By a name of ours, the ledger knows that it waits for as long as it is held.
            request = f"{self._name}{next(self._numbers):x}"
        if call.cold or request:
            recording = [self._recorder.record_cold(one, caller, budget, request, span=span) for one in woken]
        else:
            recording = [self._recorder.record(one, caller, budget, style=call.style, span=span) for one in woken]
        if len(recording) == 1:  # nearly always, and a task would cost time
            return _Taken(await recording[0], woken, request, comes_again)
        # A caller that leaves takes nothing back.
        done, _ = await asyncio.wait([asyncio.ensure_future(one) for one in recording])
        return _Taken(least_certain(one.result() for one in done), woken, request, comes_again)

    def _answer(self, protocol: str, outcome: Outcome, started: float) -> Outcome:
        """Count a call that is answered, or held."""
        self._counted(protocol, outcome).inc()
        self.answered += 1
        ANSWER.observe(perf_counter() - started)
        return outcome

    def _fail(self, protocol: str, error: Exception) -> Outcome:
        self._failed.warning(protocol=protocol, error=repr(error))
        return Outcome.FAILED

    def _refuse(self, protocol: str, reason: str, detail: str) -> Outcome:
        UNRESOLVED.labels(reason).inc()
        self._unresolved.warning(protocol=protocol, reason=reason, detail=detail)
        return Outcome.UNRESOLVED


def _ignore(reason: Ignored) -> Outcome:
    IGNORED.labels(reason).inc()
    return Outcome.IGNORED


def _digest(request_id: str) -> str:
    return blake2b(request_id.encode(), digest_size=DIGEST_BYTES).hexdigest()
