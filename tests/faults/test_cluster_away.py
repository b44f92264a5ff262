"""Access to the Kubernetes API is lost and comes back while calls go on: what is woken meanwhile, and when all is known again."""

import itertools
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from faults.conftest import Trial, mutant
from support.cluster import Cluster
from support.envoy_caller import check
from support.fault import Row
from support.installation import Running
from support.rounds import Rounds, by_host, by_name
from support.site import Site
from support.waiting import wait_until

#: A list or a watch is tried again within 2 s, and counts once it has lasted for half a second; more, on a busy machine.
RECOVERED_WITHIN = 5.0

#: From when on nothing is believed that was known before: a connection that ends is noticed, one on which nothing comes after 40 s.
DOUBTED_AFTER = {"gone": 4.0, "hung": 44.0}

#: Each is checked once in so many seconds.
CALL_EVERY = 0.25

#: By what they are called, and which Revisions that may mean, before, meanwhile or after.
HOSTS = {
    "ready": {"shop/ready-1"},
    "asleep": {"shop/asleep-1"},
    "rising": {"shop/rising-1"},
    "falling": {"shop/falling-1"},
    "moving": {"shop/moving-1", "shop/moving-2"},
    "leaving": {"shop/leaving-1"},
}
CHECKS = {
    **{host: by_host(f"{host}.shop.example.com") for host in HOSTS},
    "shop/ready-1": by_name("shop/ready-1"),
    "shop/asleep-1": by_name("shop/asleep-1"),
    "nobody": by_host("nobody.example.org"),
}
NEW = "shop/new-1"
MEANT = set.union(*HOSTS.values()) | {NEW}

#: What becomes of a call once all is known again, and which Revisions are woken then.
AFTER = {
    **dict.fromkeys(("ready", "shop/ready-1", "rising"), "passed"),
    **dict.fromkeys(("asleep", "shop/asleep-1", "falling", "moving"), "recorded"),
    **dict.fromkeys(("leaving", "nobody"), "unresolved"),
}
WOKEN_AFTER = ["shop/asleep-1", "shop/asleep-1", "shop/falling-1", "shop/moving-2"]


@dataclass(frozen=True, slots=True)
class Shop:
    """Applications in a cluster, with what is called of them and what becomes of that."""

    site: Site
    cluster: Cluster
    fronts: list[Running]
    worker: Running

    @classmethod
    def on(cls, trial: Trial, folder: Path) -> "Shop":
        """A shop of two fronts and a worker, which know the cluster."""
        folder.mkdir()
        cluster = trial.stack.enter_context(Cluster(folder))
        for host in HOSTS:
            cluster.application(f"shop/{host}", (f"{host}-1", 100))
        cluster.ready("shop/ready-1")
        cluster.ready("shop/falling-1")
        # What becomes of a call is known when it is answered, however long that takes.
        site = Site.on(trial.stack, trial.env | cluster.env | {"WAKEQUEUE_ANSWER_WITHIN": "2s"})
        shop = cls(site, cluster, [site.installation.hook() for _ in range(2)], site.installation.worker())
        cluster.watched(fronts=2)
        return shop

    def changes(self) -> None:
        """What changes while nobody is told."""
        self.cluster.ready("shop/rising-1")
        self.cluster.at_zero("shop/falling-1")
        self.cluster.application("shop/moving", ("moving-2", 100))
        self.cluster.gone("shop/leaving-1")
        self.cluster.application("shop/new", ("new-1", 100))

    def age(self) -> float:
        """How old, in seconds, the oldest is that is known, at any of them."""
        return max(one.metric("wakequeue_cluster_age_seconds") for one in (*self.fronts, self.worker))

    def count(self, name: str, **labels: str) -> int:
        """What the fronts counted."""
        return round(sum(front.metric(f"wakequeue_{name}_total", **labels) for front in self.fronts))

    def settled(self, calls: int) -> int:
        """How many of these calls were recorded, once it is known what became of each, and the Autoscaler was told of those."""
        outcomes = "recorded", "passed", "unresolved"
        wait_until(lambda: sum(map(self.count, outcomes)) == calls, 5, f"what became of {calls} calls")
        recorded = self.count("recorded")
        assert self.site.settled(recorded, within=5).drift_calls == 0
        return recorded


@mutant(
    "readiness is believed however old it is",
    "wakequeue/cluster/mirror.py",
    "return self._reflectors[collection].age() <= BELIEVED_SECONDS",
    "return True",
)
def test_an_outage_of_the_api(trial: Trial, tmp_path: Path) -> None:
    """Gone, or hung: what is recorded is delivered, nothing else is woken, and on its return all is known as it is."""
    seconds = 8 if trial.mutant else 60 if trial.full else 30
    ways = ("gone",) if trial.mutant else ("gone", "hung")
    with ThreadPoolExecutor() as pool:
        rows = list(pool.map(lambda way: _outage(Shop.on(trial, tmp_path / way), way, seconds), ways))
    for row in map(trial.judge, rows):
        assert (row.lost, row.twice) == (0, 0), row
        assert row.worst_recovery < RECOVERED_WITHIN, row


def _outage(shop: Shop, way: str, seconds: int) -> Row:
    api, stats = shop.cluster.api, shop.site.stats
    lose, give = (api.stop, api.start) if way == "gone" else (api.mute, api.unmute)
    with Rounds([front.grpc_address for front in shop.fronts], CHECKS, CALL_EVERY) as rounds:
        wait_until(lambda: all(rounds.calls(name) > 8 for name in CHECKS), what="calls before")
        lost_at = time.monotonic()
        lose()
        time.sleep(DOUBTED_AFTER["gone"])
        shop.changes()
        rounds.add(NEW, by_name(NEW))
        time.sleep(lost_at + seconds - time.monotonic())
        back_at = time.time()
        give()
        wait_until(lambda: shop.age() == 0, 2 * RECOVERED_WITHIN, "all watched again")
        recovery = time.time() - back_at
    assert rounds.failed == []
    assert rounds.slowest < 4
    recorded, told = shop.settled(rounds.calls()), stats.requests()
    doubted = rounds.calls("falling", since=lost_at + DOUBTED_AFTER[way])
    assert told["shop/falling-1"] >= doubted, f"went to zero: of {doubted} calls since, {told['shop/falling-1']} were reported"
    assert told["shop/asleep-1"] == rounds.calls("asleep", "shop/asleep-1")
    assert told["shop/moving-1"] + told["shop/moving-2"] == rounds.calls("moving")
    assert told.keys() <= MEANT, f"nobody called {told.keys() - MEANT}"
    for front, (name, outcome) in itertools.product(shop.fronts, AFTER.items()):
        before = front.metric("wakequeue_calls_total", outcome=outcome)
        check(front.grpc_address, CHECKS[name])
        assert front.metric("wakequeue_calls_total", outcome=outcome) == before + 1, f"{name} is not {outcome}"
    shop.settled(rounds.calls() + len(AFTER) * len(shop.fronts))
    assert stats.requests() - told == Counter(WOKEN_AFTER * len(shop.fronts))
    assert any(one.stat.concurrency >= 1 for one in stats.of("shop/falling-1") if one.at > back_at)
    row_of, reported = {"": recorded}, {"": told.total()}
    return Row.of(f"Kubernetes API {way} for {seconds} s", 1, recorded=row_of, reported=reported, worst_recovery=recovery)
