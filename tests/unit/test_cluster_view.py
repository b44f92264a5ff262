"""The view of a cluster: whatever the order in which changes arrive, it is the one that a fresh list would give."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wakequeue.cluster.knowledge import Application, Readiness, Scaling
from wakequeue.cluster.mirrored import Collection
from wakequeue.cluster.objects import Endpoints, EndpointSlice, RevisionObject
from wakequeue.cluster.routes import DomainMapping, Hosts, Mapped, Route
from wakequeue.cluster.scaled import PodAutoscaler, Scaled
from wakequeue.cluster.view import View
from wakequeue.revision import Revision

REVISIONS = [Revision("shop", name) for name in ("a", "b", "c")]
HOSTS = ["one.example", "two.example", "three.example"]
KEYS = ["shop/a", "shop/b", "shop/c"]

A, B, C = (Application(key, (revision,)) for key, revision in zip(KEYS, REVISIONS, strict=True))

behind = st.lists(st.sampled_from(REVISIONS), min_size=1, max_size=2, unique=True).map(tuple)
hosts = st.dictionaries(st.sampled_from(HOSTS), behind, max_size=2).map(lambda hosts: tuple(hosts.items()))
applications = st.builds(Application, st.sampled_from(KEYS), st.just(()) | behind, st.sampled_from([(), ("shop/b",)]))
KEPT: dict[Collection, st.SearchStrategy[Any]] = {
    Route: st.builds(Hosts, applications, hosts),
    DomainMapping: st.builds(Mapped, st.sampled_from(HOSTS), st.sampled_from(KEYS)),
    RevisionObject: st.sampled_from(["", "Deploying"]),
    PodAutoscaler: st.builds(
        Scaled, st.sampled_from(["", "Queued", "Deploying"]), st.sampled_from([None, Scaling("rps", 140.0), Scaling("rps", 7.0)])
    ),
    EndpointSlice: st.builds(Endpoints, st.sampled_from(REVISIONS), st.booleans()),
}


@dataclass
class Clock:
    """A clock that a test sets."""

    now: float = 100.0

    def __call__(self) -> float:
        """Return its time."""
        return self.now


@dataclass
class History:
    """All that became of a collection: its changes in order, and the place to which a reflector has heard of them."""

    changes: list[tuple[str, Any]]
    heard: int = 0

    def state(self, until: int) -> Mapping[str, Any]:
        """All objects after so many changes."""
        return {key: kept for key, kept in dict(self.changes[:until]).items() if kept is not None}


def seen(view: View) -> object:
    """Return all that can be asked of a view."""
    return (
        [view.behind(host) for host in HOSTS],
        [view.exists(revision) for revision in REVISIONS],
        [view.readiness(revision).ready for revision in REVISIONS],
        [view.complaints(revision) for revision in REVISIONS],
        [view.size(collection) for collection in KEPT],
        sorted(view.applications()),
        [view.application(key) for key in KEYS],
        [view.applications_of(revision) for revision in REVISIONS],
        [view.scaling(revision) for revision in REVISIONS],
    )


def listed(view: View, collection: Collection, state: Mapping[str, Any]) -> set[Revision]:
    """Have a view told of a list; return the Revisions that became ready."""
    became_ready: set[Revision] = set()
    for key, kept in state.items():
        became_ready |= view.put(collection, key, kept)
    view.keep(collection, state.keys())
    return became_ready


@given(st.data())
def test_it_converges_to_a_fresh_list(data: st.DataObject) -> None:
    """Changes of five collections, told one by one or skipped by a new list, in any order across them: the end is the same."""
    histories = {
        collection: History(data.draw(st.lists(st.tuples(st.sampled_from(KEYS), st.none() | kept), max_size=8)))
        for collection, kept in KEPT.items()
    }
    view = View(Clock())
    while unheard := [one for one, history in histories.items() if history.heard < len(history.changes)]:
        collection = data.draw(st.sampled_from(unheard))
        history = histories[collection]
        before = {one for one in REVISIONS if view.readiness(one).ready}
        if data.draw(st.booleans()):
            became_ready = view.put(collection, *history.changes[history.heard])
            history.heard += 1
        else:
            history.heard = data.draw(st.integers(history.heard + 1, len(history.changes)))
            became_ready = listed(view, collection, history.state(history.heard))
        after = {one for one in REVISIONS if view.readiness(one).ready}
        if collection is not EndpointSlice:
            assert not became_ready
        assert after - before <= became_ready
    fresh = View(Clock())
    for collection, history in histories.items():
        listed(fresh, collection, history.state(len(history.changes)))
    assert seen(view) == seen(fresh)


def test_a_host_that_several_claim() -> None:
    """The first by its key has it, whoever claimed it first; once it is gone, the next one has it."""
    one, two, three = REVISIONS
    view = View(Clock())
    for application in (B, A):
        view.put(Route, application.key, Hosts(application, (("one.example", application.revisions),)))
    view.put(DomainMapping, "shop/one.example", Mapped("one.example", "shop/c"))
    view.put(Route, "shop/c", Hosts(C, ()))
    assert view.behind("one.example") == (one,)
    view.put(Route, "shop/a", None)
    assert view.behind("one.example") == (two,)
    view.put(Route, "shop/b", None)
    assert view.behind("one.example") == (three,), "a Route's own host comes before one that is mapped"
    view.put(Route, "shop/c", None)
    assert view.behind("one.example") == ()


def test_a_revision_is_ready_while_one_of_its_slices_is() -> None:
    """It becomes ready once, with the first ready slice, is that until the last one is not, and knows for how long."""
    clock, (one, *_) = Clock(), REVISIONS
    view = View(clock)
    assert view.readiness(one) == Readiness(ready=False, seconds=0.0)
    assert view.put(EndpointSlice, "shop/x", Endpoints(one, ready=False)) == set()
    assert view.put(EndpointSlice, "shop/x", Endpoints(one, ready=True)) == {one}
    clock.now += 2
    assert view.put(EndpointSlice, "shop/y", Endpoints(one, ready=True)) == set()
    assert view.put(EndpointSlice, "shop/x", None) == set()
    assert view.readiness(one) == Readiness(ready=True, seconds=2.0)
    assert view.put(EndpointSlice, "shop/y", Endpoints(one, ready=False)) == set()
    assert view.readiness(one) == Readiness(ready=False, seconds=0.0)
    assert view.put(EndpointSlice, "shop/z", Endpoints(one, ready=True)) == {one}
    assert view.readiness(one) == Readiness(ready=True, seconds=0.0)
    view.keep(EndpointSlice, {"shop/x"})
    assert not view.readiness(one).ready


def test_the_applications_of_a_revision() -> None:
    """Those that have it, by their keys; while it has none, there is none."""
    one, two, _ = REVISIONS
    view = View(Clock())
    assert view.applications_of(one) == ()
    split = Application("shop/c", (two, one), ("shop/a",))
    for application in (split, A, B):
        view.put(Route, application.key, Hosts(application, ()))
    assert view.applications_of(one) == (A, split)
    assert view.applications_of(two) == (B, split)
    view.put(Route, "shop/a", Hosts(moved := Application("shop/a", (two,)), ()))
    assert view.applications_of(one) == (split,)
    assert view.applications_of(two) == (moved, B, split)
    view.keep(Route, {"shop/a"})
    assert (view.applications_of(one), view.applications_of(two)) == ((), (moved,))
    assert view.applications() == [moved]


def test_it_can_be_asked_while_another_thread_changes_it() -> None:
    """No answer fails, and none has an application that isn't the Revision's."""
    one, two, _ = REVISIONS
    view, over = View(Clock()), threading.Event()

    def change() -> None:
        while not over.is_set():
            for number, revision in enumerate((one, two, one) * 100):
                application = Application(f"shop/{number % 200}", (revision,))
                view.put(Route, application.key, Hosts(application, (("one.example", (revision,)),)))
            view.keep(Route, set())

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(3_000):
            assert all(one in application.revisions for application in view.applications_of(one))
            assert len(view.applications()) <= 200
            assert view.behind("one.example") in {(), (one,), (two,)}
    finally:
        over.set()
        thread.join()


def test_complaints_of_both_are_told() -> None:
    """What the PodAutoscaler says comes first, and what both say once."""
    view = View(Clock())
    view.put(RevisionObject, "shop/a", "ImagePullBackOff: no such image")
    assert view.complaints(REVISIONS[0]) == "ImagePullBackOff: no such image"
    view.put(PodAutoscaler, "shop/a", Scaled("Queued: waits", None))
    assert view.complaints(REVISIONS[0]) == "Queued: waits; ImagePullBackOff: no such image"
    view.put(PodAutoscaler, "shop/a", Scaled("ImagePullBackOff: no such image", None))
    assert view.complaints(REVISIONS[0]) == "ImagePullBackOff: no such image"
    assert view.complaints(REVISIONS[1]) == ""
