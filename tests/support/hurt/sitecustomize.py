"""Has a process break down at a step of its work: most by SIGKILL, for the first time that a Revision comes to it.

Python runs this where its folder is on PYTHONPATH. HURT_AT says the step; HURT_MARKS is a folder, shared by all that are to be
hurt, in which each Revision's death is marked by a file of its name, so that it has one.
"""

import os
import signal
from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from pathlib import Path
from typing import Any

from celery.worker.consumer import Consumer
from websockets.asyncio.client import ClientConnection

from gateway_hook.doorbell import Doorbell
from wakequeue.codecs.protobuf import ProtobufCodec
from wakequeue.ledger import Settled, Taken, WorkerLedger
from wakequeue.revision import Revision
from wakequeue.stat import StatMessage

taken: set[Revision] = set()


def first(revisions: Iterable[Revision]) -> bool:
    """Mark the death of these Revisions, and say whether one of them had none before."""
    fresh = False
    for revision in revisions:
        try:
            Path(os.environ["HURT_MARKS"], revision.name).touch(exist_ok=False)
        except FileExistsError:
            continue
        fresh = True
    return fresh


def die(revisions: Iterable[Revision]) -> None:
    """End, unless these Revisions had their death."""
    if first(revisions):
        os.kill(os.getpid(), signal.SIGKILL)


def wrap(owner: type, name: str, *, before: Callable[..., None] | None = None, after: Callable[..., None] | None = None) -> None:
    """Have `before` called with a method's first argument, and `after` with that and what it returned."""
    original = getattr(owner, name)

    @wraps(original)
    def wrapped(self: object, first_argument: Any, *rest: Any, **named: Any) -> Any:  # noqa: ANN401  any method's
        if before is not None:
            before(first_argument)
        returned = original(self, first_argument, *rest, **named)
        if after is not None:
            after(first_argument, returned)
        return returned

    setattr(owner, name, wrapped)


def after_take(_names: object, took: Taken) -> None:
    """What was taken is in hand, and nothing was sent."""
    die(lease.revision for lease in took.leases)


def in_hand(_names: object, took: Taken) -> None:
    """Remember what the next frames may be of."""
    taken.update(lease.revision for lease in took.leases)


def before_settle(settled: Sequence[Settled]) -> None:
    """The pong has come, and the ledger does not know."""
    die(one.lease.revision for one in settled)


def after_settle(settled: Sequence[Settled], _lost: object) -> None:
    """The ledger knows, and the doorbell was not acknowledged."""
    before_settle(settled)


def die_after_send() -> None:
    """The frame is written, and its ping is not."""
    original = ClientConnection.send

    async def send(self: ClientConnection, message: bytes) -> None:
        await original(self, message)
        die(revision for revision in taken if revision.name.encode() in message)

    ClientConnection.send = send


def ring_nothing(_self: Doorbell, _revisions: Iterable[Revision]) -> None:
    """What is recorded is answered, and its doorbell never rung: the test ends the process."""


def die_of_poison(message: StatMessage) -> None:
    """Some Revisions end every worker that encodes a report of them."""
    if message.revision.name.startswith("poison"):
        os.kill(os.getpid(), signal.SIGKILL)


def break_down(_self: Consumer) -> None:
    """Celery can't recover from an error that it doesn't know."""
    raise RuntimeError("broken down")


match os.environ["HURT_AT"]:
    case "before take":
        wrap(WorkerLedger, "take", before=die)
    case "after take":
        wrap(WorkerLedger, "take", after=after_take)
    case "after send":
        wrap(WorkerLedger, "take", after=in_hand)
        die_after_send()
    case "before settle":
        wrap(WorkerLedger, "settle", before=before_settle)
    case "after settle":
        wrap(WorkerLedger, "settle", after=after_settle)
    case "consume":
        Consumer.start = break_down
    case "encode":
        wrap(ProtobufCodec, "encode", before=die_of_poison)
    case "ring":
        Doorbell.ring = ring_nothing
