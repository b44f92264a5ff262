"""What is measured of a running installation, each beside the same front's answers to gRPC's own health check.

Both are measured in turn, in the same run and over connections alike, so that their ratio says something of the front alone.
"""

import asyncio
import random
import time
from array import array
from collections.abc import Callable, Sequence
from typing import Final

from gateway_hook.bench.compared import Aim, Pair, latency, latency_above, made, throughput
from gateway_hook.bench.figures import Figure
from gateway_hook.bench.load import Caller
from gateway_hook.bench.revisions import Messages, Revisions
from gateway_hook.bench.trail import Trail
from wakequeue.errors import NoFigure
from wakequeue.ledger import Outcome
from wakequeue.revision import Revision
from wakequeue.settings import Settings

#: How many calls a closed loop has in flight, and in how many rounds it is made.
IN_FLIGHT: Final = 256
ROUNDS: Final = 5

#: The most calls that are made one at a time, and how long they are apart, at most, in seconds.
MOST_QUIET: Final = 100
QUIET_SECONDS: Final = 0.05

#: What share of `waking_for` an open loop takes at a time, and a closed one: their Revisions are not awake before it is over.
OPEN_SHARE: Final = 1 / 2
CLOSED_SHARE: Final = 1 / 6

#: For how much longer than `waking_for` Revisions are called that are to be awake, in seconds.
WARM_SPARE: Final = 10.0

#: The aims: shares of the health checks a second, and milliseconds of the percentiles 50 and 99.
SLEEPING_SHARE: Final = 0.90
AWAKE_SHARE: Final = 0.95
ABOVE_MS: Final[Aim] = (1.0, 3.0)
REPORTED_MS: Final[Aim] = (3.5, 8.0)


class Measured:
    """Measures one installation by these callers: `calls` makes those of `messages`, `checks` those of health."""

    def __init__(  # noqa: PLR0913  what a measurement is made of
        self,
        calls: Caller,
        checks: Caller,
        messages: Messages,
        revisions: Revisions,
        trail: Trail,
        settings: Settings,
        *,
        rate: int,
        seconds: float,
    ) -> None:
        self._calls, self._checks, self._messages, self._revisions, self._trail = calls, checks, messages, revisions, trail
        self._settings, self._rate, self._seconds = settings, rate, seconds

    async def all(self, say: Callable[[str], None]) -> list[Figure]:
        """The figures, in order. Raises NoFigure where a call fails, or is not reported.

        Quiet calls come first: where Kubernetes says who is ready, who was called sleeps no more until its waking has ended.
        """
        say("F4: calls of sleeping Revisions, one at a time, until each is reported")
        quiet = await self._quiet()
        say("F1: calls of sleeping Revisions, as many as the front answers")
        figures = [await self._sleeping()]
        say("F2: calls of awake Revisions, as many as the front answers")
        if awake := await self._awake():
            figures.append(awake)
        else:
            say("F2 is not measured: these Revisions didn't get awake (where Kubernetes says that they aren't ready, they don't)")
        say(f"F3: calls of sleeping Revisions, {self._rate:,} a second")
        return [*figures, await self._latency(), quiet]

    async def _sleeping(self) -> Figure:
        pairs = []
        for _ in range(ROUNDS):
            await self._turn_to_sleeping()
            pairs.append(await self._closed())
        await self._asleep(made(pairs))
        what = f"calls of sleeping Revisions answered a second, each recorded before its answer; closed loop, {IN_FLIGHT} in flight"
        return throughput("F1", what, pairs, SLEEPING_SHARE)

    async def _awake(self) -> Figure | None:
        """None where the Revisions don't get awake, however often they are called."""
        if not await self._warm():
            return None
        pairs = [await self._closed() for _ in range(ROUNDS)]
        outcomes = await self._trail.confirmed(made(pairs))
        if any(one.phase != "awake" for one in outcomes):
            msg = "Revisions that were awake fell asleep while they were called"
            raise NoFigure(msg)
        what = f"calls of awake Revisions answered a second, from the front's memory; closed loop, {IN_FLIGHT} in flight"
        return throughput("F2", what, pairs, AWAKE_SHARE)

    async def _warm(self) -> bool:
        """Call Revisions until they are awake, or should be, and say whether they are.

        A front hears that one is by a call that is recorded after it was.
        """
        calls = len(await self._turn_to_sleeping())
        awake, until = False, time.monotonic() + self._settings.waking_for + WARM_SPARE
        while time.monotonic() < until:
            before = awake
            await self._calls.burst(calls, IN_FLIGHT)
            awake = all(one.phase == "awake" for one in await self._trail.confirmed(calls))
            if before and awake:
                return True
        return False

    async def _latency(self) -> Figure:
        """In parts, each of Revisions that are asleep when it begins."""
        parts = -int(-self._seconds // (self._settings.waking_for * OPEN_SHARE))
        calls = max(1, round(self._rate * self._seconds / parts))
        pairs = []
        for part in range(parts):
            checks = await self._checks.open_loop(self._rate, calls, part)
            await self._turn_to_sleeping()
            pairs.append(Pair(await self._calls.open_loop(self._rate, calls, part), checks))
        await self._asleep(made(pairs))
        what = f"answer to a call of a sleeping Revision, recorded before it; open loop, {self._rate:,} calls a second"
        return latency_above("F3", what, pairs, ABOVE_MS)

    async def _quiet(self) -> Figure:
        """By the ledger's clock alone, which is exact to a millisecond. The first call finds everything cold, and isn't counted."""
        revisions = (await self._turn_to_sleeping())[:MOST_QUIET]
        took, checks = array("d"), array("d")
        for _ in revisions:
            await self._calls.burst(1, 1)
            (one,) = await self._trail.confirmed(1)
            if one.phase != "asleep" or one.first_call is None:
                msg = f"{one.revision} was not asleep when it was called: was it called before?"
                raise NoFigure(msg)
            took.append(1000 * (one.at - one.first_call))
            checks.append(1000 * (await self._checks.burst(1, 1)).seconds[0])
            await asyncio.sleep(random.uniform(0, QUIET_SECONDS))  # noqa: S311  no secret
        what = "from a call that reaches the front until its report is confirmed, by Redis's clock in whole ms; one at a time"
        return latency("F4", what, took[1:] or took, checks, REPORTED_MS)

    async def _closed(self) -> Pair:
        """As many health checks as the front answers, then as many calls: no more than it answers while a Revision is waking."""
        wanted = max(1, round(self._rate * self._seconds / ROUNDS))
        checks = await self._checks.burst(wanted, IN_FLIGHT)
        most = int(checks.calls_a_second * self._settings.waking_for * CLOSED_SHARE)
        return Pair(await self._calls.burst(max(1, min(wanted, most)), IN_FLIGHT), checks)

    async def _asleep(self, calls: int) -> list[Outcome]:
        """The entries of so many calls of sleeping Revisions."""
        return refuse_awake(await self._trail.confirmed(calls), self._settings.waking_for)

    async def _turn_to_sleeping(self) -> Sequence[object]:
        revisions = await self._revisions.asleep()
        self._messages.of(revisions)
        return revisions


def refuse_awake(outcomes: list[Outcome], waking_for: float) -> list[Outcome]:
    """What was to be measured asleep was: no call came so late after its Revision's first report that it was awake."""
    begun: dict[Revision, float] = {}
    for one in outcomes:
        if one.phase == "asleep":
            begun[one.revision] = one.at
        if one.phase == "awake" and one.last_call >= begun.get(one.revision, 0.0) + waking_for:
            msg = f"{one.revision} was awake before its last call: the front is too slow, or has another WAKEQUEUE_WAKING_FOR"
            raise NoFigure(msg)
    return outcomes
