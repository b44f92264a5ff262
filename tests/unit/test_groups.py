"""Who wakes with whom: by the setting, by annotations, and within bounds."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from support.fakes import FakeCluster

from wakequeue.allowed import may_wake
from wakequeue.cluster.knowledge import Application, Unknown
from wakequeue.groups import Groups
from wakequeue.named import revisions_of
from wakequeue.revision import Revision
from wakequeue.settings import Settings

WEB, CANARY, CART, TILL, STOCK = (Revision("shop", name) for name in ("web-1", "web-2", "cart-1", "till-1", "stock-1"))
KEYS = ["shop/web", "shop/cart", "shop/till", "bank/web", "shop/web-1", "shop/web-2", "shop/cart-1", "shop/till-1", "bank/web-1"]
REVISIONS = [Revision.parse(key) for key in KEYS if key.endswith(("1", "2"))]

some_keys = st.lists(st.sampled_from(KEYS), max_size=3).map(tuple)


def settings(groups: dict[str, tuple[str, ...]], **given: Any) -> Settings:  # noqa: ANN401  any setting
    """Return settings with these groups."""
    return Settings(groups=groups, **given)


def shop() -> FakeCluster:
    """Return a cluster with one Revision of each application, and a canary."""
    made = FakeCluster()
    for one in (WEB, CANARY, CART, TILL, STOCK):
        made.is_at_zero(one)
    for name, revisions in (("web", (WEB, CANARY)), ("cart", (CART,)), ("till", (TILL,)), ("stock", (STOCK,))):
        made.apps[f"shop/{name}"] = Application(f"shop/{name}", revisions)
    return made


def test_what_wakes_with_a_revision() -> None:
    """What its own key says comes first, then its application's in the settings, then the annotation's; a split has all."""
    cluster = shop()
    cluster.apps["shop/cart"] = Application("shop/cart", (CART,), ("shop/web", "shop/till"))
    made = {"shop/cart-1": ("shop/stock-1",), "shop/cart": ("shop/till",)}
    assert Groups(settings(made), cluster).of(CART) == [STOCK, TILL, WEB, CANARY]
    assert Groups(settings(made, split="largest"), cluster).of(CART) == [STOCK, TILL, WEB]
    assert Groups(settings(made), cluster).of(TILL) == []


def test_those_that_wake_wake_others_in_turn() -> None:
    """The nearest come first, as far as the depth, and as many as the size; in a cycle nobody wakes twice, or with itself."""
    ring = {"shop/web": ("shop/cart",), "shop/cart": ("shop/till", "shop/stock"), "shop/till": ("shop/web",)}
    assert Groups(settings(ring), shop()).of(WEB) == [CART, TILL, STOCK, CANARY]
    assert Groups(settings(ring, group_depth=2), shop()).of(WEB) == [CART, TILL, STOCK]
    assert Groups(settings(ring, group_depth=1), shop()).of(WEB) == [CART]
    assert Groups(settings(ring, group_size=2), shop()).of(WEB) == [CART, TILL]


def test_who_may_not_wake_is_left_out() -> None:
    """So is who is known not to exist; and neither wakes anybody."""
    chain = {"shop/web": ("bank/vault-1", "shop/gone-1"), "bank/vault-1": ("shop/till",), "shop/gone-1": ("shop/stock",)}
    cluster = shop()
    cluster.is_at_zero(Revision("bank", "vault-1"))
    assert Groups(settings(chain, denied_namespaces=("bank",)), cluster).of(WEB) == []
    assert Groups(settings(chain), cluster).of(WEB) == [Revision("bank", "vault-1"), TILL]
    cluster.away = True
    assert STOCK in Groups(settings(chain), cluster).of(WEB), "whether it exists isn't known any more"


def test_without_a_cluster_groups_are_of_revisions() -> None:
    """Keys are Revisions', as they read."""
    pair = {"shop/web-1": ("shop/cart-1",), "shop/cart-1": ("shop/web-1",)}
    assert Groups(settings(pair), Unknown()).of(WEB) == [CART]
    assert Groups(settings({}), Unknown()).of(WEB) == []


@given(
    groups=st.dictionaries(st.sampled_from(KEYS), some_keys, max_size=5),
    shares=st.lists(st.lists(st.sampled_from(REVISIONS), max_size=2, unique=True).map(tuple), min_size=4, max_size=4),
    wakes=st.lists(some_keys, min_size=4, max_size=4),
    existing=st.sets(st.sampled_from(REVISIONS)),
    depth=st.integers(1, 4),
    size=st.integers(1, 4),
    denied=st.sampled_from([(), ("bank",)]),
    split=st.sampled_from(["all", "largest"]),
)
def test_groups_of_any_shape(  # noqa: PLR0913  what a group depends on
    *,
    groups: dict[str, tuple[str, ...]],
    shares: list[tuple[Revision, ...]],
    wakes: list[tuple[str, ...]],
    existing: set[Revision],
    depth: int,
    size: int,
    denied: tuple[str, ...],
    split: str,
) -> None:
    """All that can be reached in so many steps wake, the nearest first, or as many of them as there may be."""
    cluster = FakeCluster()
    for one in existing:
        cluster.is_at_zero(one)
    cluster.apps = {key: Application(key, *rest) for key, *rest in zip(KEYS, shares, wakes, strict=False)}
    set_so = settings(groups, group_depth=depth, group_size=size, denied_namespaces=denied, split=split)
    for source in REVISIONS:
        found = Groups(set_so, cluster).of(source)
        steps = reached(source, set_so, cluster)
        assert len(found) == len(set(found)) == min(size, len(steps))
        assert [steps[one] for one in found] == sorted(steps.values())[:size]
        assert found == Groups(set_so, cluster).of(source)


def reached(source: Revision, set_so: Settings, cluster: FakeCluster) -> dict[Revision, int]:
    """Return in how many steps Revisions are reached, by going on from all of them until nothing is new."""
    steps = {source: 0}
    for step in range(1, set_so.group_depth + 1):
        for key, keys in [*set_so.groups.items(), *((one.key, one.wakes) for one in cluster.apps.values())]:
            froms = {one for one in steps if str(one) == key or one in getattr(cluster.apps.get(key), "revisions", ())}
            if any(steps[one] < step for one in froms):
                for to in (one for name in keys for one in revisions_of(name, cluster, largest=set_so.split == "largest")):
                    if may_wake(to.namespace, set_so) and cluster.exists(to) is not False:
                        steps.setdefault(to, step)
    del steps[source]
    return steps
