"""Leases, as a worker has them, and how *take* and *settle* tell of them: in MessagePack, for it is read and written at once."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from wakequeue.episode import Ending, Episode, Phase
from wakequeue.ledger.letters import calls_by_caller
from wakequeue.ledger.scripts import milliseconds
from wakequeue.revision import Revision


class Lease(NamedTuple):
    """The exclusive right to report one Revision, with what there is to report. Times are Unix seconds of Redis's clock.

    `waiting` calls are thought to wait, and so many requests more are `known` to. `style` is how to report it; empty means as the
    settings say. `callers` say who made how many of its calls. It is kept warm until `kept_until` with so many `pods`, by a word of
    `kept_since` at the latest; none, and 0, where it isn't. `wakeup` is the id of its wake-up; `traces` are trace contexts that
    came with its calls.
    """

    revision: Revision
    token: int
    taken_at: float
    calls: int
    waiting: int
    known: int
    first_call: float
    last_call: float
    due_at: float
    attempts: int
    episode: Episode
    style: str = ""
    callers: Mapping[str, int] = MappingProxyType({})
    kept_since: float | None = None
    kept_until: float | None = None
    pods: int = 0
    wakeup: str = ""
    traces: tuple[str, ...] = ()


class Settled(NamedTuple):
    """A lease whose report was confirmed, or had nothing to say: the episode from here on, and when to report next.

    `phase` is the one that was reported, None where nothing was. `gone` of its waiting callers have given up. `ending` is that of
    its waking; one that is unwoken becomes a dead letter, with its `cause`.
    """

    lease: Lease
    episode: Episode
    ready_at: float
    repeat_at: float | None
    phase: Phase | None
    gone: int = 0
    ending: Ending | None = None
    cause: str = ""


def read_leases(taken_at: float, token: int, named: Mapping[str, Revision], rows: bytes) -> list[Lease]:
    """What *take* answers of the Revisions that it was given by these names."""
    return [_lease(named[row.name], token, taken_at, row) for row in _read_rows(rows)]


def settled_rows(settled: Iterable[Settled]) -> bytes:
    """What *settle* is told."""
    return _write_rows([_settled(one) for one in settled])


class _Row(msgspec.Struct):
    """What *take* says of a lease; times are milliseconds."""

    name: str
    due_at: int
    attempts: int
    wakeup: str
    calls: int
    waiting: int
    last_call: int
    kept_since: int
    kept_until: int
    pods: int
    style: str = ""
    callers: str = "{}"
    traces: str = "[]"
    known: int = 0
    concurrency: float = 0.0
    first_call: int | None = None
    last_wait: int | None = None
    first_report: int | None = None
    last_report: int | None = None
    waking_since: int | None = None


class _SettledRow(msgspec.Struct, omit_defaults=True):
    """What *settle* is told of a lease; times are milliseconds."""

    name: str
    concurrency: str
    ready_at: int
    first_report: int | None = None
    last_report: int | None = None
    repeat_at: int | None = None
    phase: Phase | None = None
    gone: int = 0
    waking_since: int | None = None
    outcome: str | None = None
    since: int | None = None
    ended: int | None = None
    cause: str = ""


_read_traces = msgspec.json.Decoder(tuple[str, ...]).decode
_read_rows = msgspec.msgpack.Decoder(list[_Row]).decode
_write_rows = msgspec.msgpack.Encoder().encode


def _lease(revision: Revision, token: int, taken_at: float, row: _Row) -> Lease:
    return Lease(
        revision,
        token,
        taken_at,
        row.calls,
        row.waiting,
        row.known,
        (row.last_call if row.first_call is None else row.first_call) / 1000,
        row.last_call / 1000,
        row.due_at / 1000,
        row.attempts,
        Episode(
            _seconds(row.first_report),
            _seconds(row.last_report),
            row.concurrency,
            _seconds(row.last_wait),
            _seconds(row.waking_since),
        ),
        row.style,
        calls_by_caller(row.callers),
        row.kept_since / 1000 or None,
        row.kept_until / 1000 or None,
        row.pods,
        row.wakeup,
        _read_traces(row.traces),
    )


def _settled(one: Settled) -> _SettledRow:
    episode, ending = one.episode, one.ending
    row = _SettledRow(
        str(one.lease.revision),
        str(episode.concurrency),
        milliseconds(one.ready_at),
        _milliseconds(episode.first_report),
        _milliseconds(episode.last_report),
        _milliseconds(one.repeat_at),
        one.phase,
        one.gone,
        _milliseconds(episode.waking_since),
    )
    if ending and ending.outcome != "reported":
        row.outcome, row.since, row.ended = ending.outcome, milliseconds(ending.since), milliseconds(ending.at)
        row.cause = one.cause
    return row


def _milliseconds(at: float | None) -> int | None:
    return None if at is None else milliseconds(at)


def _seconds(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
