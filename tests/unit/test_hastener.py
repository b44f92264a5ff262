"""Who hastens, and what the other threads of the worker do that come meanwhile."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import SimpleNamespace
from typing import cast

import pytest

from wakequeue.ledger import WorkerLedger
from workers import hastener as module
from workers.hastener import Hastener


class WaitedFor:
    """A lock that says how many threads came for it."""

    def __init__(self) -> None:
        self._lock, self.came = threading.Lock(), threading.Semaphore(0)

    def __enter__(self) -> None:
        self.came.release()
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class SlowLedger:
    """Hastens so many wake-ups, once another thread waits for that."""

    def __init__(self, hastened: int, come: Callable[[], None]) -> None:
        self._hastened, self._come, self.asked = hastened, come, 0

    def hasten(self, queue: str) -> int:  # noqa: ARG002  as the real one
        """Say how many."""
        self.asked += 1
        self._come()
        return self._hastened


@pytest.mark.parametrize(("hastened", "told"), [(3, None), (0, 1)])
def test_who_waits_for_it_is_told_the_same(hastened: int, told: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is due is in order then, and is not to be taken out of it; where nothing was put into order, all go on."""
    lock = WaitedFor()
    monkeypatch.setattr(module, "threading", SimpleNamespace(Lock=lambda: lock))
    others: list[Future[int | None]] = []
    with ThreadPoolExecutor() as threads:

        def come() -> None:
            lock.came.acquire(timeout=10)
            others.append(threads.submit(hastener.hasten))
            assert lock.came.acquire(timeout=10)

        ledger = SlowLedger(hastened, come)
        hastener = Hastener(cast("WorkerLedger", ledger), lambda: 1)
        assert hastener.hasten() == told
        assert [other.result(10) for other in others] == [told]
    assert ledger.asked == 1
    assert hastener.hasten() == 1, "whoever comes later takes what it is rung for"
