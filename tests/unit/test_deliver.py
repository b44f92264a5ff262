"""The deliverer, with a fake Autoscaler and a real ledger: what is reported, and what becomes of every wake-up that it takes."""

import re
from collections.abc import Callable, Sequence

import pytest
from support.fakes import FakeAutoscaler
from support.frames import Stat, read_protobuf
from support.redis_server import RedisServer
from support.scene import A, B, C, Scene, entry

from wakequeue.broker import QUEUE
from wakequeue.codecs import Frame
from wakequeue.codecs.protobuf import ProtobufCodec
from wakequeue.errors import AutoscalerUnavailable, LedgerUnavailable
from wakequeue.ledger import DeadLetters, Entry, History
from wakequeue.revision import Revision
from wakequeue.stat import StatMessage
from wakequeue.telemetry import WORKER
from workers.deliver import Delivered


class PickyCodec(ProtobufCodec):
    """Can't hold the reports of Revision B."""

    def encode(self, message: StatMessage, now: float) -> Frame:
        """A frame."""
        if message.revision == B:
            raise ValueError("too picky")
        return super().encode(message, now)


class MeddlingCodec(ProtobufCodec):
    """Does something while it encodes."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self._meanwhile = meanwhile

    def encode(self, message: StatMessage, now: float) -> Frame:
        """A frame."""
        self._meanwhile()
        return super().encode(message, now)


class MeddlingAutoscaler(FakeAutoscaler):
    """Does something while it confirms or refuses."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        super().__init__()
        self._meanwhile = meanwhile

    def send(self, frames: Sequence[Frame]) -> None:
        """Remember the frames."""
        self._meanwhile()
        super().send(frames)


def metric(name: str, **labels: str) -> float:
    """The value of one of the worker's metrics."""
    return WORKER.get_sample_value(name, labels) or 0.0


def test_what_is_due_is_reported_and_settled(scene: Scene) -> None:
    """Each Revision's calls so far are its concurrency and its request count, in one frame each; the wake-ups go on waking."""
    before = metric("wakequeue_reports_total", phase="asleep"), metric("wakequeue_reported_requests_total")
    scene.record(entry(A, 3), entry(B, 2))
    assert scene.deliver(A, B) == Delivered(taken=2, reported=2)
    assert scene.reports() == [Stat("shop/a", "pod", 3.0, 3.0), Stat("shop/b", "pod", 2.0, 2.0)]
    assert (scene.census().settled_calls, scene.census().pending, scene.census().leased) == (5, 2, 0)
    assert metric("wakequeue_reports_total", phase="asleep") - before[0] == 2
    assert metric("wakequeue_reported_requests_total") - before[1] == 5


def test_a_doorbell_without_calls_delivers_nothing(scene: Scene) -> None:
    """What was delivered already, or never recorded, is neither taken nor reported."""
    scene.record(entry(A))
    scene.deliver(A)
    scene.put_off(A)
    assert scene.deliver(A, B) == Delivered()
    assert len(scene.autoscaler.frames) == 1


def test_a_waking_revision_is_reported_again(scene: Scene) -> None:
    """Due again, it says who waits and, with no new call, no request."""
    scene.record(entry(A, 7))
    scene.deliver(A)
    assert scene.repeats_after(A) == 1
    scene.client.hset("{wakequeue}:r:shop/a", "last_report", 1)
    scene.make_due(A)
    assert scene.deliver(A) == Delivered(taken=1, reported=1)
    assert scene.reports()[1] == Stat("shop/a", "pod", 7.0, 0.0)


def test_an_awake_revision_without_calls_is_not_reported(scene: Scene) -> None:
    """A repeat that comes when the Revision is awake says nothing, and leaves it to be forgotten."""
    scene.record(entry(A))
    scene.deliver(A)
    scene.client.hset("{wakequeue}:r:shop/a", "first_report", 1)
    scene.make_due(A)
    assert scene.deliver(A, idle_after=500) == Delivered(taken=1)
    assert len(scene.autoscaler.frames) == 1
    assert scene.census().pending == 0
    assert 300 < scene.client.ttl("{wakequeue}:r:shop/a") <= 500


def test_awake_calls_weigh_nothing(scene: Scene) -> None:
    """Calls of a Revision that the front knows to be awake are reported with the awake concurrency."""
    scene.record(entry(A, 4, awake=True))
    scene.deliver(A)
    assert scene.reports() == [Stat("shop/a", "pod", 0.001, 4.0)]


def test_the_original_style(scene: Scene) -> None:
    """Every report says one, as the adapter of 2019 did; all calls are settled."""
    scene.record(entry(A, 9))
    scene.deliver(A, report_style="original")
    assert scene.reports() == [Stat("shop/a", "pod", 1.0, 1.0)]
    assert scene.census().settled_calls == 9


def test_a_handlers_style_is_its_own(scene: Scene) -> None:
    """What a call says of how to report it comes before the settings, either way."""
    scene.record(entry(A, 5)._replace(style="original"), entry(B, 5))
    scene.deliver(A, B)
    assert [(one.key, one.concurrency, one.requests) for one in scene.reports()] == [("shop/a", 1, 1), ("shop/b", 5, 5)]
    scene.record(entry(C, 5)._replace(style="activator"))
    scene.deliver(C, report_style="original")
    assert [(one.concurrency, one.requests) for one in scene.reports()[2:]] == [(5, 5)]


def test_requests_that_wait_are_reported_as_long_as_they_do(scene: Scene) -> None:
    """Long after `waking_for` there is a report of those that wait, with no new call; once none does, there is none."""
    waiting = Entry(A, 0, awake=False, first_age=0.0, last_age=0.0, requests=dict.fromkeys("12", ("http x", 0.0)))
    scene.record(waiting)
    scene.deliver(A)
    scene.client.hset("{wakequeue}:r:shop/a", mapping={"first_report": 1, "last_report": 1, "ready_at": 1})
    scene.record(waiting)
    scene.deliver(A)
    assert [(one.concurrency, one.requests) for one in scene.reports()] == [(2, 2), (2, 0)]
    scene.client.hset("{wakequeue}:r:shop/a", mapping={"last_report": 10_000, "last_wait": 1, "due_at": 1})
    scene.client.zadd("{wakequeue}:pending", {"shop/a": 1})
    scene.deliver(A)
    assert len(scene.reports()) == 2
    assert scene.census().settled_calls == 2


def test_what_was_not_confirmed_is_released(scene: Scene) -> None:
    """AutoscalerUnavailable is raised once every wake-up that was taken is pending again; later it is delivered whole."""
    before = metric("wakequeue_released_total")
    scene.record(entry(A, 2), entry(B, 3))
    scene.autoscaler.available = False
    with pytest.raises(AutoscalerUnavailable):
        scene.deliver(A, B, retry_after=60, retry_at_most=120)
    assert (scene.census().pending_calls, scene.census().pending, scene.census().leased) == (5, 2, 0)
    assert metric("wakequeue_released_total") - before == 2
    scene.autoscaler.available = True
    scene.make_due(A)
    scene.record(entry(A, 1))
    assert scene.deliver(A, B) == Delivered(taken=1, reported=1)
    assert scene.reports() == [Stat("shop/a", "pod", 3.0, 3.0)]


def test_back_offs_double(scene: Scene) -> None:
    """From half of retry_after to all of it, twice as long each time, up to retry_at_most; a report begins anew."""
    scene.record(entry(A))
    for longest in (100, 200, 400, 500, 500, None, 100):
        scene.autoscaler.available = longest is None
        if longest is None:
            scene.deliver(A)
        else:
            with pytest.raises(AutoscalerUnavailable):
                scene.deliver(A, retry_after=100, retry_at_most=500)
            assert longest / 2 - 1 < scene.due_in(A) <= longest
        scene.make_due(A)


def test_what_becomes_of_a_wake_up_is_told_by_its_id(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    """Released, reported once, with how long after its first call, and woken; another one buried."""
    caplog.set_level("INFO", "wakequeue")
    scene.cluster.is_at_zero(A)
    scene.record(entry(A, 2, age=1.5), entry(B, age=301))
    scene.autoscaler.available = False
    with pytest.raises(AutoscalerUnavailable):
        scene.deliver(A, retry_after=0.001)
    scene.autoscaler.available = True
    for _ in range(2):
        scene.make_due(A)
        scene.deliver(A)
    scene.cluster.is_ready(A)
    scene.make_due(A)
    scene.deliver(A, B)
    told = {entry.outcome: entry.wakeup for entry in History(scene.client).newest(10)}
    said = [re.sub(r"seconds=[1-9]\.\d+$", "seconds=N", message) for message in caplog.messages]
    assert said == [
        f"released revisions=1 first=shop/a wakeup={told['reported']} because='not connected'",
        f"reported wakeup={told['reported']} revision=shop/a calls=2 seconds=N",
        f"buried revisions=1 first=shop/b wakeup={told['buried']} reason=expired",
        f"woken wakeup={told['woken']} revision=shop/a seconds=N",
    ]
    assert told["reported"] == told["woken"] != told["buried"]


def test_a_back_off_has_an_end_however_many_attempts(scene: Scene) -> None:
    """After a million attempts it is retry_at_most still."""
    scene.record(entry(A))
    scene.client.hset("{wakequeue}:r:shop/a", "attempts", 1_000_000)
    scene.autoscaler.available = False
    with pytest.raises(AutoscalerUnavailable):
        scene.deliver(A, retry_at_most=20)
    assert 5 < scene.due_in(A) <= 20


def test_what_is_too_old_is_buried(scene: Scene) -> None:
    """A wake-up whose last call is older than max_age is buried as expired, and the others are delivered."""
    before = metric("wakequeue_buried_total", reason="expired")
    scene.record(entry(A, 4, age=301), entry(B, 2, age=400, last_age=290), entry(C))
    assert scene.deliver(A, B, C) == Delivered(taken=3, reported=2, buried=1)
    assert [stat.key for stat in scene.reports()] == ["shop/b", "shop/c"]
    assert (scene.census().buried, scene.census().buried_calls, scene.census().settled_calls) == (1, 4, 3)
    assert metric("wakequeue_buried_total", reason="expired") - before == 1


def test_an_expired_wake_up_alone_needs_no_autoscaler(scene: Scene) -> None:
    """With nothing to send nothing is sent, and an absent Autoscaler keeps nothing alive."""
    scene.record(entry(A, age=301))
    scene.autoscaler.available = False
    assert scene.deliver(A) == Delivered(taken=1, buried=1)


def test_what_cant_be_encoded_is_buried(scene: Scene) -> None:
    """A report that the format can't hold is buried as unencodable, and the others are delivered."""
    before = metric("wakequeue_buried_total", reason="unencodable")
    scene.record(entry(A), entry(B, 5), entry(C))
    assert scene.deliver(A, B, C, codec=PickyCodec()) == Delivered(taken=3, reported=2, buried=1)
    assert [stat.key for stat in scene.reports()] == ["shop/a", "shop/c"]
    assert b'"unencodable"' in next(iter(scene.client.hvals("{wakequeue}:dead")))
    assert scene.census().buried_calls == 5
    assert metric("wakequeue_buried_total", reason="unencodable") - before == 1


def test_burials_stand_though_the_rest_is_released(scene: Scene) -> None:
    """What can never be delivered is buried even while the Autoscaler is away."""
    scene.record(entry(A), entry(B), entry(C, age=301))
    scene.autoscaler.available = False
    with pytest.raises(AutoscalerUnavailable):
        scene.deliver(A, B, C, codec=PickyCodec())
    assert (scene.census().buried, scene.census().pending) == (2, 1)


@pytest.mark.parametrize("available", [True, False])
def test_a_lease_that_ran_out_is_counted(scene: Scene, *, available: bool) -> None:
    """What another worker may have by now is neither settled nor released; the others are, and the loss is counted."""
    before = metric("wakequeue_leases_lost_total"), metric("wakequeue_released_total")
    scene.record(entry(A, 2), entry(B, 3))
    scene.autoscaler = MeddlingAutoscaler(lambda: scene.end_lease(A))
    scene.autoscaler.available = available
    if available:
        assert scene.deliver(A, B) == Delivered(taken=2, reported=2, lost=1)
        assert scene.census().settled_calls == 3
    else:
        with pytest.raises(AutoscalerUnavailable):
            scene.deliver(A, B)
        assert scene.census().pending_calls == 3
        assert metric("wakequeue_released_total") - before[1] == 1
    assert scene.census().leased_calls == 2
    assert metric("wakequeue_leases_lost_total") - before[0] == 1


def test_two_workers_deliver_a_wake_up_once(scene: Scene) -> None:
    """A second delivery of the same doorbell, made while the first one sends, finds nothing."""
    second: list[Delivered] = []
    scene.record(entry(A), entry(B))
    scene.autoscaler = MeddlingAutoscaler(lambda: second.append(Delivered() if second else scene.deliver(A, B)))
    assert scene.deliver(A, B).reported == 2
    assert second == [Delivered()]
    assert len(scene.autoscaler.frames) == 2


def test_a_limited_report_is_delayed(scene: Scene) -> None:
    """What a rate limit puts off is neither reported nor released: it is counted, and due at its slot."""
    before = metric("wakequeue_delayed_total", limit="namespace")
    scene.record(entry(A), entry(B), entry(C))
    delivered = scene.deliver(A, B, C, namespace_rate_limit=0.1, namespace_rate_burst=2)
    assert delivered == Delivered(taken=2, reported=2, delayed=1)
    assert 5 < scene.due_in(C) <= 10
    assert metric("wakequeue_delayed_total", limit="namespace") - before == 1


def test_nothing_is_taken_out_of_order_on_a_new_connection(scene: Scene) -> None:
    """A doorbell from before it names wake-ups in another order than their age: the sweep rings for them again."""
    scene.record(entry(A))
    scene.client.lpush(QUEUE, "another doorbell")
    scene.connect_anew()
    assert scene.deliver(A) == Delivered()
    assert scene.client.llen(QUEUE) == 0
    assert scene.ledger.sweep(QUEUE).due == [A]
    assert scene.deliver(A) == Delivered(taken=1, reported=1)


@pytest.mark.parametrize("hastened_first", [False, True])
def test_what_was_taken_before_a_new_connection_keeps_its_place(scene: Scene, *, hastened_first: bool) -> None:
    """Given back before all is hastened or after that, it comes between what is older, and failed before, and what is younger."""
    scene.record(entry(A, age=9.0))
    scene.autoscaler.available = False
    with pytest.raises(AutoscalerUnavailable):
        scene.deliver(A)
    scene.autoscaler.available = True
    scene.record(entry(B, age=8.0), entry(C, age=7.0))

    def come_between() -> None:
        scene.connect_anew()
        if hastened_first:
            assert scene.hastener.hasten() is None

    with pytest.raises(AutoscalerUnavailable):
        scene.deliver(B, codec=MeddlingCodec(come_between))
    assert scene.reports() == []
    assert (scene.hastener.hasten() is None) != hastened_first
    assert scene.ledger.sweep(QUEUE).due == [A, B, C]
    assert scene.deliver(A, B, C).reported == 3


def test_what_failed_as_the_connection_came_waits_for_no_back_off(scene: Scene) -> None:
    """It may be given back after all was hastened."""
    scene.record(entry(A))
    scene.autoscaler = MeddlingAutoscaler(scene.connect_anew)
    scene.autoscaler.available = False
    with pytest.raises(AutoscalerUnavailable):
        scene.deliver(A)
    assert scene.due_in(A) <= 0


def test_a_worker_that_found_all_hastened_delivers(scene: Scene) -> None:
    """Another worker hastened it for the new connection, less than a second ago, and rang it."""
    scene.record(entry(A))
    scene.ledger.hasten(QUEUE)
    scene.client.set("{wakequeue}:hastened", 1)  # for longer than that second
    assert scene.ledger.sweep(QUEUE).due == [A]
    scene.connect_anew()
    assert scene.deliver(A).reported == 1


def test_suspects_are_delivered_in_trials(scene: Scene) -> None:
    """After the others: sixteen together that were blamed once, and alone who was blamed more often; one trial at a time."""
    suspects = [Revision("shop", f"r{number:02}") for number in range(20)]
    scene.record(entry(A), entry(B), *map(entry, suspects))
    for name in (*suspects, B):
        scene.client.hset(f"{{wakequeue}}:r:{name}", "crashes", 2 if name == B else 1)
    assert scene.deliver(A, B, *suspects) == Delivered(taken=22, reported=22)
    trials = [len(read_protobuf(b"".join(frames))) for frames in scene.autoscaler.sent]
    assert trials == [1, 16, 4, 1]
    assert scene.census().settled_calls == 22


def test_calls_during_a_delivery_are_reported_next(scene: Scene) -> None:
    """They are due again after correct_after, and corrected once."""
    scene.record(entry(A, 2))
    scene.autoscaler = MeddlingAutoscaler(lambda: None if scene.autoscaler.frames else scene.record(entry(A, 5)))
    scene.deliver(A)
    assert scene.due_in(A) <= 0.2
    scene.client.hset("{wakequeue}:r:shop/a", "last_report", 1)
    scene.make_due(A)
    scene.deliver(A)
    assert scene.reports()[1] == Stat("shop/a", "pod", 7.0, 5.0)
    assert scene.census().settled_calls == 7


def test_an_absent_ledger_is_unavailable(redis_server: RedisServer) -> None:
    """Nothing is sent of what can't be taken; a report that can't be settled stays leased, to be reported again."""
    scene = Scene(redis_server)
    scene.client.config_set("appendfsync", "always")  # what is killed has forgotten nothing
    scene.record(entry(A, 2))
    scene.autoscaler = MeddlingAutoscaler(redis_server.kill)
    for _ in range(2):
        with pytest.raises(LedgerUnavailable):
            scene.deliver(A)
    assert len(scene.autoscaler.frames) == 1
    redis_server.start()
    assert scene.census().leased_calls == 2


# Where the cluster says what is ready.


def endings() -> dict[str, float]:
    """How many wakings have ended, by how."""
    return {outcome: metric("wakequeue_wakings_total", outcome=outcome) for outcome in ("woken", "unwoken", "reported")}


def counted_since(before: dict[str, float]) -> dict[str, float]:
    """Those that have ended since."""
    return {outcome: count - before[outcome] for outcome, count in endings().items() if count != before[outcome]}


def test_readiness_ends_a_waking(scene: Scene) -> None:
    """Once it is ready nothing is repeated; the audit trail and the metrics have the time from the first call."""
    before, cold_starts = endings(), metric("wakequeue_cold_start_seconds_count")
    scene.cluster.is_at_zero(A)
    scene.record(entry(A, 7))
    scene.deliver(A)
    scene.ago(A, waking_since=10, first_report=10, last_report=2)
    assert scene.deliver(A) == Delivered(taken=1, reported=1)
    assert scene.repeats_after(A) == 1
    scene.ago(A, waking_since=100, last_report=2)
    scene.cluster.is_ready(A, seconds=40)
    assert scene.deliver(A) == Delivered(taken=1)
    assert [(stat.concurrency, stat.requests) for stat in scene.reports()] == [(7, 7), (7, 0)]
    woken = History(scene.client).newest(1)[0]
    assert (woken.outcome, woken.reason, woken.calls) == ("woken", "", 0)
    assert woken.waking_seconds == pytest.approx(60, abs=5)
    assert counted_since(before) == {"woken": 1}
    assert metric("wakequeue_cold_start_seconds_count") - cold_starts == 1
    assert (scene.census().pending, scene.census().leased, scene.census().buried) == (0, 0, 0)


def test_calls_of_a_ready_revision_weigh_nothing(scene: Scene) -> None:
    """Its first call is reported as that of an awake one, once."""
    scene.cluster.is_ready(A, seconds=60)
    scene.record(entry(A, 4))
    scene.deliver(A)
    assert scene.reports() == [Stat("shop/a", "pod", 0.001, 4.0)]
    assert scene.census().pending == 0


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("", "not ready, and Knative says nothing against it"),
        ("ImagePullBackOff: no such image", "ImagePullBackOff: no such image"),
    ],
)
def test_what_does_not_wake_is_a_dead_letter(scene: Scene, said: str, cause: str, caplog: pytest.LogCaptureFixture) -> None:
    """After `unwoken_after` it is repeated no more: a letter and the audit trail say why; its calls stay settled."""
    before, buried = endings(), metric("wakequeue_buried_total", reason="unwoken")
    scene.cluster.is_at_zero(A)
    scene.cluster.said[A] = said
    scene.record(entry(A, 3))
    scene.deliver(A)
    scene.ago(A, waking_since=121, first_report=121, last_report=2, last_call=121)
    assert scene.deliver(A) == Delivered(taken=1)
    (letter,) = scene.letters()
    assert (letter.revision, letter.reason, letter.calls, letter.callers) == (A, "unwoken", 0, {})
    assert [why for _, why in letter.tries] == [cause]
    unwoken = History(scene.client).newest(1)[0]
    assert (unwoken.outcome, unwoken.reason, unwoken.first_call) == ("unwoken", cause, letter.first_call)
    assert unwoken.waking_seconds == pytest.approx(121, abs=2)
    assert counted_since(before) == {"unwoken": 1}
    assert metric("wakequeue_buried_total", reason="unwoken") - buried == 1
    assert f"unwoken revision=shop/a wakeup={letter.wakeup} cause='{cause}'" in caplog.messages
    assert (scene.census().settled_calls, scene.census().buried_calls, scene.census().pending) == (3, 0, 0)


def test_a_replayed_unwoken_letter_wakes_one_pod(scene: Scene) -> None:
    """It has no calls to report, and wakes all the same; once ready, that is told as any other waking's end."""
    scene.cluster.is_at_zero(A)
    scene.record(entry(A, 500))
    scene.deliver(A)
    scene.ago(A, waking_since=121, first_report=121, last_report=2, last_call=121)
    scene.deliver(A)
    (letter,) = scene.letters()
    assert DeadLetters(scene.client).replay([letter.id]) == 1
    assert scene.deliver(A) == Delivered(taken=1, reported=1)
    assert scene.reports()[-1] == Stat("shop/a", "pod", 0.001, 0.0)
    scene.make_due(A)
    scene.cluster.is_ready(A)
    scene.deliver(A)
    assert History(scene.client).newest(1)[0].outcome == "woken"
    assert scene.letters() == []
    assert (scene.census().settled_calls, scene.census().buried_calls) == (500, 0)


def test_a_call_outlives_the_waking_that_it_comes_with(scene: Scene) -> None:
    """The waking before it is a dead letter; the call is reported, and begins another."""
    scene.cluster.is_at_zero(A)
    scene.record(entry(A))
    scene.deliver(A)
    scene.ago(A, waking_since=121, first_report=121, last_report=2, last_call=121)
    scene.record(entry(A, 2))
    scene.make_due(A)
    assert scene.deliver(A) == Delivered(taken=1, reported=1)
    assert scene.reports()[-1].requests == 2
    assert [one.outcome for one in History(scene.client).newest(2)] == ["unwoken", "reported"]
    assert (len(scene.letters()), scene.census().settled_calls, scene.census().pending) == (1, 3, 1)


def test_a_waking_that_becomes_too_old_is_unwoken(scene: Scene) -> None:
    """Where `max_age` comes before `unwoken_after`, a wake-up without new calls doesn't rest in silence."""
    scene.cluster.is_at_zero(A)
    scene.record(entry(A))
    scene.deliver(A)
    scene.ago(A, waking_since=40, first_report=40, last_report=2, last_call=40)
    assert scene.deliver(A, max_age=30) == Delivered(taken=1)
    assert [letter.reason for letter in scene.letters()] == ["unwoken"]
    assert scene.census().pending == 0


def test_without_access_a_waking_ends_in_silence(scene: Scene) -> None:
    """It is counted as reported; there is no word of it in the audit trail, and no letter."""
    before = endings()
    scene.cluster.away = True
    scene.record(entry(A))
    scene.deliver(A)
    scene.ago(A, first_report=10, last_report=1.5)
    scene.deliver(A)
    assert counted_since(before) == {"reported": 1}
    assert [one.outcome for one in History(scene.client).newest(9)] == ["reported"]
    assert (scene.letters(), scene.census().pending) == ([], 0)


def test_the_end_of_a_waking_is_told_by_whoever_holds_its_lease(scene: Scene) -> None:
    """Where the lease is lost the ending is neither kept nor counted: another worker finds it."""
    before = endings()
    scene.cluster.is_at_zero(A)
    scene.record(entry(A))
    scene.deliver(A)
    scene.make_due(A)
    scene.cluster.is_ready(A)
    scene.record(entry(A), entry(B))
    scene.autoscaler = MeddlingAutoscaler(lambda: scene.end_lease(A))
    assert scene.deliver(A, B).lost == 1
    assert counted_since(before) == {}
    scene.ledger.sweep(QUEUE)
    scene.client.hset("{wakequeue}:r:shop/a", "crashes", 0)
    scene.autoscaler = FakeAutoscaler()
    scene.deliver(A)
    assert counted_since(before) == {"woken": 1}
