"""What every protocol does with a call: rule, resolve, record, and some hold; whatever comes of it is counted, and is no error."""

import asyncio
from collections.abc import Sequence
from hashlib import blake2b
from time import perf_counter
from typing import Final

from google.protobuf.message import DecodeError

from gateway_hook.call import Call, Read
from gateway_hook.hold import Gone, Holds
from gateway_hook.outcome import WILL_WAKE, Outcome, least_certain
from gateway_hook.recorder import Recorder
from gateway_hook.resolve import Resolver
from gateway_hook.rules import Ignored, Rules
from wakequeue.cluster.knowledge import Cluster
from wakequeue.errors import Unresolved
from wakequeue.revision import Revision
from wakequeue.settings import Settings
from wakequeue.telemetry import ANSWER, CALLS, IGNORED, UNRESOLVED, Bounded, Event

#: What is kept of a request's id: ids are as long as a client likes, and this many bytes tell them apart.
DIGEST_BYTES: Final = 8

#: How many calls of one batch are taken at a time, so that others get their turn.
AT_A_TIME: Final = 500


class Hook:
    """Takes the calls of one front, by any protocol."""

    def __init__(self, recorder: Recorder, settings: Settings, cluster: Cluster) -> None:
        self._recorder, self._answer_within = recorder, settings.answer_within
        self._rules = Rules(settings)
        self._resolver = Resolver(
            cluster, settings.service_patterns, settings.revisions_by_host, largest=settings.split == "largest"
        )
        self._holds = Holds(settings, cluster)
        self._unresolved = Bounded(Event.UNRESOLVED)
        self._failed = Bounded(Event.CALL_FAILED)
        #: How many calls were answered, or are held, with all but that done.
        self.answered = 0
        #: Set once no more calls come: who reads a stream of them ends it.
        self.closing = asyncio.Event()

    async def call(self, protocol: str, caller: str, read: Read, remaining: float | None = None) -> Outcome:
        """Take one call that `caller` told of, and return what became of it.

        `read` makes the call of what was received, and may raise DecodeError or Unresolved. `remaining` is for how many seconds
        the caller still waits for the answer: it comes before half of them are gone, or within `answer_within`.
        """
        outcome, _ = await self._call(protocol, caller, read, remaining)
        return outcome

    async def call_and_hold(
        self, protocol: str, caller: str, read: Read, remaining: float | None = None, gone: Gone | None = None
    ) -> Outcome:
        """Do as `call` does; where calls are held, return only when all that this one wakes is ready, or it has to be answered.

        `gone` returns once the caller has left; without one, this is cancelled then.
        """
        started = perf_counter()
        outcome, woken = await self._call(protocol, caller, read, remaining)
        if outcome in WILL_WAKE:
            left = None if remaining is None else remaining - (perf_counter() - started)
            try:
                await self._holds.hold(woken, left, gone)
            except Exception as error:  # noqa: BLE001  as below
                self._failed.warning(protocol=protocol, error=repr(error))
        return outcome

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

    async def _call(self, protocol: str, caller: str, read: Read, remaining: float | None) -> tuple[Outcome, Sequence[Revision]]:
        """What became of a call, and the Revisions that it wakes."""
        started = perf_counter()
        budget = self._answer_within if remaining is None else remaining / 2
        woken: Sequence[Revision] = ()
        try:
            outcome, woken = await self._take(read(), f"{protocol} {caller}", budget)
        except DecodeError:
            outcome = self._refuse(protocol, "malformed", "")
        except Unresolved as error:
            outcome = self._refuse(protocol, error.reason, error.detail)
        except Exception as error:  # noqa: BLE001  whatever it is, it is our trouble and not the user's
            outcome = Outcome.FAILED
            self._failed.warning(protocol=protocol, error=repr(error))
        CALLS.labels(protocol, outcome).inc()
        self.answered += 1
        ANSWER.observe(perf_counter() - started)
        return outcome, woken

    async def _take(self, call: Call, caller: str, budget: float) -> tuple[Outcome, Sequence[Revision]]:
        if ignored := self._rules.ignores(call):
            return _ignore(ignored), ()
        revisions = self._resolver.resolve(call.sources)
        woken = [revision for revision in revisions if not self._rules.ignores_revision(revision)]
        if not woken:
            return _ignore(Ignored.NAMESPACE), ()
        if len(woken) == 1:  # nearly always, and a task would cost time
            return await self._record(call, woken[0], caller, budget), woken
        return least_certain(await asyncio.gather(*(self._record(call, one, caller, budget) for one in woken))), woken

    async def _record(self, call: Call, revision: Revision, caller: str, budget: float) -> Outcome:
        if not call.cold:
            return await self._recorder.record(revision, caller, budget, style=call.style)
        request = blake2b(call.request_id.encode(), digest_size=DIGEST_BYTES).hexdigest() if call.request_id else ""
        return await self._recorder.record_cold(revision, caller, budget, request)

    def _refuse(self, protocol: str, reason: str, detail: str) -> Outcome:
        UNRESOLVED.labels(reason).inc()
        self._unresolved.warning(protocol=protocol, reason=reason, detail=detail)
        return Outcome.UNRESOLVED


def _ignore(reason: Ignored) -> Outcome:
    IGNORED.labels(reason).inc()
    return Outcome.IGNORED
