"""The connection to the Autoscaler: all frames that wait are sent together, a ping follows them, and its pong confirms them.

Knative's stat server never answers a frame, and reads its connection in order, so the pong of a ping that was sent after a frame
shows that the frame has left its read loop (knative.dev/serving pkg/autoscaler/statserver/server.go). On close 1012, which it
sends when it restarts, and on anything else that ends the connection, another is tried: at once, then from `reconnect_after`
up to `reconnect_at_most`.
"""

import asyncio
import contextlib
import random
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, Protocol, cast

import uvloop
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException
from websockets.frames import Close, CloseCode

from wakequeue.codecs import Frame
from wakequeue.errors import AutoscalerUnavailable
from wakequeue.events import Bounded, Event, info
from wakequeue.opening import CLOSE_SECONDS, opening
from wakequeue.setting_shown import masked
from wakequeue.settings import Settings
from wakequeue.telemetry import CONFIRM, CONNECTED, FRAMES, PONGS, RECONNECTS, SEND

#: How often an idle connection is pinged, and how long its pong may take: a dead one is noticed within 8 s.
PING_EVERY: Final = 3.0
PONG_WITHIN: Final = 5.0

#: How long frames wait for a connection that is being made: most are made again at once.
CONNECT_GRACE: Final = 0.5


class Autoscaler(Protocol):
    """Where reports go."""

    def send(self, frames: Sequence[Frame]) -> None:
        """Send frames, and return once they are confirmed. Raises AutoscalerUnavailable where no pong came in time."""
        ...


@dataclass(eq=False, slots=True)
class _Parcel:
    """The frames of one `send`, and whether they were confirmed."""

    frames: Sequence[Frame]
    handed_at: float = field(default_factory=time.perf_counter)
    confirmed: "Future[None]" = field(default_factory=Future)


class AutoscalerConnection:
    """Owns one WebSocket, on an event loop in a thread of its own, from its making to `close`; `send` is for any thread.

    `joins` says that frames put end to end are one frame (see `wakequeue.codecs.Codec`).
    """

    def __init__(self, endpoint: str, settings: Settings, *, joins: bool) -> None:
        self._endpoint, self._settings, self._joins = endpoint, settings, joins
        self._waiting: dict[_Parcel, None] = {}
        self._filled = asyncio.Event()
        self._disconnected = Bounded(Event.DISCONNECTED)
        self._connected = False
        #: How many connections were made so far on which the Autoscaler has answered.
        self.connections = 0
        self._loop = uvloop.new_event_loop()
        self._staying = self._loop.create_task(self._stay_connected())
        self._thread = threading.Thread(target=self._run, name="autoscaler", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs; a defect alone can end it before `close`."""
        return self._thread.is_alive()

    @property
    def connected(self) -> bool:
        """Whether the connection is open, and the Autoscaler has answered on it."""
        return self._connected

    def send(self, frames: Sequence[Frame]) -> None:
        """Send frames, and return once they are confirmed.

        Raises AutoscalerUnavailable where there is no connection within a moment, it broke under them, or nothing confirmed
        them in `confirm_within`.
        """
        parcel = _Parcel(frames)
        self._soon(self._accept, parcel)
        give_up_at = parcel.handed_at + self._settings.confirm_within
        if not self._connected and not self._confirmed(parcel, CONNECT_GRACE) and not self._connected:
            self._give_up(parcel, "not connected")
        elif not self._confirmed(parcel, give_up_at - time.perf_counter()):
            self._give_up(parcel, "no pong in time")

    def close(self) -> None:
        """Close the connection and end the thread."""
        self._loop.call_soon_threadsafe(self._staying.cancel)
        self._thread.join()

    @staticmethod
    def _confirmed(parcel: _Parcel, within: float) -> bool:
        try:
            parcel.confirmed.result(within)
        except TimeoutError:
            return False
        return True

    def _give_up(self, parcel: _Parcel, why: str) -> None:
        """Take frames back, unless they are confirmed at this very moment."""
        self._soon(self._waiting.pop, parcel, None)
        if parcel.confirmed.cancel():
            raise AutoscalerUnavailable(why)
        parcel.confirmed.result()

    def _soon(self, call: Callable[..., object], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(call, *arguments)
        except RuntimeError as error:
            raise AutoscalerUnavailable("closed") from error

    def _accept(self, parcel: _Parcel) -> None:
        self._waiting[parcel] = None
        self._filled.set()

    def _run(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            self._loop.run_until_complete(self._staying)
        self._loop.close()

    async def _stay_connected(self) -> None:
        back_off = 0.0
        while True:
            began = time.monotonic()
            try:
                await self._connect_and_pump()
            except (OSError, TimeoutError, WebSocketException) as error:
                cause = _cause(error)
                RECONNECTS.labels(cause).inc()
                self._disconnected.warning(endpoint=masked(self._endpoint), cause=cause, error=error or type(error).__name__)
            lasted = time.monotonic() - began
            longer = min(max(back_off * 2, self._settings.reconnect_after), self._settings.reconnect_at_most)
            back_off = 0.0 if lasted > self._settings.reconnect_at_most else longer
            await asyncio.sleep(back_off * random.uniform(0.5, 1.0))  # noqa: S311  jitter, not a secret

    async def _connect_and_pump(self) -> None:
        async with await self._connect() as websocket:
            async with asyncio.timeout(PONG_WITHIN):
                await (await websocket.ping())
            self._say_connected(now=True)
            try:
                await self._pump(websocket)
            finally:
                self._say_connected(now=False)

    async def _connect(self) -> ClientConnection:
        try:
            return await connect(**opening(self._endpoint, self._settings), ping_interval=PING_EVERY, ping_timeout=PONG_WITHIN)
        except asyncio.CancelledError:
            # TLS may have just begun, and its farewell takes up to CLOSE_SECONDS: only then has the loop nothing left.
            await asyncio.sleep(2 * CLOSE_SECONDS)
            raise

    async def _pump(self, websocket: ClientConnection) -> None:
        """Send what waits, again and again, until the connection ends; raises what ended it."""
        closed = asyncio.ensure_future(websocket.wait_closed())
        closed.add_done_callback(lambda _: self._filled.set())
        self._filled.set()
        while True:
            await self._filled.wait()
            self._filled.clear()
            if closed.done():
                raise websocket.protocol.close_exc
            if self._waiting:
                parcels, self._waiting = list(self._waiting), {}
                await self._send(websocket, parcels)

    async def _send(self, websocket: ClientConnection, parcels: list[_Parcel]) -> None:
        try:
            async with asyncio.timeout(self._settings.confirm_within):
                for frame in self._frames(parcels):
                    await websocket.send(frame)
                    FRAMES.inc()
                written_at = time.perf_counter()
                await (await websocket.ping())
        except (OSError, TimeoutError, WebSocketException) as error:
            # A peer that has stopped reading would keep a closing handshake waiting too.
            websocket.transport.abort()
            for parcel in parcels:
                if parcel.confirmed.set_running_or_notify_cancel():
                    parcel.confirmed.set_exception(AutoscalerUnavailable(_cause(error)))
            raise
        PONGS.inc()
        CONFIRM.observe(time.perf_counter() - written_at)
        for parcel in parcels:
            SEND.observe(written_at - parcel.handed_at)
            if parcel.confirmed.set_running_or_notify_cancel():
                parcel.confirmed.set_result(None)

    def _frames(self, parcels: list[_Parcel]) -> list[Frame]:
        frames = [frame for parcel in parcels for frame in parcel.frames]
        return [b"".join(cast("list[bytes]", frames))] if self._joins else frames

    def _say_connected(self, *, now: bool) -> None:
        self._connected = now
        CONNECTED.set(now)
        if now:
            self.connections += 1
            info(Event.CONNECTED, endpoint=masked(self._endpoint))


def _cause(error: Exception) -> str:
    """What ended a connection, from a small fixed set: a label value."""
    match error:
        case ConnectionClosed(rcvd=Close(code=CloseCode.SERVICE_RESTART)):
            return "restart_1012"
        case ConnectionClosed():
            return "closed"
        case InvalidHandshake() | ssl.SSLError():
            return "handshake"
        case TimeoutError():
            return "timeout"
        case ConnectionRefusedError():
            return "refused"
    return "network"
