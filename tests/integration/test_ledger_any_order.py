"""All verbs of the ledger in any order, on a real Redis, against a model."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from support.ledger import HOUR, REVISIONS, Ledger, ended, entry, key, settled, waits
from support.redis_server import RedisServer

from wakequeue.ledger import Commit, Entry, Lease, Plan, Start
from wakequeue.revision import Revision

#: Hypothesis leaves out rules at random, and so some runs have no rule to begin with; its explanations would take minutes.
SEARCH: Final = settings(
    max_examples=60,
    stateful_step_count=50,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow],
)


@dataclass
class Wakeup:
    """What the model knows of one Revision."""

    state: str = "asleep"
    calls: int = 0
    taken: int = 0
    waiting: int = 0
    attempts: int = 0
    crashes: int = 0
    token: int = 0
    dead: bool = False
    #: How many requests were said to wait, over all.
    requests: int = 0
    reported: bool = False
    #: The wake-up's id, where it was told.
    id: str = ""
    #: Due, ready and rung in an hour; otherwise now.
    due_later: bool = False
    ready_later: bool = False
    ring_later: bool = False

    def pend(self, *, later: bool) -> None:
        """Pending, for the sweep to ring."""
        self.state, self.due_later, self.ring_later = "pending", later, later

    def give_back(self, *, later: bool) -> None:
        """The lease is over without a report."""
        self.calls, self.taken, self.ready_later, self.dead = self.calls + self.taken, 0, later, False
        self.pend(later=later)

    def holds(self, token: int) -> bool:
        """Whether this token is that of a lease that runs."""
        return self.state == "leased" and self.token == token and not self.dead


class LedgerMachine(RuleBasedStateMachine):
    """Fronts and workers use the ledger in any order; every answer and every figure is the model's."""

    server: RedisServer
    leases = Bundle("leases")
    stale = Bundle("stale")
    commits = Bundle("commits")
    some = st.lists(st.sampled_from(REVISIONS), min_size=1, unique=True)

    def __init__(self) -> None:
        super().__init__()
        self.server.client.flushall()
        self.ledger = Ledger(self.server)
        self.model = {revision: Wakeup() for revision in REVISIONS}
        self.recorded = self.settled = self.buried = self.discarded = self.token = 0
        self.letters: dict[str, tuple[Revision, int]] = {}
        #: Every id that a wake-up ever had.
        self.ids: set[str] = set()
        #: The plans, each with whether its time has come.
        self.plans: dict[Plan, bool] = {}
        self.planned_so_far = 0
        #: The token of a trial of which none has come back.
        self.trial: int | None = None

    def some_are(self, condition: Callable[[Wakeup], bool]) -> bool:
        """Whether there is such a Revision."""
        return any(map(condition, self.model.values()))

    def teardown(self) -> None:
        """Close the connections."""
        self.ledger.close()

    @rule(target=commits, revisions=some, calls=st.integers(1, 9), awake=st.booleans())
    def record(self, revisions: list[Revision], calls: int, *, awake: bool) -> tuple[Commit, list[Entry]]:
        """A front's commit is counted, and rings where it makes a Revision due."""
        entries = [entry(revision, calls + number, awake=awake) for number, revision in enumerate(revisions)]
        commit = Commit(f"commit{self.recorded}", 1)
        expected = [self.expect(one) for one in entries]
        replies = self.ledger.record(*entries, commit=commit)
        assert [reply.ring for reply in replies] == expected
        assert [reply.episode.first_report is not None for reply in replies] == [self.model[one].reported for one in revisions]
        for revision, reply in zip(revisions, replies, strict=True):
            assert reply.begins == self.is_of(revision, reply.wakeup)
        return commit, entries

    @rule(revision=st.sampled_from(REVISIONS), old=st.integers(0, 9), new=st.integers(1, 3))
    def wait(self, revision: Revision, old: int, new: int) -> None:
        """Requests that wait are told of: those that the ledger didn't know are calls."""
        known = self.model[revision].requests
        names = [str(number) for number in range(max(0, known - old), known + new)]
        expected = self.expect(waits(revision)._replace(calls=new))
        self.model[revision].waiting -= new
        self.model[revision].requests += new
        (reply,) = self.ledger.record(waits(revision, *names))
        assert reply.ring == expected
        assert reply.episode.last_wait is not None
        assert reply.begins == self.is_of(revision, reply.wakeup)

    def is_of(self, revision: Revision, wakeup: str) -> bool:
        """The wake-up has the id that it was told to have before, or else one that none had; whether it is told the first time."""
        model = self.model[revision]
        begins = not model.id
        assert (wakeup in self.ids) == (not begins)
        assert begins or wakeup == model.id
        model.id = wakeup
        self.ids.add(wakeup)
        return begins

    def looked_up(self, revision: Revision) -> None:
        """A wake-up began, or went on, of whose id nobody was told."""
        self.is_of(revision, (self.ledger.client.hget(key(revision), "wakeup") or b"").decode())

    def expect(self, one: Entry, waiting: int | None = None) -> bool:
        """Count an entry in the model, of whose calls so many wait; whether it is to ring."""
        wakeup = self.model[one.revision]
        self.recorded += one.calls
        wakeup.calls += one.calls
        wakeup.waiting += waiting if waiting is not None else 0 if one.awake else one.calls
        wakeup.reported |= wakeup.state == "asleep" and one.awake
        idle = wakeup.state in {"asleep", "resting"}
        if wakeup.state == "leased" or not (idle or (wakeup.due_later and not wakeup.ready_later)):
            return False
        wakeup.pend(later=wakeup.ready_later)
        wakeup.ring_later = True
        return not wakeup.due_later

    @rule(revisions=some, front=st.booleans())
    def begin(self, revisions: list[Revision], *, front: bool) -> None:
        """What starts now is one call of each, and the due ones are to be rung."""
        starts = [Start(revision) for revision in revisions]
        due = [
            revision for revision in revisions if self.expect(Entry(revision, 1, awake=False, first_age=0, last_age=0), waiting=0)
        ]
        begun = self.ledger.begin_async("hand", *starts) if front else self.ledger.starts.begin("hand", starts)
        assert (begun.planned, begun.due) == (0, due)
        for revision in revisions:
            self.looked_up(revision)

    @rule(revisions=some)
    def begin_too_late(self, revisions: list[Revision]) -> None:
        """What should have started too long ago is a dead letter from the first."""
        late = self.ledger.now() - HOUR
        assert self.ledger.starts.begin("hand", [Start(revision, at=late) for revision in revisions]).due == []
        last = int(self.ledger.client.hget("{wakequeue}:totals", "token"))
        self.letters |= {f"{one}@{last - back}": (one, 1) for back, one in enumerate(reversed(revisions))}
        self.recorded, self.buried = self.recorded + len(revisions), self.buried + len(revisions)

    @rule(revision=st.sampled_from(REVISIONS), hours=st.integers(1, 3))
    def plan(self, revision: Revision, hours: int) -> None:
        """What starts later is no call yet."""
        # Another each time: else it would hang on the clock whether two of them are one plan.
        self.planned_so_far += 1
        at = round(self.ledger.now()) + hours * HOUR + self.planned_so_far
        assert self.ledger.starts.begin("hand", [Start(revision, at=at)]).planned == 1
        self.plans[Plan(revision, at, 0.0, 1, "hand")] = False

    @precondition(lambda self: self.plans)
    @rule(data=st.data())
    def let_its_time_come(self, data: st.DataObject) -> None:
        """The next sweep starts it."""
        plan = data.draw(st.sampled_from(sorted(self.plans, key=repr)))
        self.ledger.let_come(plan)
        self.plans[plan] = True

    @rule(revisions=some)
    def cancel(self, revisions: list[Revision]) -> None:
        """What is planned is taken back."""
        mine = [plan for plan in self.plans if plan.revision in revisions]
        assert self.ledger.starts.cancel(revisions).plans == len(mine)
        for plan in mine:
            del self.plans[plan]

    @rule(commit=commits)
    def record_again(self, commit: tuple[Commit, list[Entry]]) -> None:
        """A commit that was applied changes nothing when it is sent again."""
        before = self.ledger.dump()
        due = [self.model[one.revision].state == "pending" and not self.model[one.revision].due_later for one in commit[1]]
        replies = self.ledger.record(*commit[1], commit=commit[0])
        assert [reply.ring for reply in replies] == due
        for reply, one in zip(replies, commit[1], strict=True):
            assert reply.wakeup == (self.model[one.revision].id or reply.wakeup)
        assert self.ledger.dump() == before

    @precondition(lambda self: self.some_are(lambda wakeup: wakeup.state == "pending" and not wakeup.due_later))
    @rule(target=leases, revisions=some, trial=st.booleans())
    def take(self, revisions: list[Revision], *, trial: bool) -> object:
        """A worker gets what is due, suspects in a trial alone, and a token above all others."""
        due = [one for one in revisions if self.model[one].state == "pending" and not self.model[one].due_later]
        suspects = {one: self.model[one].crashes for one in due if self.model[one].crashes and not trial}
        answer = self.ledger.worker.take(revisions, trial=trial)
        assert answer.suspects == suspects
        taken = answer.leases
        assert [lease.revision for lease in taken] == [one for one in due if one not in suspects]
        for lease in taken:
            wakeup = self.model[lease.revision]
            assert lease.token > self.token
            assert not self.is_of(lease.revision, lease.wakeup)
            assert (lease.calls, lease.waiting, lease.attempts) == (wakeup.calls, wakeup.waiting, wakeup.attempts + 1)
            wakeup.state, wakeup.dead, wakeup.token = "leased", False, lease.token
            wakeup.taken, wakeup.calls, wakeup.attempts = wakeup.calls, 0, lease.attempts
        self.token = max([self.token, *(lease.token for lease in taken)])
        self.trial = self.token if trial and taken else self.trial
        return multiple(*([taken] if taken else []))

    @rule(target=stale, batch=consumes(leases), ready_later=st.booleans(), repeat=st.sampled_from(["no", "now", "later"]))
    def settle(self, batch: list[Lease], *, ready_later: bool, repeat: str) -> list[Lease]:
        """A report is confirmed."""
        ready_in = HOUR if ready_later else 0.0
        repeat_in = {"no": None, "now": 0.0, "later": HOUR}[repeat]
        reports = [settled(lease, ready_in=ready_in, repeat_in=repeat_in) for lease in batch]
        for lease in self.ended(batch, lambda: self.ledger.worker.settle(reports)):
            self.settle_one(lease, ready_later=ready_later, repeat=repeat)
        return batch

    def settle_one(self, lease: Lease, *, ready_later: bool, repeat: str) -> None:
        """What was taken is settled in the model."""
        wakeup = self.model[lease.revision]
        self.settled += wakeup.taken
        wakeup.taken, wakeup.attempts, wakeup.ready_later, wakeup.reported = 0, 0, ready_later, True
        wakeup.crashes = 0
        if wakeup.calls:
            wakeup.pend(later=ready_later)
        elif repeat != "no":
            wakeup.pend(later=repeat == "later")
        else:
            wakeup.state = "resting"

    @rule(target=stale, batch=consumes(leases), outcome=st.sampled_from(["woken", "unwoken"]), repeat=st.booleans())
    def end_wakings(self, batch: list[Lease], outcome: Literal["woken", "unwoken"], *, repeat: bool) -> list[Lease]:
        """Wakings end with what was taken settled; unwoken, each is the Revision's one dead letter of such, without calls."""
        reports = [ended(lease, outcome, repeat_in=0.0 if repeat else None) for lease in batch]
        for lease in self.ended(batch, lambda: self.ledger.worker.settle(reports)):
            self.settle_one(lease, ready_later=False, repeat="now" if repeat else "no")
            if outcome == "unwoken":
                self.letters[f"{lease.revision}@unwoken"] = (lease.revision, 0)
        return batch

    @rule(target=stale, batch=consumes(leases), later=st.booleans())
    def release(self, batch: list[Lease], *, later: bool) -> list[Lease]:
        """A report was not confirmed."""
        back_offs = [HOUR if later else 0.0] * len(batch)
        for lease in self.ended(batch, lambda: self.ledger.release(batch, back_offs)):
            self.model[lease.revision].crashes = 0
            self.model[lease.revision].give_back(later=later)
        return batch

    @rule(target=stale, batch=consumes(leases))
    def bury(self, batch: list[Lease]) -> list[Lease]:
        """A report can't be made."""
        for lease in self.ended(batch, lambda: self.ledger.bury(batch, "expired")):
            self.entomb(lease.revision)
        return batch

    def entomb(self, revision: Revision) -> None:
        """A wake-up becomes a dead letter in the model."""
        wakeup = self.model[revision]
        self.buried += wakeup.taken
        self.letters[f"{revision}@{wakeup.token}"] = (revision, wakeup.taken)
        wakeup.taken = wakeup.attempts = wakeup.crashes = 0
        wakeup.waiting = wakeup.calls
        wakeup.dead = False
        if wakeup.calls:
            wakeup.pend(later=wakeup.ready_later)
        else:
            wakeup.state = "resting"

    @precondition(lambda self: self.letters)
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """A dead letter's calls are pending again; the same letter again changes nothing."""
        letter = data.draw(st.sampled_from(sorted(self.letters)))
        revision, calls = self.letters.pop(letter)
        (wrote,) = self.ledger.letters.find(lambda one: one.id == letter)
        assert self.ledger.letters.replay([letter]) == 1
        wakeup = self.model[revision]
        wakeup.id = wakeup.id or wrote.wakeup
        self.ids.add(wrote.wakeup)
        assert not self.is_of(revision, wakeup.id)
        self.looked_up(revision)
        self.buried -= calls
        wakeup.calls += calls
        idle = wakeup.state in {"asleep", "resting"}
        if wakeup.state != "leased" and (idle or (wakeup.due_later and not wakeup.ready_later)):
            wakeup.pend(later=wakeup.ready_later)
        before = self.ledger.dump()
        assert self.ledger.letters.replay([letter]) == 0
        assert self.ledger.dump() == before

    @precondition(lambda self: self.letters)
    @rule(data=st.data())
    def purge(self, data: st.DataObject) -> None:
        """A dead letter is dropped, and its calls are discarded."""
        letter = data.draw(st.sampled_from(sorted(self.letters)))
        _, calls = self.letters.pop(letter)
        self.buried, self.discarded = self.buried - calls, self.discarded + calls
        assert self.ledger.letters.purge([letter, letter]) == 1

    @rule()
    def hasten(self) -> None:
        """What an attempt failed of is due now, and all that is due is for any sweep to ring."""
        due = [one for one in self.model.values() if one.state == "pending" and (one.attempts or not one.due_later)]
        assert self.ledger.hasten() == len(due)
        for wakeup in due:
            wakeup.due_later = wakeup.ready_later = wakeup.ring_later = False

    def acquit(self, batch: list[Lease]) -> set[bytes]:
        """Who comes with the last lease of a Revision lives; the keys that say so."""
        keys: set[bytes] = set()
        for lease in batch:
            wakeup = self.model[lease.revision]
            if wakeup.token == lease.token and wakeup.crashes:
                wakeup.crashes = 0
                keys |= {key(lease.revision).encode(), b"{wakequeue}:trial:worker"}
                self.trial = None if self.trial == lease.token else self.trial
        return keys

    def ended(self, batch: list[Lease], verb: Callable[[], list[Revision]]) -> list[Lease]:
        """Those leases of a batch that the verb ended; the others are named as lost, and their Revisions are as before."""
        held = [lease for lease in batch if self.model[lease.revision].holds(lease.token)]
        lost = [lease.revision for lease in batch if lease not in held]
        acquitted = self.acquit(batch)
        before = self.ledger.dump()
        assert verb() == lost
        after = self.ledger.dump()
        untouched = (set(before) if not held else {key(revision).encode() for revision in lost}) - acquitted
        assert {name: before.get(name) for name in untouched} == {name: after.get(name) for name in untouched}
        return held

    @rule(batch=stale | leases, by=st.sampled_from([-1, 0, 1, 1000]))
    def use_a_lost_lease(self, batch: list[Lease], by: int) -> None:
        """A lease that was ended, or whose token isn't the Revision's, ends nothing."""
        other = [lease._replace(token=lease.token + by) for lease in batch]
        lost = [lease for lease in other if not self.model[lease.revision].holds(lease.token)]
        for verb in (
            lambda: self.ledger.worker.settle([settled(lease) for lease in lost]),
            lambda: self.ledger.release(lost, [0.0] * len(lost)),
            lambda: self.ledger.bury(lost, "expired"),
        ):
            assert not lost or self.ended(lost, verb) == []

    @precondition(lambda self: self.some_are(lambda wakeup: wakeup.state == "leased" and not wakeup.dead))
    @rule(revisions=some)
    def die(self, revisions: list[Revision]) -> None:
        """Leases run out."""
        held = [revision for revision in revisions if self.model[revision].state == "leased"]
        if held:
            self.ledger.end_lease(*held)
        for revision in held:
            self.model[revision].dead = True

    @precondition(
        lambda self: (
            any(self.plans.values())
            or self.some_are(lambda wakeup: wakeup.dead or (wakeup.state == "pending" and not wakeup.ring_later))
        )
    )
    @rule(most=st.sampled_from([1, 10_000]))
    def sweep(self, most: int) -> None:
        """Dead leases are pending again, and what is due and was not rung is named."""
        dead = [revision for revision, wakeup in self.model.items() if wakeup.state == "leased" and wakeup.dead][:most]
        for revision in dead:
            wakeup = self.model[revision]
            wakeup.crashes += bool(wakeup.crashes) or self.trial is None
            if wakeup.crashes == 3:
                self.entomb(revision)
            else:
                wakeup.give_back(later=False)
        begun: set[Revision] = set()
        for plan in [plan for plan, has_come in self.plans.items() if has_come]:
            del self.plans[plan]
            if self.expect(Entry(plan.revision, 1, awake=False, first_age=0, last_age=0), waiting=0):
                self.model[plan.revision].ring_later = False
            begun.add(plan.revision)
        to_ring = {revision for revision, wakeup in self.model.items() if wakeup.state == "pending" and not wakeup.ring_later}
        ended, named = self.ledger.sweep(most=most)
        assert ended == len(dead)
        for revision in begun:
            self.looked_up(revision)
        assert len(named) == len(set(named)) == min(len(to_ring), most)
        assert set(named) <= to_ring
        for revision in named:
            self.model[revision].ring_later = True

    @precondition(lambda self: self.some_are(lambda wakeup: wakeup.due_later or wakeup.ready_later))
    @rule()
    def let_an_hour_pass(self) -> None:
        """What was to be due, ready or rung later is so now, but for the doorbells that are the front's or the sweep's to ring."""
        for revision, wakeup in self.model.items():
            if wakeup.state != "asleep":
                self.ledger.client.hset(key(revision), "ready_at", 1)
            if wakeup.state == "pending" and wakeup.due_later:
                self.ledger.client.hset(key(revision), "due_at", 1)
                self.ledger.client.zadd("{wakequeue}:pending", {str(revision): 1})
                wakeup.ring_later = False
            wakeup.due_later = wakeup.ready_later = False

    @precondition(lambda self: self.some_are(lambda wakeup: wakeup.state == "resting"))
    @rule(revisions=some)
    def fall_asleep(self, revisions: list[Revision]) -> None:
        """What rests is forgotten after idle_after."""
        for revision in revisions:
            if self.model[revision].state == "resting":
                self.ledger.forget(revision)
                self.model[revision] = Wakeup(requests=self.model[revision].requests)

    @invariant()
    def calls_are_conserved(self) -> None:
        """Recorded = settled + pending + leased + buried + discarded, and each figure is the model's."""
        counted, wakeups = self.ledger.census(), self.model.values()
        assert counted.drift_calls == 0
        assert (counted.recorded_calls, counted.settled_calls, counted.buried_calls) == (self.recorded, self.settled, self.buried)
        assert counted.pending_calls == sum(wakeup.calls for wakeup in wakeups)
        assert counted.leased_calls == sum(wakeup.taken for wakeup in wakeups)
        assert (counted.buried, counted.discarded_calls) == (len(self.letters), self.discarded)
        assert set(self.ledger.starts.planned()) == set(self.plans)

    @invariant()
    def every_wake_up_is_in_its_state(self) -> None:
        """A Revision with unreported calls is pending or leased; a resting one expires, and nothing else does."""
        for state in ("pending", "leased"):
            members = self.ledger.client.zrange(f"{{wakequeue}}:{state}", 0, -1)
            expected = {str(revision).encode() for revision, wakeup in self.model.items() if wakeup.state == state}
            assert set(members) == expected
        for revision, wakeup in self.model.items():
            assert (wakeup.state in {"pending", "leased"}) or not wakeup.calls
            assert bool(self.ledger.client.hexists(key(revision), "due_at")) == (wakeup.state == "pending")
            assert bool(self.ledger.client.exists(key(revision))) == (wakeup.state != "asleep")
            assert (self.ledger.expires_in(revision) is not None) == (wakeup.state == "resting")


@pytest.mark.timeout(600)  # only where it fails, to find the shortest run that does
def test_any_order_of_verbs(shared_redis: RedisServer) -> None:
    """Whatever fronts and workers do, and whenever leases run out, no call is lost or counted twice."""

    class Machine(LedgerMachine):
        server = shared_redis

    run_state_machine_as_test(Machine, settings=SEARCH)
