"""Digests of the settings that must be the same everywhere."""

import pytest

from wakequeue.alike import ALIKE, LIMITS, digests
from wakequeue.setting_sources import load
from wakequeue.settings import Settings

SCHEDULES = '{"office": {"cron": "55 8 * * *", "zone": "Europe/Berlin", "wakes": ["shop/auth"]}}'


def unlike(**environ: str) -> set[str]:
    """Which digests of a worker are not those of the defaults."""
    theirs, ours = digests(load(environ), "worker"), digests(Settings(), "worker")
    return {name for name in ours if ours[name] != theirs[name]}


def test_every_name_is_a_setting() -> None:
    """And each role has some."""
    assert ALIKE.keys() <= set(Settings.__struct_fields__)
    assert all(digests(Settings(), role) for role in ("hook", "worker", "beat"))


@pytest.mark.parametrize(
    ("name", "value"),
    [("idle_after", "5.5"), ("schedules", SCHEDULES), ("groups", '{"shop/auth": ["shop/cart"]}'), ("knative_release", "0.9")],
)
def test_another_value_is_another_digest(name: str, value: str) -> None:
    """Of that setting alone, also where its value has a word that could be a secret's name."""
    assert unlike(**{f"WAKEQUEUE_{name.upper()}": value + ("s" if name == "idle_after" else "")}) == {name}


def test_limits_are_what_they_come_to() -> None:
    """One that is said, and one that follows from others, are the same."""
    names = dict(zip(LIMITS, Settings().limits, strict=True))
    assert not unlike(**{f"WAKEQUEUE_{name.upper()}": str(value) for name, value in names.items()})
    assert unlike(WAKEQUEUE_RATE_LIMIT="500") == set(LIMITS)


@pytest.mark.parametrize(
    ("name", "written", "otherwise"),
    [
        ("namespaces", '["shop", "team-*"]', '["team-*", "shop", "shop"]'),
        ("groups", '{"shop/a": ["shop/b"], "shop/c": ["shop/d"]}', '{"shop/c": ["shop/d"], "shop/a": ["shop/b"]}'),
    ],
)
def test_an_order_that_means_nothing_is_no_difference(name: str, written: str, otherwise: str) -> None:
    """Such as that of patterns, and that of tables."""
    one, other = (digests(load({f"WAKEQUEUE_{name.upper()}": text}), "worker") for text in (written, otherwise))
    assert one == other


def test_an_order_that_counts_is_a_difference() -> None:
    """A schedule goes by what it wakes, as written; of a group the first ones are woken."""
    for name, table in (("schedules", '{"office": {"every": "1h", "wakes": [%s]}}'), ("groups", '{"shop/a": [%s]}')):
        there, back = (table % wakes for wakes in ('"shop/b", "shop/c"', '"shop/c", "shop/b"'))
        one, other = (digests(load({f"WAKEQUEUE_{name.upper()}": text}), "worker") for text in (there, back))
        assert one[name] != other[name]


def test_no_digest_is_of_a_secret() -> None:
    """The endpoint counts without its credentials."""
    with_password = unlike(WAKEQUEUE_AUTOSCALER_ENDPOINT="ws://ann:hunter2@a:1")
    assert with_password == {"autoscaler_endpoint"}
    one, other = (digests(load({"WAKEQUEUE_AUTOSCALER_ENDPOINT": f"ws://ann:{word}@a:1"}), "worker") for word in ("b", "c"))
    assert one == other
