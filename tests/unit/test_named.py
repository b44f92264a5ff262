"""Which Revisions names mean, by what the cluster knows."""

import pytest
from support.fakes import FakeCluster

from wakequeue.cluster.knowledge import Application, Unknown
from wakequeue.named import revisions_named
from wakequeue.revision import Revision

OLD, WEB, CANARY, CART, OTHER = map(
    Revision.parse, ("shop/web-00001", "shop/web-00002", "shop/web-00003", "shop/cart-00007", "bank/web-00001")
)


@pytest.fixture
def cluster() -> FakeCluster:
    """A shop with a split application, another one, and an old Revision without traffic; and a bank."""
    made = FakeCluster()
    for one in (OLD, WEB, CANARY, CART, OTHER):
        made.is_at_zero(one)
    for key, revisions in (("shop/web", (WEB, CANARY)), ("shop/cart", (CART,)), ("bank/web", (OTHER,)), ("shop/new", ())):
        made.apps[key] = Application(key, revisions)
    return made


@pytest.mark.parametrize(
    ("names", "all_shares", "largest"),
    [
        (["shop/web"], [WEB, CANARY], [WEB]),
        (["shop/web-00001"], [OLD], [OLD]),
        (["shop/never"], [Revision("shop", "never")], [Revision("shop", "never")]),
        (["shop/new"], [], []),
        (["shop/*"], [CART, WEB, CANARY], [CART, WEB]),
        (["*/web"], [OTHER, WEB, CANARY], [OTHER, WEB]),
        (["*/web-0000?"], [OTHER, WEB, CANARY], [OTHER, WEB]),
        (["shop/web-0000[13]"], [CANARY], []),
        (["shop/*-00001"], [], []),
        (["shop/web", "shop/c*", "shop/web-00002", "shop/web"], [CART, WEB, CANARY], [CART, WEB]),
        ([], [], []),
    ],
)
def test_what_names_mean(cluster: FakeCluster, names: list[str], all_shares: list[Revision], largest: list[Revision]) -> None:
    """In order, each once; a pattern never means a Revision without traffic, and a key means any that is there, or may be."""
    assert revisions_named(names, cluster, largest=False) == all_shares
    assert revisions_named(names, cluster, largest=True) == largest


def test_a_revision_comes_before_an_application_of_its_name(cluster: FakeCluster) -> None:
    """What is known to be a Revision is meant, though an application has the same key."""
    cluster.apps["shop/web-00001"] = Application("shop/web-00001", (CART,))
    assert revisions_named([str(OLD)], cluster, largest=False) == [OLD]
    cluster.is_gone(OLD)
    assert revisions_named([str(OLD)], cluster, largest=False) == [CART]


@pytest.mark.parametrize("unlisted", [FakeCluster(), Unknown()])
def test_where_nothing_is_known(unlisted: FakeCluster | Unknown) -> None:
    """A key is read as a Revision's; a pattern means nothing."""
    assert revisions_named(["shop/web", "shop/*"], unlisted, largest=False) == [Revision("shop", "web")]


def test_an_application_leads_where_it_led_while_the_cluster_is_away(cluster: FakeCluster) -> None:
    """What was heard last of applications counts."""
    cluster.away = True
    assert revisions_named(["shop/web", "shop/c*"], cluster, largest=False) == [CART, WEB, CANARY]


@pytest.mark.parametrize("name", ["shop", "Shop/Web", "shop/web/1", "shop/-"])
def test_a_name_that_is_none(cluster: FakeCluster, name: str) -> None:
    """It can't mean a Revision."""
    with pytest.raises(ValueError, match="is not"):
        revisions_named([name], cluster, largest=False)
