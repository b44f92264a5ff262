"""What wakes in company, and what is kept warm, as the deliverer has it: with a fake Autoscaler and a real ledger."""

from collections.abc import Iterable

import pytest
from support.redis_server import RedisServer
from support.scene import A, B, C, Scene, entry

from wakequeue.broker import QUEUE
from wakequeue.cluster.knowledge import Application, Scaling
from wakequeue.codecs.protobuf import ProtobufCodec
from wakequeue.errors import AutoscalerUnavailable, LedgerUnavailable
from wakequeue.ledger import Entry, History, Start, Taken, WorkerLedger
from wakequeue.revision import Revision
from wakequeue.setting_schedules import Groups
from workers.deliver import Delivered

A_WAKES_B = Groups({"shop/a": ("shop/b",)})
ROUND = Groups({"shop/a": ("shop/b",), "shop/b": ("shop/c",), "shop/c": ("shop/a",)})


def called(scene: Scene, **fields: float) -> None:
    """A gateway's calls of A."""
    scene.record(Entry(A, 3, awake=False, first_age=0.0, last_age=0.0, callers={"mixer_authorization 10.0.0.7": 3}, **fields))


def test_those_that_wake_with_it_go_out_in_the_same_frame(scene: Scene) -> None:
    """Each is called once, by what called the one that wakes it; all are in one sending."""
    called(scene)
    assert scene.deliver(A, groups=A_WAKES_B) == Delivered(taken=2, reported=2)
    assert [len(frames) for frames in scene.autoscaler.sent] == [2]
    assert [(one.key, one.concurrency, one.requests) for one in scene.reports()] == [("shop/a", 3, 3), ("shop/b", 0.001, 1)]
    told = {one.revision: one.callers for one in History(scene.client).newest(9)}
    assert told == {A: {"mixer_authorization 10.0.0.7": 3}, B: {"group shop/a (mixer_authorization 10.0.0.7)": 1}}
    assert (scene.census().settled_calls, scene.census().pending) == (4, 2)


def test_a_round_of_groups_wakes_each_once(scene: Scene) -> None:
    """Nobody is woken by one that it woke; what was woken in company wakes nobody, whenever it is delivered."""
    called(scene)
    assert scene.deliver(A, groups=ROUND).reported == 3
    for revision in (B, C, A):
        scene.make_due(revision)
    scene.deliver(A, B, C, groups=ROUND)
    assert scene.census().recorded_calls == 5


def test_what_is_woken_in_company_and_fails_wakes_nobody_by_itself(scene: Scene) -> None:
    """However often it is tried: the bounds of its group are those of the Revision that was called."""
    called(scene)
    scene.begin("group shop/x (schedule office)", Start(B))
    scene.client.delete("{wakequeue}:r:shop/a")
    scene.deliver(B, groups=ROUND)
    assert {stat.key for stat in scene.reports()} == {"shop/b"}


def test_one_that_wakes_or_is_awake_needs_no_company(scene: Scene) -> None:
    """A call of a Revision that is waking or awake wakes nobody else, and one of the company that is, isn't called."""
    scene.record(entry(B, 5))
    scene.deliver(B)
    scene.put_off(B)
    called(scene)
    assert scene.deliver(A, groups=A_WAKES_B) == Delivered(taken=1, reported=1)
    called(scene)
    scene.make_due(A)
    scene.client.delete("{wakequeue}:r:shop/b")
    assert scene.deliver(A, groups=A_WAKES_B) == Delivered(taken=1, reported=1)


def test_an_annotation_says_who_wakes_with_an_application(scene: Scene) -> None:
    """Where the cluster is known: by whichever Revision of it was called."""
    scene.cluster.is_at_zero(A)
    scene.cluster.is_at_zero(B)
    scene.cluster.apps = {
        "shop/web": Application("shop/web", (A,), ("shop/cart",)),
        "shop/cart": Application("shop/cart", (B,)),
    }
    called(scene)
    scene.deliver(A)
    assert {stat.key for stat in scene.reports()} == {"shop/a", "shop/b"}


def test_company_that_could_not_be_delivered_is_retried_like_all(scene: Scene) -> None:
    """Both are released, with the cause; nothing is recorded twice."""
    called(scene)
    scene.autoscaler.available = False
    with pytest.raises(Exception, match="not connected"):
        scene.deliver(A, groups=A_WAKES_B)
    assert (scene.census().pending_calls, scene.census().leased) == (4, 0)
    scene.autoscaler.available = True
    scene.make_due(A)
    scene.make_due(B)
    assert scene.deliver(A, B, groups=A_WAKES_B).reported == 2
    assert (scene.census().settled_calls, scene.census().recorded_calls) == (4, 4)


def test_a_full_redis_keeps_nobody_from_waking(redis_server: RedisServer) -> None:
    """It refuses what would be added; what was called before is woken without its company."""
    scene = Scene(redis_server)
    called(scene)
    scene.client.config_set("maxmemory", 1)
    assert scene.deliver(A, groups=A_WAKES_B) == Delivered(taken=1, reported=1)
    scene.client.config_set("maxmemory", 0)
    assert scene.census().recorded_calls == 3


def test_company_that_can_not_be_taken_keeps_nobody_from_waking(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is pending, for the next sweep to ring."""
    take = WorkerLedger.take

    def takes_no_company(self: WorkerLedger, revisions: Iterable[Revision], *, trial: bool = False) -> Taken:
        if B in (revisions := list(revisions)):
            raise LedgerUnavailable("timed out")
        return take(self, revisions, trial=trial)

    monkeypatch.setattr(WorkerLedger, "take", takes_no_company)
    called(scene)
    assert scene.deliver(A, groups=A_WAKES_B, waking_for=0.5) == Delivered(taken=1, reported=1)
    assert scene.ledger.sweep(QUEUE).due == [B]


def test_company_is_taken_as_a_doorbell_is(scene: Scene) -> None:
    """No more go out in one frame than a doorbell names besides; the next sweep rings for the others."""
    many = [f"many/r{number:03}" for number in range(300)]
    called(scene)
    assert scene.deliver(A, groups=Groups({"shop/a": tuple(many)}), group_size=300, waking_for=0.5).reported == 257
    assert len(scene.ledger.sweep(QUEUE).due) == 44


def test_what_is_kept_warm_is_reported_without_calls(scene: Scene) -> None:
    """With so much as keeps its pods, and so does its company, with one; until it is kept no longer."""
    scene.begin("schedule office", Start(A, keep_for=60, pods=2))
    assert scene.deliver(A, groups=A_WAKES_B).reported == 2
    assert [(one.key, one.concurrency, one.requests) for one in scene.reports()] == [("shop/a", 105, 1), ("shop/b", 0.001, 1)]
    for revision in (A, B):
        scene.ago(revision, first_report=30, last_report=1, last_call=30)
    assert scene.deliver(A, B, groups=A_WAKES_B).reported == 2
    first, second = scene.reports()[2:]
    assert (first.key, first.requests, second.requests) == ("shop/a", 0, 0)
    assert 105 <= first.concurrency <= 210
    assert 0.001 <= second.concurrency <= 0.002
    assert scene.repeats_after(A) == 1
    for revision in (A, B):
        scene.client.hdel(f"{{wakequeue}}:r:{revision}", "keeps")
        scene.ago(revision, first_report=30, last_report=1, last_call=30)
    assert scene.deliver(A, B, groups=A_WAKES_B) == Delivered(taken=2)
    assert scene.census().pending == 0


def test_a_keep_that_comes_to_an_awake_revision_has_its_company_kept_too(scene: Scene) -> None:
    """Its waking has long begun, and nobody else would start them."""
    called(scene)
    scene.deliver(A)
    scene.ago(A, first_report=30, last_report=2, last_call=2)
    scene.begin("hand", Start(A, keep_for=60))
    assert scene.deliver(A, groups=A_WAKES_B).reported == 2


def test_it_is_kept_with_what_its_cluster_scales_it_by(scene: Scene) -> None:
    """By requests, where those count."""
    scene.cluster.scaled_by[A] = Scaling("rps", 100.0)
    scene.begin("hand", Start(A, keep_for=60, pods=3))
    scene.deliver(A)
    assert [(one.concurrency, one.requests) for one in scene.reports()] == [(0.001, 250)]
    assert scene.census().settled_calls == 1


def test_a_repeat_of_what_is_kept_is_delivered_however_old_its_last_call(scene: Scene) -> None:
    """The calls that are too old are buried, and it is kept all the same."""
    scene.begin("hand", Start(A, keep_for=3_600))
    scene.deliver(A)
    scene.ago(A, first_report=900, last_report=1, last_call=900)
    assert scene.deliver(A).reported == 1
    scene.record(entry(A, 2, age=400))
    scene.ago(A, last_call=400)
    assert scene.deliver(A).buried == 1
    scene.make_due(A)
    assert scene.deliver(A).reported == 1
    assert [letter.calls for letter in scene.letters()] == [2]


def test_a_start_is_delivered_once_the_autoscaler_is_back_or_buried(scene: Scene) -> None:
    """As a call is: once, or as expired, with what started it; nothing is recorded again."""
    scene.begin("schedule office", Start(A, keep_for=3_600), Start(B))
    scene.autoscaler.available = False
    with pytest.raises(AutoscalerUnavailable):
        scene.deliver(A, B)
    scene.autoscaler.available = True
    scene.make_due(A)
    scene.ago(B, last_call=301)
    assert scene.deliver(A, B) == Delivered(taken=2, reported=1, buried=1)
    assert [(one.key, one.requests) for one in scene.reports()] == [("shop/a", 1)]
    assert [(one.revision, one.reason, one.callers) for one in scene.letters()] == [(B, "expired", {"schedule office": 1})]
    assert (scene.census().recorded_calls, scene.census().settled_calls) == (2, 1)


def test_a_plan_is_delivered_by_a_sweeps_doorbell(scene: Scene) -> None:
    """The sweep records it, and rings as for any other."""
    scene.begin("hand", Start(A, at=4_000_000_000))
    scene.client.zadd("{wakequeue}:planned", {"shop/a 4000000000000 hand": 1}, xx=True)
    assert scene.ledger.sweep(QUEUE).due == [A]
    assert scene.deliver(A, codec=ProtobufCodec()).reported == 1
