"""Flower's pages show our tasks so that they are read at a glance, and those of others as they are."""

import pytest
from celery.events.state import Task

from workers.flower_tasks import format_task


@pytest.mark.parametrize(
    ("args", "shown"),
    [
        ("(1 Revision: shop/cart)", "1 Revision: shop/cart"),
        ("(3 Revisions: shop/cart, shop/web, shop/pay)", "3 Revisions: shop/cart, shop/web, shop/pay"),
        ("(4 Revisions: shop/cart, shop/web, shop/pay, shop/mail)", "4 Revisions: shop/cart, shop/web, shop/pay, ..."),
        ("(256 Revisions: shop/cart, shop/web, shop/pay, sho", "256 Revisions: shop/cart, shop/web, shop/pay, ..."),
        ("(office, 2026-11-30 08:55:00+01:00)", "office, 2026-11-30 08:55:00+01:00"),
        ("(['shop/cart'],)", "['shop/cart'],"),
        (None, ""),
    ],
)
def test_arguments(args: str | None, shown: str) -> None:
    """A doorbell is shown as the number of its Revisions and the first of them, a start as its schedule and time."""
    assert format_task(Task(uuid="1", args=args)).args == shown


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        ("{'taken': 2, 'reported': 2, 'buried': 0, 'lost': 0, 'delayed': 0}", "taken 2, reported 2"),
        ("{'started': 0, 'planned': 1, 'missed': 0, 'left_out': 3}", "planned 1, left out 3"),
        ("{'taken': 0, 'reported': 0}", "nothing was due"),
        ("'a word'", "'a word'"),
        ("{'taken': 2, 'rep...", "{'taken': 2, 'rep..."),
        (None, None),
    ],
)
def test_results(result: str | None, shown: str | None) -> None:
    """A result is shown as the numbers in it that aren't 0; anything else as it is."""
    assert format_task(Task(uuid="1", result=result)).result == shown
