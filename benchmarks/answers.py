"""F1 to F3: how many calls a front answers a second, and how fast; each against an empty handler, turn by turn in the same run.

A Revision that is called for the first time is waking for some seconds: each of its calls is durable before its answer. From
then on it is awake, and its calls are counted in memory.
"""

import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from statistics import median
from typing import Final

from benchmarks.calls import Calls, revisions
from benchmarks.handlers import HANDLERS
from benchmarks.installation import Installation, wait_until
from gateway_hook.bench.compared import of_times
from gateway_hook.bench.connection import Target
from gateway_hook.bench.figures import Figure
from gateway_hook.bench.load import Load, percentile
from gateway_hook.client import METHOD
from wakequeue.setting_types import Address
from wakequeue.up import free_port

#: How many calls are in flight where they are made as fast as they are answered.
IN_FLIGHT: Final = 256

#: The open loop, in calls a second; and those of the plot, as shares of what the front answers at most.
A_SECOND: Final = 1_000
SHARES: Final = (0.1, 0.3, 0.5, 0.7, 0.9)

Make = Callable[[int], Load]
"""Makes so many calls."""


class Answers:
    """What is asked of an installation's front and of an empty handler in turn; a `scale` below 1 asks less."""

    def __init__(self, place: Installation, scale: float) -> None:
        self._place, self._scale, self._front = place, scale, Calls(place.target)
        #: How often each comparison is made; the median counts.
        self._rounds = max(1, round(3 * scale))
        self.empty = self._handler("empty")
        #: How many calls a second were answered: of sleeping Revisions, and of awake ones.
        self.most_sleeping, self.most_awake = 0.0, 0.0
        #: For the plots: the seconds that answers took, by what was called; and by rate, of an empty handler and of the front.
        self.seconds: dict[str, Sequence[float]] = {}
        self.by_rate: dict[float, tuple[Load, Load]] = {}
        #: Where the processor's time went: microseconds a call of each process, by what was called.
        self.microseconds: dict[str, dict[str, float]] = {}
        #: Of each handler, with nothing beside it: calls a second, and microseconds of processor a call.
        self.alone: dict[str, tuple[float, float]] = {}

    def figures(self) -> Iterator[Figure]:
        """F1, F2 and F3."""
        durable = "each call durable before its answer"
        first = self._most("F1", f"1,000 sleeping Revisions, {durable}", 0.9, lambda calls: self._at_once(revisions(1_000), calls))
        self.most_sleeping = first.value
        yield first
        yield self._most(
            "F1", f"every call another sleeping Revision, {durable}", 0.9, lambda calls: self._at_once(revisions(calls), calls)
        )
        awake = self._most("F2", "100 awake Revisions", 0.95, lambda calls: self._at_once(self._awake(100), calls))
        self.most_awake = awake.value
        yield awake
        yield self._fast(f"100 sleeping Revisions, {durable}", lambda calls: self._at_rate(revisions(100), calls))
        yield self._fast("100 awake Revisions", lambda calls: self._at_rate(self._awake(100), calls))

    def sweep(self) -> None:
        """Call sleeping Revisions at several rates, for the plot."""
        for rate in (round(share * self.most_sleeping) for share in SHARES):
            calls = self._scaled(2 * rate)
            self.by_rate[rate] = self.empty.at_rate(["bench/empty"], calls, rate), self._at_rate(revisions(100), calls, rate)

    def handlers(self) -> None:
        """Call each handler by itself, turn by turn."""
        calls, keys, loads = self._scaled(6_000), revisions(1_000), defaultdict(list)
        others = [kind for kind in HANDLERS if kind != "empty"]
        made = {"empty": self.empty} | {kind: self._handler(kind) for kind in others}
        for _ in range(self._rounds):
            for kind, handler in made.items():
                before = self._place.parts[kind].core_seconds
                load = handler.at_once(keys, calls, IN_FLIGHT)
                loads[kind].append((load.calls_a_second, 1e6 * (self._place.parts[kind].core_seconds - before) / calls))
        for kind, rounds in loads.items():
            a_second, microseconds = (median(one) for one in zip(*rounds, strict=True))
            self.alone[kind] = round(a_second), round(microseconds)
        for kind in others:
            self._place.stop(kind)

    def _handler(self, kind: str) -> Calls:
        """One of the handlers, in a process of its own that has this name."""
        address = Address(f"127.0.0.1:{free_port()}")
        self._place.start(kind, sys.executable, "-m", "benchmarks.handlers", kind, address)
        log = self._place.folder / f"{kind}.log"
        wait_until(lambda: "ready" in log.read_text(), f"the handler {kind!r} does not start")
        return Calls(Target(address, METHOD))

    def _most(self, figure: str, what: str, aim: float, make: Make) -> Figure:
        """How many calls are answered a second."""
        calls, rounds = self._scaled(6_000), []
        for _ in range(self._rounds):
            empty_load = self._spent("an empty handler", calls, lambda: self.empty.at_once(["bench/empty"], calls, IN_FLIGHT))
            rounds.append((empty_load, self._spent(what, calls, lambda: make(calls))))
        empty, ours = (median(load.calls_a_second for load in side) for side in zip(*rounds, strict=True))
        return Figure(
            figure=figure,
            what=f"calls answered: {what}; by an empty handler {empty:,.0f}",
            value=ours,
            unit="calls/s",
            n=self._rounds * calls,
            ratio=ours / empty,
            aim=f"at least {aim} of an empty handler",
            met=ours / empty >= aim,
            load_core=median(load.core for _, load in rounds),
        )

    def _fast(self, what: str, make: Make) -> Figure:
        """How long answers take at a rate."""
        calls = self._scaled(3_000)
        rounds = [(self.empty.at_rate(["bench/empty"], calls, A_SECOND), make(calls)) for _ in range(self._rounds)]
        empty, ours = ([seconds for load in side for seconds in load.seconds] for side in zip(*rounds, strict=True))
        self.seconds |= {"an empty handler": empty, f"a call of {what}": ours}
        p50, p99 = (1000 * percentile(ours, percent) for percent in (50, 99))
        over50, over99 = p50 - 1000 * percentile(empty, 50), p99 - 1000 * percentile(empty, 99)
        return of_times(
            [1000 * one for one in ours],
            figure="F3",
            what=f"answer at 1,000 calls/s: {what}; above an empty handler p50 {over50:.2f}, p99 {over99:.2f} ms",
            ratio=p50 / (p50 - over50),
            aim="p50 at most 1 ms, p99 at most 3 ms above an empty handler",
            met=over50 <= 1 and over99 <= 3,
            load_core=median(load.core for _, load in rounds),
        )

    def _spent(self, what: str, calls: int, make: Callable[[], Load]) -> Load:
        """Make calls, and note what they cost each process, until all is at rest again."""
        before = self._place.core_seconds()
        load = make()
        spent = self._place.core_seconds() - before + Counter({"load": load.own_seconds})
        self.microseconds[what] = {name: round(1e6 * seconds / calls, 1) for name, seconds in spent.items()}
        return load

    def _at_once(self, keys: Sequence[str], calls: int) -> Load:
        load = self._front.at_once(keys, calls, IN_FLIGHT)
        self._place.rest(calls)
        return load

    def _at_rate(self, keys: Sequence[str], calls: int, a_second: float = A_SECOND) -> Load:
        load = self._front.at_rate(keys, calls, a_second)
        self._place.rest(calls)
        return load

    def _awake(self, count: int) -> Sequence[str]:
        """Revisions that are awake: the ledger rests once their waking is over, and says of the next call that they are."""
        keys = revisions(count)
        self._at_once(keys, count)
        self._at_once(keys, count)
        return keys

    def _scaled(self, calls: int) -> int:
        return max(100, round(calls * self._scale))
