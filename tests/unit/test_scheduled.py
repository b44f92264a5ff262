"""One start of a schedule, with time as an argument: whom it means, who is left out, and what the ledger is told."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from kombu.exceptions import OperationalError
from support.fakes import FakeCluster
from support.starts import FakeStarts

from wakequeue.cluster.knowledge import Application, Cluster, Unknown
from wakequeue.errors import LedgerUnavailable
from wakequeue.ledger import Start
from wakequeue.revision import Revision
from wakequeue.schedule import Schedule
from wakequeue.setting_schedules import Schedules
from wakequeue.settings import Settings
from wakequeue.telemetry import WORKER
from workers.scheduled import Scheduled, Started

A, B = Revision("shop", "a-00001"), Revision("shop", "b-00001")
NOW = 1_000_000.0


@dataclass
class Site:
    """A ledger, a cluster of which a test says what is known, and what was rung."""

    cluster: Cluster = field(default_factory=Unknown)
    ledger: FakeStarts = field(default_factory=lambda: FakeStarts(now=NOW))
    rung: list[Revision] = field(default_factory=list)

    def start(self, *wakes: str, at: float = NOW, schedule: dict[str, Any] | None = None, **settings: object) -> Started:
        """Make the start of the schedule `office`, which wakes these; without any there is no such schedule."""
        office = Schedule("office", wakes, every=60.0, **schedule or {})
        told: Any = {"schedules": Schedules({"office": office} if wakes else {})} | settings
        key = office.key(ZoneInfo("UTC")) if wakes else "office"
        return Scheduled(self.ledger, self.ring, self.cluster, Settings(**told)).start(key, at)

    def ring(self, revisions: Sequence[Revision]) -> int:
        """Remember who was rung for."""
        self.rung += revisions
        return 1

    @property
    def made(self) -> list[float]:
        """The starts that the ledger made or buried, by their times."""
        return [one.at for one in (*self.ledger.made, *self.ledger.buried)]


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """What wakequeue logs."""
    caplog.set_level(logging.INFO, logger="wakequeue")
    return caplog


def known(*revisions: Revision) -> FakeCluster:
    """A cluster with these, each of an application of its own."""
    cluster = FakeCluster()
    for one in revisions:
        cluster.is_at_zero(one)
        key = str(one).removesuffix("-00001")
        cluster.apps[key] = Application(key, (one,))
    return cluster


def test_keys_need_no_cluster(log: pytest.LogCaptureFixture) -> None:
    """What is named by its key starts at once: it is told to the ledger once, with what the schedule says, and rung for."""
    site = Site()
    kept: dict[str, Any] = {"keep_for": 600.0, "pods": 3}
    assert site.start(str(B), str(A), str(B), schedule=kept) == Started(started=2)
    assert site.ledger.starts == [Start(A, NOW, 600, 3), Start(B, NOW, 600, 3)]
    assert site.rung == [A, B]
    assert log.messages == ["scheduled schedule=office at=1000000 late=0.0 started=2 planned=0 missed=0 left_out=0"]


def test_a_start_that_was_made_is_not_made_again() -> None:
    """A task that comes twice, or late, changes nothing, and rings for no one."""
    site = Site()
    assert [site.start(str(A), at=at).started for at in (NOW, NOW, NOW - 60)] == [1, 0, 0]
    assert (site.made, site.rung) == ([NOW], [A])


def test_jitter_puts_each_off_by_its_own_delay() -> None:
    """With jitter each Revision starts some seconds late; whoever makes the start, it is the same."""
    site, other = Site(), Site()
    for one in (site, other):
        assert one.start(str(A), str(B), schedule={"jitter": 30.0}) == Started(planned=2)
    delays = [one.at - NOW for one in site.ledger.starts]
    assert all(0 < delay < 30 for delay in delays)
    assert len(set(delays)) == 2
    assert site.ledger.starts == other.ledger.starts


def test_who_may_not_wake_or_is_gone_is_left_out(log: pytest.LogCaptureFixture) -> None:
    """The others start; those are counted, by why, and said."""
    site = Site(known(A, B))
    gone, denied = Revision("shop", "c-00001"), Revision("kube-system", "dns-00001")
    before = WORKER.get_sample_value("wakequeue_left_out_total", {"reason": "denied"}) or 0
    names = map(str, (A, gone, denied))
    assert site.start(*names, denied_namespaces=["kube-*"]) == Started(started=1, left_out=2)
    assert site.rung == [A]
    assert WORKER.get_sample_value("wakequeue_left_out_total", {"reason": "denied"}) == before + 1
    assert log.messages[:2] == [
        "left_out schedule=office revisions=1 first=kube-system/dns-00001 reason=denied",
        "left_out schedule=office revisions=1 first=shop/c-00001 reason=gone",
    ]


def test_if_all_are_left_out_the_start_is_made_all_the_same() -> None:
    """There is nothing to be asked again."""
    site = Site()
    assert site.start(str(A), namespaces=["other"]) == Started(left_out=1)
    assert (site.made, site.rung) == ([NOW], [])


def test_patterns_mean_what_the_cluster_knows() -> None:
    """A pattern means the Revisions of the applications that it matches; one that matches none makes a start of nothing."""
    site = Site(known(A, B))
    assert site.start("shop/a*").started == 1
    assert site.start("other/*", at=NOW + 60) == Started()
    assert (site.rung, site.made) == ([A], [NOW, NOW + 60])


def test_without_a_cluster_a_pattern_means_nobody(log: pytest.LogCaptureFixture) -> None:
    """And none is to come: the start is made, and it is said."""
    site = Site()
    assert site.start("shop/*", str(A)).started == 1
    assert site.start("shop/*", at=NOW + 60) == Started()
    assert site.made == [NOW, NOW + 60]
    assert f"start_unknown schedule=office wakes=shop/*,{A}" in log.messages
    assert "start_unknown schedule=office wakes=shop/*" in log.messages


@pytest.mark.parametrize("name", ["shop/a", "shop/*"])
def test_a_cluster_that_is_to_be_listed_is_waited_for(name: str, log: pytest.LogCaptureFixture) -> None:
    """Asked again, the start is made of whom the names mean then: a key may be an application's."""
    site = Site(FakeCluster())
    site.ledger.now = NOW + 150
    assert site.start(name, at=NOW) == Started()
    assert (site.made, log.messages) == ([], [f"start_unknown schedule=office wakes={name}"])
    site.cluster = known(A)
    assert site.start(name, at=NOW).started == 1
    assert site.rung == [A]


def test_a_cluster_that_is_away_for_long_keeps_no_revision_from_starting() -> None:
    """Once half of the time is over in which a start is made up, keys are read as Revisions'."""
    site = Site(FakeCluster())
    site.ledger.now = NOW + 151
    assert site.start(str(A), "shop/*", at=NOW).started == 1
    assert (site.rung, site.made) == ([A], [NOW])


def test_a_schedule_that_only_newer_settings_have_is_asked_for_again(log: pytest.LogCaptureFixture) -> None:
    """Another worker may have it. Until it is too late: then it is over, and the next one's turn."""
    site = Site()
    site.ledger.now = NOW + 300
    assert site.start(at=NOW) == Started()
    assert (site.made, log.messages) == ([], ["start_unknown schedule=office wakes=''"])
    site.ledger.now = NOW + 301
    assert site.start(at=NOW) == Started()
    assert (site.made, site.ledger.starts) == ([NOW], [])


def test_a_start_that_is_too_late_is_the_ledgers_to_bury() -> None:
    """However late, it is told of, and its dead letter is counted."""
    site = Site()
    before = WORKER.get_sample_value("wakequeue_buried_total", {"reason": "expired"}) or 0
    assert site.start(str(A), at=NOW - 3600) == Started(missed=1)
    assert WORKER.get_sample_value("wakequeue_buried_total", {"reason": "expired"}) == before + 1
    assert WORKER.get_sample_value("wakequeue_schedules") == 1
    assert [(one.schedule, one.at) for one in site.ledger.buried] == [("office", NOW - 3600)]
    assert site.ledger.revisions() == [A]


def test_without_redis_it_is_for_another_time(log: pytest.LogCaptureFixture) -> None:
    """Where the ledger is away that is raised; where only the doorbell is lost the start is made, and the sweep rings."""
    site = Site()
    site.ledger.away = True
    with pytest.raises(LedgerUnavailable):
        site.start(str(A))
    site.ledger.away = False

    def lost(_revisions: Sequence[Revision]) -> int:
        raise OperationalError("away")

    site.ring = lost  # type: ignore[method-assign]
    assert site.start(str(A)).started == 1
    assert log.messages[-1] == "doorbell_lost error=away"
