"""The consumer: what it buffers of tasks is not lost with a connection."""

from types import SimpleNamespace

import pytest
from celery.worker import consumer

from workers.consumer import Consumer


@pytest.mark.parametrize("end", ["on_close", "shutdown"])
def test_all_is_told_before_an_end(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery keeps what its dispatcher could not publish, and not what was still gathered."""
    done: list[str] = []
    monkeypatch.setattr(consumer.Consumer, end, lambda _: done.append("ended"))
    ending = Consumer.__new__(Consumer)
    ending.event_dispatcher = SimpleNamespace(flush=lambda: done.append("flushed"))
    getattr(ending, end)()
    assert done == ["flushed", "ended"]
