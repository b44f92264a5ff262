"""The front's doorbell: what it publishes together, and what becomes of it where that can't be done."""

import threading
import time
from collections.abc import Mapping

import pytest
from kombu.exceptions import OperationalError
from support.waiting import wait_until

from gateway_hook.doorbell import Doorbell
from wakequeue.revision import Revision

A, B, C = (Revision("shop", name) for name in "abc")


class Bell:
    """What was published, each time; the first doorbell takes as long as the test likes."""

    def __init__(self) -> None:
        self.rung: list[dict[Revision, str]] = []
        self.ringing, self.go_on = threading.Event(), threading.Event()

    def ring(self, due: Mapping[Revision, str]) -> int:
        """Publish one."""
        self.rung.append(dict(due))
        self.ringing.set()
        self.go_on.wait(10)
        return 1


def test_the_first_is_rung_at_once_and_what_comes_meanwhile_together() -> None:
    """Each Revision once, with the first trace that came with it; nothing that was given is left when it is closed."""
    bell = Bell()
    doorbell = Doorbell(bell.ring)
    doorbell.ring({A: ""})
    assert bell.ringing.wait(10)
    doorbell.ring({B: ""})
    doorbell.ring({B: "b", C: "c"})
    doorbell.ring({C: "later"})
    bell.go_on.set()
    doorbell.close(10)
    assert bell.rung == [{A: ""}, {B: "b", C: "c"}]
    assert not doorbell.alive


def test_what_comes_soon_after_a_doorbell_is_gathered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quiet front rings at once, and a busy one not for each of its commits."""
    monkeypatch.setattr("gateway_hook.doorbell.AT_ONCE", 2)
    monkeypatch.setattr("gateway_hook.doorbell.EVERY", 0.1)
    bell = Bell()
    bell.go_on.set()
    doorbell = Doorbell(bell.ring)
    began = time.monotonic()
    for number in range(1, 6):
        doorbell.ring({A: ""})
        wait_until(lambda number=number: len(bell.rung) == number, what="a doorbell")
    assert time.monotonic() - began > 3 * 0.1
    doorbell.close(10)


def test_one_that_closes_gathers_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it was given is published at once."""
    monkeypatch.setattr("gateway_hook.doorbell.AT_ONCE", 1)
    monkeypatch.setattr("gateway_hook.doorbell.EVERY", 60.0)
    bell = Bell()
    bell.go_on.set()
    doorbell = Doorbell(bell.ring)
    doorbell.ring({A: ""})
    assert bell.ringing.wait(10)
    doorbell.ring({B: ""})
    doorbell.ring({C: ""})
    doorbell.close(10)
    assert bell.rung == [{A: ""}, {B: "", C: ""}]


def test_one_that_is_lost_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """The sweep rings for what it said; the next one is rung as ever."""
    rung: list[int] = []

    def ring(due: Mapping[Revision, str]) -> int:
        rung.append(len(due))
        raise OperationalError("away")

    doorbell = Doorbell(ring)
    doorbell.ring({A: ""})
    doorbell.ring({B: ""})
    doorbell.close(10)
    assert sum(rung) == 2
    assert "doorbell_lost" in caplog.text
