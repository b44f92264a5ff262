"""What a caller of `/wake` wants, and the calls that it makes."""

from typing import Final
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_hook.call import Exact
from gateway_hook.http.request import Headers, Wake
from gateway_hook.http.wake import MOST_REVISIONS, Wanted, wake_call
from wakequeue.by_hand import NAMES, Asked

UTC: Final = ZoneInfo("UTC")
#: 2026-11-30T08:00Z.
NOW: Final = 1_796_025_600.0
CART: Final = ("shop/cart",)


def wanted(query: str = "", key: str = "shop/cart") -> Wanted:
    """Return what is wanted, where the clocks show UTC."""
    return Wanted.read(Wake(key, query), UTC, NOW)


def test_a_revision_by_its_path() -> None:
    """It wakes now, and nothing more is asked for."""
    assert wanted() == Wanted(CART)


def test_revisions_by_the_query() -> None:
    """Each once, in their order."""
    assert wanted("revision=a/b", "") == Wanted(("a/b",), several=True)
    assert wanted("revision=c/d&revision=a%2Fb&revision=c/d", "") == Wanted(("c/d", "a/b"), several=True)
    many = [f"a/r{number}" for number in range(MOST_REVISIONS)]
    assert wanted("&".join(f"revision={key}" for key in many), "").keys == tuple(many)


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("for=10m", Asked(0, 600, 1, UTC)),
        ("at=08:55", Asked(NOW + 55 * 60, 0, 1, UTC)),
        ("at=08%3A55&for=10m&pods=2", Asked(NOW + 55 * 60, 600, 2, UTC)),
        ("at=10:00&zone=Europe/Berlin", Asked(NOW + 3600, 0, 1, ZoneInfo("Europe/Berlin"))),
        ("at=2026-11-30T10:00+01:00", Asked(NOW + 3600, 0, 1, UTC)),
        ("at=2026-11-30T10:00%2B01:00", Asked(NOW + 3600, 0, 1, UTC)),
        ("at=2026-11-30%2010:00", Asked(NOW + 7200, 0, 1, UTC)),
    ],
)
def test_what_is_asked_for(query: str, asked: Asked) -> None:
    """As `wakequeue wake` takes it; and a plus is no space, so that an offset is what it looks like."""
    assert wanted(query) == Wanted(CART, asked)
    assert wanted(f"revision=a/b&{query}", "") == Wanted(("a/b",), asked, several=True)


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("now", "'now' is no parameter here; allowed are for, at, pods, zone"),
        ("fro=10m", "'fro' is no parameter here; allowed are for, at, pods, zone"),
        ("For=10m", "'For' is no parameter here; allowed are for, at, pods, zone"),
        ("revision=a/b", "'revision' is no parameter here; allowed are for, at, pods, zone"),
        ("for=1m&for=1m", "for: it comes twice"),
        ("at=08:55&for=1m&at=09:55", "at: it comes twice"),
        ("pods=2", "pods: only with for, which says for how long so many are kept"),
        ("for", "for = '': allowed is a duration from 1ms to 8784h, such as 500ms, 2s or 5m"),
        ("at=2026-11-30T07:59", "at = '2026-11-30T07:59': that is past"),
        ("at=2026-11-30+10:00", "at = '2026-11-30+10:00': allowed is a time such as"),
    ],
)
def test_what_is_wrong_is_said(query: str, wrong: str) -> None:
    """A parameter that is mistaken is never one that is left out."""
    with pytest.raises(ValueError) as refused:  # noqa: PT011  its text is below
        wanted(query)
    assert str(refused.value).startswith(wrong)


@pytest.mark.parametrize(("query", "times"), [("", 0), ("for=10m", 0), ("&".join(f"revision=a/r{n}" for n in range(101)), 101)])
def test_none_or_too_many(query: str, times: int) -> None:
    """One request names some Revisions, and no more than that."""
    with pytest.raises(ValueError, match=rf"^revision: it comes {times} times; allowed is 1 to 100 times$"):
        wanted(query, "")


QUERIES: Final = st.lists(st.tuples(st.sampled_from(["revision", *NAMES]) | st.text(max_size=9), st.text(max_size=30))).map(
    urlencode
)


@given(QUERIES | st.binary(max_size=60).map(lambda data: data.decode("latin-1")) | st.binary(max_size=60).map(quote))
def test_any_query_is_read_or_refused(query: str) -> None:
    """With words, whatever it says, or whichever bytes it is; and what is wanted is bounded."""
    try:
        count = len(wanted(query, "").keys)
    except ValueError as error:
        count = min(1, len(str(error)))
    assert 1 <= count <= MOST_REVISIONS


def test_the_call_that_wakes_without_a_request() -> None:
    """It is no cold one, and says nothing of a request that it wasn't told of: its own user agent isn't the user's."""
    call = wake_call(Headers({"user-agent": "curl/8", "host": "127.0.0.1"}), "shop/cart")
    assert call.sources == (Exact(b"shop", b"cart"),)
    assert (call.method, call.path, call.host, call.user_agent, call.cold) == ("", "", "", "", False)


def test_the_call_that_tells_of_a_request() -> None:
    """A filter in the gateway says of which request it tells, for the rules."""
    told = {"method": "PUT", "path": "/a?b", "host": "h", "user-agent": "bot"}
    call = wake_call(Headers({f"x-wakequeue-{name}": value for name, value in told.items()}), "shop/cart")
    assert (call.method, call.path, call.host, call.user_agent) == ("PUT", "/a?b", "h", "bot")


@pytest.mark.parametrize("key", ["", "shop", "shop/", "/cart", "a/b/c"])
def test_a_key_that_is_none(key: str) -> None:
    """It names what no Revision is called, or nothing: the resolver says so."""
    (source,) = wake_call(Headers(), key).sources
    assert isinstance(source, Exact)
    assert not source.name or not source.namespace or b"/" in source.name
