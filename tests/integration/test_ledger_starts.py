"""Starts on a real Redis: wake-ups that no call made, now, later, kept warm, by schedules, and taken back."""

import pytest
from support.ledger import HOUR, A, B, C, D, Ledger, entry, key, only
from support.waiting import wait_until

from wakequeue.broker import QUEUE, STARTS
from wakequeue.episode import Episode
from wakequeue.errors import LedgerFull
from wakequeue.ledger import Cancelled, History, Plan, Start, Starts
from wakequeue.revision import Revision
from wakequeue.settings import Settings


def begin(ledger: Ledger, *starts: Start) -> list[Revision]:
    """Begin by hand; returns who is due."""
    return ledger.starts.begin("hand", starts).due


def test_a_start_is_a_call_that_nobody_waits_for(ledger: Ledger) -> None:
    """It is recorded, due at once, and the audit trail says who made it."""
    assert begin(ledger, Start(A), Start(B)) == [A, B]
    lease = only(ledger.take(A))
    assert (lease.calls, lease.waiting, lease.callers, lease.pods, lease.kept_until) == (1, 0, {"hand": 1}, 0, None)
    assert lease.episode == Episode()
    ledger.settle(lease)
    assert only(History(ledger.client).newest(1)).callers == {"hand": 1}
    assert ledger.census().drift_calls == 0


def test_a_start_joins_what_is_pending_or_leased(ledger: Ledger) -> None:
    """It is one call more, and rings for nothing that is rung already."""
    ledger.record(entry(A, 4))
    assert begin(ledger, Start(A)) == []
    lease = only(ledger.take(A))
    assert lease.calls == 5
    assert begin(ledger, Start(A)) == []
    ledger.settle(lease)
    assert only(ledger.take(A)).calls == 1


def test_a_start_of_a_revision_that_should_be_forgotten_begins_anew(ledger: Ledger) -> None:
    """Where Redis's clock was set back, a key outlives its Revision's being awake."""
    ledger.record(entry(A))
    ledger.settle(only(ledger.take(A)))
    ledger.client.hset(key(A), mapping={"last_call": 1, "ready_at": 1})
    begin(ledger, Start(A))
    assert only(ledger.take(A)).episode == Episode()


def test_what_is_to_be_in_company_starts_only_where_it_sleeps(ledger: Ledger) -> None:
    """One that wakes, or is awake, is left alone; unless it is to be kept warm for longer than it is."""
    ledger.record(entry(A))
    assert begin(ledger, Start(A, only_asleep=True), Start(B, only_asleep=True)) == [B]
    assert only(ledger.take(A)).calls == 1
    begin(ledger, Start(A, keep_for=HOUR, only_asleep=True))
    begin(ledger, Start(A, keep_for=HOUR / 2, only_asleep=True))
    assert ledger.census().recorded_calls == 3


def test_it_is_kept_warm_until_the_last_of_several_keeps_is_over(ledger: Ledger) -> None:
    """With the most pods that one of those asks for that isn't over."""
    begin(ledger, Start(A, keep_for=HOUR), Start(A, keep_for=2 * HOUR, pods=3), Start(A, keep_for=HOUR / 2, pods=3))
    lease = only(ledger.take(A))
    assert lease.pods == 3
    assert lease.kept_until == pytest.approx(ledger.now() + 2 * HOUR, abs=5)
    assert lease.kept_since == pytest.approx(ledger.now(), abs=5)
    ledger.settle(lease, repeat_in=0.0)
    ledger.client.hset(key(A), "keeps", '{"1":[1,99999999999999],"3":[1,2]}')
    lease = only(ledger.take(A))
    assert (lease.pods, lease.calls, lease.callers) == (1, 0, {})


def test_what_is_buried_as_expired_is_still_kept_warm(ledger: Ledger) -> None:
    """Its calls are in a dead letter, and it is pending again; what can't be delivered at all is kept no longer."""
    begin(ledger, Start(A, keep_for=HOUR), Start(B, keep_for=HOUR))
    a, b = ledger.take(A, B)
    ledger.bury([a], "expired")
    ledger.bury([b], "poisoned")
    assert [(one.revision, one.pods, one.calls) for one in ledger.take(A, B)] == [(A, 1, 0)]
    assert ledger.expires_in(B) is not None


def test_a_plan_starts_once_its_time_has_come(ledger: Ledger) -> None:
    """Until then it is no call; then a sweep has it recorded and rung, kept warm from the time that it was planned for."""
    at = round(ledger.now()) + HOUR
    begun = ledger.starts.begin("hand", [Start(A, at=at, keep_for=60, pods=2), Start(B)])
    assert (begun.planned, begun.due) == (1, [B])
    plan = only(ledger.starts.planned())
    assert plan == Plan(A, at, 60, 2, "hand")
    assert ledger.sweep() == (0, [])
    assert (ledger.census().recorded_calls, ledger.census().planned) == (1, 1)
    ledger.let_come(plan)
    assert ledger.sweep() == (0, [A])
    lease = only(ledger.take(A))
    assert (lease.calls, lease.callers, lease.pods, lease.kept_until) == (1, {"hand": 1}, 2, at + 60)
    assert ledger.starts.planned() == []
    assert ledger.sweep() == (0, [])


def test_a_start_that_is_late_is_made_up_unless_it_is_too_late(ledger: Ledger) -> None:
    """Too late, it is buried as expired, with who planned it; what it was to be kept warm for ends when it would have."""
    now = ledger.now()
    assert begin(ledger, Start(A, at=now - 290, keep_for=HOUR), Start(B, at=now - 301, keep_for=HOUR)) == [A]
    assert only(ledger.take(A)).kept_until == pytest.approx(now - 290 + HOUR, abs=0.01)
    letter = only(list(ledger.letters.find(lambda _: True)))
    assert (letter.revision, letter.reason, letter.calls, letter.callers) == (B, "expired", 1, {"hand": 1})
    assert letter.last_call == pytest.approx(now - 301, abs=0.01)
    told = only(History(ledger.client).newest(1))
    assert (told.outcome, told.reason, told.revision, told.callers) == ("buried", "expired", B, {"hand": 1})
    assert ledger.letters.replay([letter.id]) == 1
    assert only(ledger.take(B)).pods == 0
    assert ledger.census().drift_calls == 0


def test_a_plan_that_nobody_swept_for_too_long_is_missed(ledger: Ledger) -> None:
    """The sweep that finds it buries it, and says so."""
    at = ledger.now() + 3.0
    assert ledger.starts.begin("hand", [Start(A, at=at)]).planned == 1
    wait_until(lambda: ledger.now() > at + 0.01, what="a time that is too late")
    swept = [ledger.using(make_up_within=0.005).sweep(QUEUE) for _ in range(2)]
    assert [(one.missed, one.due) for one in swept] == [(1, []), (0, [])]
    assert only(list(ledger.letters.find(lambda _: True))).reason == "expired"


def test_a_late_start_is_kept_no_longer_than_it_would_have_been(ledger: Ledger) -> None:
    """One whose time to be warm is over wakes, and is not kept."""
    begin(ledger, Start(A, at=ledger.now() - 120, keep_for=60))
    assert only(ledger.take(A)).pods == 0


def test_of_one_revision_and_time_each_cause_has_a_plan(ledger: Ledger) -> None:
    """Nobody's plan is another's; who says it again means the last."""
    at = round(ledger.now()) + HOUR
    for cause, keep_for in (("hand ann", 60.0), ("hand bob", 0.0), ("hand ann", 90.0)):
        ledger.starts.begin(cause, [Start(A, at=at, keep_for=keep_for)])
    assert {(plan.cause, plan.keep_for) for plan in ledger.starts.planned()} == {("hand ann", 90), ("hand bob", 0)}
    ledger.let_come(*ledger.starts.planned())
    ledger.sweep()
    lease = only(ledger.take(A))
    assert (lease.callers, lease.kept_until) == ({"hand ann": 1, "hand bob": 1}, pytest.approx(at + 90, abs=0.01))


def test_starts_go_by_rediss_clock_and_not_by_the_ledgers(ledger: Ledger) -> None:
    """Where that was ahead once, it stays so; what is to start in ten minutes does so then, and is kept for its time."""
    ahead = 3 * 3_600_000
    ledger.client.hset("{wakequeue}:totals", mapping={"clock": round(ledger.now() * 1000) + ahead, "ahead": ahead})
    now = ledger.now()
    begun = ledger.starts.begin("hand", [Start(A, at=now + 600), Start(B, at=now - 60, keep_for=120), Start(C, keep_for=60)])
    assert (begun.planned, begun.missed, begun.due) == (1, 0, [B, C])
    assert ledger.sweep() == (0, [])
    b, c = ledger.take(B, C)
    assert b.taken_at == pytest.approx(now + ahead / 1000, abs=5)
    assert b.kept_until == pytest.approx(now + ahead / 1000 + 60, abs=5)
    assert c.kept_until == pytest.approx(now + ahead / 1000 + 60, abs=5)
    assert ledger.starts.lead(STARTS, "one", [], 1).now == pytest.approx(now, abs=5)
    assert ledger.starts.clock() == pytest.approx(now, abs=5)


def test_a_missed_start_takes_no_other_letters_place(ledger: Ledger) -> None:
    """It is a dead letter while there is room; beyond it is discarded, and told of all the same."""
    ledger.record(entry(D, 7))
    ledger.bury(ledger.take(D))
    starts = Starts(ledger.client, Settings(keep_dead_letters=2), QUEUE)
    late = ledger.now() - 600
    assert starts.begin("hand", [Start(one, at=late) for one in (A, B, C)]).missed == 3
    ledger.sweep(keep_dead_letters=2)
    assert [(letter.revision, letter.calls) for letter in ledger.letters.find(lambda _: True)] == [(D, 7), (A, 1)]
    counted = ledger.census()
    assert (counted.discarded_calls, counted.letters_dropped, counted.drift_calls) == (2, 2, 0)
    assert len(History(ledger.client).newest(9)) == 4


def test_what_is_kept_warm_keeps_to_the_rate_limits(ledger: Ledger) -> None:
    """However long ago its last call was."""
    begin(ledger, *(Start(one, keep_for=HOUR) for one in (A, B, C)))
    for one in (A, B, C):
        ledger.client.hset(key(one), "last_call", 1)
    limits = {"rate_limit": 2, "rate_burst": 1, "namespace_rate_limit": 1, "namespace_rate_burst": 1}
    assert len(ledger.take(A, B, C, **limits)) == 1


def test_to_be_kept_for_as_long_again_is_no_news(ledger: Ledger) -> None:
    """What is said again takes its time; it adds nothing, and is no reason to start who is awake."""
    at = ledger.now() - 60
    begin(ledger, Start(A, at=at, keep_for=HOUR))
    begin(ledger, Start(A, at=at + 0.9, keep_for=HOUR, only_asleep=True))
    lease = only(ledger.take(A))
    assert (lease.calls, lease.kept_since) == (1, pytest.approx(lease.taken_at, abs=5))


def test_plans_have_an_end(ledger: Ledger) -> None:
    """What there is no room for is refused whole, and nothing of it is recorded; what starts now needs none."""
    ledger.client.zadd("{wakequeue}:planned", {f"many/r{number} 1": 9e15 for number in range(99_999)})
    later = ledger.now() + HOUR
    with pytest.raises(LedgerFull):
        begin(ledger, Start(A), Start(B, at=later), Start(C, at=later))
    assert ledger.census().recorded_calls == 0
    assert ledger.starts.begin("hand", [Start(B, at=later)]).planned == 1
    assert begin(ledger, Start(A), Start(B)) == [A, B]


def test_what_is_taken_back_does_not_start(ledger: Ledger) -> None:
    """Plans are gone, and Revisions are kept warm no longer: of those that are named, or of all."""
    later = ledger.now() + HOUR
    begin(ledger, *(Start(one, at=later) for one in (A, B, C)), *(Start(one, keep_for=HOUR) for one in (A, B, C)), Start(D))
    ledger.take(B)
    assert ledger.starts.cancel([]) == Cancelled(0, 0)
    assert ledger.starts.cancel([A, D]) == Cancelled(1, 1)
    assert [plan.revision for plan in ledger.starts.planned()] == [B, C]
    assert only(ledger.take(A)).pods == 0
    assert ledger.starts.cancel() == Cancelled(2, 2)
    assert ledger.starts.cancel() == Cancelled(0, 0)
    assert only(ledger.take(C)).pods == 0


def test_a_schedules_start_is_made_once(ledger: Ledger) -> None:
    """The same start again, or an older one, changes nothing; the next one is another."""
    now = round(ledger.now())
    for at, due in ((now - 20, [A, B]), (now - 20, []), (now - 30, []), (now - 10, [])):
        begun = ledger.starts.begin_scheduled("office", at, "schedule office", [Start(B, at=at), Start(A, at=at)])
        assert begun.due == due
    assert [(lease.calls, lease.callers) for lease in ledger.take(A, B)] == [(2, {"schedule office": 2})] * 2
    assert ledger.starts.last_starts() == {"office": now - 10}


def test_a_schedules_start_that_was_made_in_part_goes_on_where_it_ended(ledger: Ledger) -> None:
    """A worker that dies between two scripts leaves the rest to the next one; until then the start isn't the schedule's last."""
    at = round(ledger.now())
    many = [Revision("many", f"r{number:04}") for number in range(1_500)]
    ledger.starts.begin_scheduled("office", at, "schedule office", [Start(one) for one in many])
    ledger.client.hset("{wakequeue}:schedules", "office", f"{at * 1000} {many[1199]}")
    assert ledger.starts.last_starts()["office"] < at
    ledger.starts.begin_scheduled("office", at, "schedule office", [Start(one) for one in many])
    assert ledger.starts.last_starts()["office"] == at
    assert ledger.census().recorded_calls == 1_800


def test_a_start_of_a_schedule_that_means_nobody_is_made(ledger: Ledger) -> None:
    """It is not asked for again."""
    at = round(ledger.now())
    assert ledger.starts.begin_scheduled("office", at, "schedule office", []).due == []
    assert ledger.starts.last_starts() == {"office": at}


def test_one_beat_leads(ledger: Ledger) -> None:
    """Until it stands down, or has not been heard of for its time; a schedule that is new to the ledger had its last start now.

    One that only the ledger has is forgotten.
    """
    led = ledger.starts.lead(STARTS, "one", ["office"], HOUR)
    assert led.leads
    assert led.last_starts == {"office": pytest.approx(led.now, abs=0.001)}
    other = ledger.starts.lead(STARTS, "other", ["office", "new"], HOUR)
    assert (other.leads, other.last_starts["office"]) == (False, led.last_starts["office"])
    assert ledger.starts.last_starts() == led.last_starts
    ledger.starts.stand_down(STARTS, "other")
    assert ledger.starts.lead(STARTS, "one", [], HOUR).leads
    ledger.starts.stand_down(STARTS, "one")
    assert ledger.starts.lead(STARTS, "other", [], HOUR).leads
    assert ledger.starts.lead(STARTS, "other", ["new"], HOUR).last_starts.keys() == {"new"}
    assert ledger.starts.last_starts().keys() == {"new"}
    ledger.client.rpush(STARTS, 1, 2)
    assert ledger.starts.lead(STARTS, "one", ["new"], HOUR).queued == 2
    ledger.client.delete("{wakequeue}:beat")
    assert ledger.starts.lead(STARTS, "one", [], HOUR).leads
    assert 0 < ledger.client.pttl("{wakequeue}:beat") <= HOUR * 1000


def test_no_doorbell_is_left_to_the_caller_while_the_queue_is_long(ledger: Ledger) -> None:
    """The sweep rings then, as for calls."""
    ledger.client.rpush(QUEUE, *range(16))
    assert begin(ledger, Start(A)) == []
    ledger.client.delete(QUEUE)
    assert ledger.sweep() == (0, [A])
