"""Envoy's access log service: streams of log entries, of which those wake that tell of a cold request, or of a request's start.

Source: envoyproxy/envoy api/envoy/service/accesslog/v3. A gateway opens a stream for each of its threads and keeps it open; it
waits for no answer, and a stream that the front ends it opens again. The next message of a stream is read once the calls of the
last one are taken, so that a stream never has more in hand than one message.

A request whose start was told is a call then. Its end, and its attempts, add nothing, if they come to the same front.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import TYPE_CHECKING, Final

import grpc
from google.protobuf.message import DecodeError

from gateway_hook.call import Call
from gateway_hook.door import identity
from gateway_hook.envoy.log_entry import Says, call_of, says
from gateway_hook.envoy.started import Started
from gateway_hook.hook import Hook
from gateway_hook.outcome import Outcome
from gateway_hook.wire.access_log_pb2 import DownstreamEnd, HTTPAccessLogEntry
from gateway_hook.wire.als_pb2 import StreamAccessLogsMessage, StreamAccessLogsResponse
from wakequeue.telemetry import LOG_ENTRIES

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[bytes, bytes]

SERVICE: Final = "envoy.service.accesslog.v3.AccessLogService"
METHOD: Final = "StreamAccessLogs"
PROTOCOL: Final = "envoy_access_log"

#: How many requests are remembered whose start was told and whose end was not: each costs some 100 bytes.
MOST_STARTED: Final = 100_000

#: A stream that is to end does once nothing came for so many seconds.
QUIET_SECONDS: Final = 0.05

#: What becomes of a request's start that was a call.
TAKEN: Final = {Outcome.RECORDED, Outcome.AWAKE, Outcome.BUFFERED}


class AccessLog:
    """The service: one method, to which nobody waits for the answer."""

    def __init__(self, hook: Hook) -> None:
        self._hook = hook
        self._started = Started(MOST_STARTED)
        self._answer = StreamAccessLogsResponse().SerializeToString()

    def handlers(self) -> dict[str, grpc.GenericRpcHandler]:
        """What the gRPC server serves, by service. Messages arrive as bytes, for one that can't be parsed ends no stream."""
        method: grpc.RpcMethodHandler[bytes, bytes] = grpc.stream_unary_rpc_method_handler(self.stream)
        return {SERVICE: grpc.method_handlers_generic_handler(SERVICE, {METHOD: method})}

    async def stream(self, messages: AsyncIterator[bytes], context: "Context") -> bytes:
        """Take what a stream sends, until it ends, or the front is about to and nothing more comes."""
        caller = identity(context)
        closing = asyncio.create_task(self._hook.closing.wait())
        try:
            while (message := await _next(messages, closing)) is not None:
                await self._take(message, caller)
        finally:
            closing.cancel()
        return self._answer

    async def _take(self, data: bytes, caller: str) -> None:
        """Take the calls of one message, all at once."""
        try:
            entries = StreamAccessLogsMessage.FromString(data).http_logs.log_entry
        except DecodeError as error:
            await self._hook.call(PROTOCOL, caller, partial(_unread, error))
            return
        async with asyncio.TaskGroup() as calls:
            for entry in entries:
                said = says(entry)
                LOG_ENTRIES.labels(said).inc()
                if said is Says.START:
                    calls.create_task(self._start(entry, caller))
                elif not self._is_counted(entry) and said is Says.COLD:
                    calls.create_task(self._hook.call(PROTOCOL, caller, partial(call_of, entry)))

    async def _start(self, entry: HTTPAccessLogEntry, caller: str) -> None:
        call = call_of(entry)
        if await self._hook.call(PROTOCOL, caller, lambda: call) in TAKEN and call.request_id:
            self._started.add(call.request_id)

    def _is_counted(self, entry: HTTPAccessLogEntry) -> bool:
        """Whether the start of an entry's request was a call."""
        request = entry.request.request_id.decode(errors="replace")
        if entry.common_properties.access_log_type == DownstreamEnd:
            return self._started.end(request)
        return request in self._started


async def _next(messages: AsyncIterator[bytes], closing: "asyncio.Task[bool]") -> bytes | None:
    """The next message; None where there is no more, or none comes while the front closes."""
    reading = asyncio.ensure_future(anext(messages, None))
    await asyncio.wait({reading, closing}, return_when=asyncio.FIRST_COMPLETED)
    if not reading.done():
        await asyncio.wait({reading}, timeout=QUIET_SECONDS)
    if not reading.done():
        reading.cancel()
        return None
    return reading.result()


def _unread(error: DecodeError) -> Call:
    raise error
