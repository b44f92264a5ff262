"""Envoy's access log service, v3: entries that tell of a request without an upstream are calls; see `gateway_hook.envoy`.

Source: envoyproxy/envoy api/envoy/service/accesslog/v3/als.proto. Envoy expects no answer and keeps its stream open for ever; one
that is answered is opened again, to another front if this one goes. The next message is asked for when the calls of the one
before are taken, so that while Redis is slow it is Envoy that holds back.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Final

import grpc
from google.protobuf.message import DecodeError

from gateway_hook.call import Call, Read, unread
from gateway_hook.door import identity
from gateway_hook.envoy.log_entry import Kind, call_of, is_last, kind_of, request_of
from gateway_hook.envoy.starts import Starts
from gateway_hook.envoy.streams import until_told
from gateway_hook.hook import Hook
from gateway_hook.outcome import Outcome
from gateway_hook.wire.access_log_pb2 import StreamAccessLogsMessage, StreamAccessLogsResponse
from gateway_hook.wire.log_entry_pb2 import HTTPAccessLogEntry
from wakequeue.settings import Settings
from wakequeue.telemetry import LOG_ENTRIES

SERVICE: Final = "envoy.service.accesslog.v3.AccessLogService"
METHOD: Final = "StreamAccessLogs"
PROTOCOL: Final = "envoy_access_log"

#: A request that began is a call if nothing more is heard of it for so long, in seconds.
UNHEARD_OF: Final = 0.05

#: How many requests that began are remembered: each costs some 300 bytes.
MOST_OPEN: Final = 100_000

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[bytes, bytes]
    Method = grpc.RpcMethodHandler[bytes, bytes]


class AccessLog:
    """The access log service: one method, a stream of messages of many entries."""

    def __init__(self, hook: Hook, settings: Settings) -> None:
        self._hook = hook
        self._starts = Starts(patience=settings.patience, most=MOST_OPEN)
        self._later: set[asyncio.Task[None]] = set()

    def handlers(self) -> "dict[str, dict[str, Method]]":
        """What the gRPC server serves. Messages arrive as bytes, for one that can't be parsed ends no stream."""
        return {SERVICE: {METHOD: grpc.stream_unary_rpc_method_handler(self.stream)}}

    async def stream(self, messages: AsyncIterator[bytes], context: "Context") -> bytes:
        """Take the calls of a stream, and answer it when it ends, or the front is about to."""
        caller = identity(context)
        async with aclosing(until_told(messages, self._hook.closing)) as received:
            async for message in received:
                try:
                    entries = StreamAccessLogsMessage.FromString(message).http_logs.log_entry
                except DecodeError as error:
                    await self._hook.call(PROTOCOL, caller, unread(error))
                    continue
                cold, began = self._sort(entries)
                await self._hook.calls(PROTOCOL, caller, cold)
                if began:
                    # Not a part of this stream, which may break before: what began goes on.
                    later = asyncio.create_task(self._take_unheard_of(caller, began))
                    self._later.add(later)
                    later.add_done_callback(self._later.discard)
        if self._later:
            await asyncio.wait(self._later)
        return StreamAccessLogsResponse().SerializeToString()

    def _sort(self, entries: Iterable[HTTPAccessLogEntry]) -> tuple[list[Read], list[str]]:
        """The calls that a message's entries tell of, and the requests that may yet be some."""
        cold: list[Read] = []
        began: list[str] = []
        kinds: Counter[Kind] = Counter()
        for entry in entries:
            kind = kind_of(entry)
            kinds[kind] += 1
            if kind is Kind.START:
                request, call = request_of(entry), call_of(entry, cold=False, trace_of=self._hook.trace_of)
                # Without an id its other entries can't be told from those of others; without a name they may say more.
                if request and call.sources:
                    self._starts.begin(request, call, time.monotonic())
                    began.append(request)
                continue
            counted = self._starts and self._starts.is_counted(request_of(entry), ended=is_last(entry))
            if kind is Kind.COLD and not counted:
                cold.append(partial(call_of, entry, cold=True, trace_of=self._hook.trace_of))
        for kind, count in kinds.items():
            LOG_ENTRIES.labels(kind).inc(count)
        return cold, began

    async def _take_unheard_of(self, caller: str, began: Sequence[str]) -> None:
        """Take the calls of requests that began, some time ago, and may be waiting."""
        await asyncio.sleep(UNHEARD_OF)
        calls = self._starts.unheard_of(began)
        outcomes = await self._hook.calls(PROTOCOL, caller, [partial(_it, call) for call in calls.values()])
        for request, outcome in zip(calls, outcomes, strict=True):
            # What its gateway finds decides, where nothing was recorded: what is seen ready may have no upstream there.
            if outcome in {Outcome.UNRESOLVED, Outcome.PASSED}:
                self._starts.forget(request)


def _it(call: Call) -> Call:
    return call
