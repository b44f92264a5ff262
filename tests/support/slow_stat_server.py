"""A stat server that reads as Knative's does, frame by frame, and can be slow, deaf, or gone under a frame.

Knative's loop (knative.dev/serving pkg/autoscaler/statserver/server.go, on gorilla's websocket) takes one frame at a time off the
connection, and answers a ping when it gets to it: after whatever was sent before. Where that loop stops, the frames stay in the
socket and no ping is answered.
"""

import asyncio
import socket
import struct
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from enum import Enum, auto

from websockets.frames import Close, Frame, Opcode
from websockets.server import ServerProtocol

from support.listening import stop_accepting
from support.stat_server import Received, StatServer
from support.waiting import wait_until

#: How much the server's end of a connection holds unread, so that a slow reader is soon felt at the other end.
RECEIVE_BUFFER = 16_384


class Fate(Enum):
    """What becomes of a frame, and of its connection."""

    READ = auto()
    #: The server restarts once the frame is read: it closes with 1012.
    READ_THEN_RESTART = auto()
    #: The server restarts with the frame unread in its socket.
    RESTART_UNREAD = auto()
    #: The TCP connection is reset once the frame is read, before its ping is answered.
    READ_THEN_RESET = auto()
    #: The TCP connection is reset with the frame unread.
    RESET_UNREAD = auto()


READ = (Fate.READ, Fate.READ_THEN_RESTART, Fate.READ_THEN_RESET)
RESTART = (Fate.READ_THEN_RESTART, Fate.RESTART_UNREAD)
RESET = (Fate.READ_THEN_RESET, Fate.RESET_UNREAD)


class SlowStatServer(StatServer):
    """Takes `pace` seconds for a frame. The next frames meet the `fates` that wait, in their order; all others are read.

    `hurt` counts the calls, by Revision, of frames that were read and never confirmed: those that may be told twice.
    `unhurt_frames` is how many were read and could be confirmed.
    """

    def __init__(self, pace: float = 0.0) -> None:
        self.pace = pace
        self.fates: deque[Fate] = deque()
        self.hurt: Counter[str] = Counter()
        self.unhurt_frames = 0
        self._reading = asyncio.Event()
        self._reading.set()
        self._tasks: set[asyncio.Task[None]] = set()
        super().__init__()

    def stop_reading(self) -> None:
        """Leave all that comes in the sockets, but for the ping that follows a frame that was read: that one is confirmed."""
        self._loop.call_soon_threadsafe(self._reading.clear)

    def go_on_reading(self) -> None:
        """Read on."""
        self._loop.call_soon_threadsafe(self._reading.set)

    def hurt_next(self, *fates: Fate, within: float = 10.0) -> None:
        """Have the next frames meet these fates, and wait until they did, and another came through."""
        self.fates.extend(fates)
        wait_until(lambda: not self.fates, within, "the frames to be hurt")
        before = self.unhurt_frames
        wait_until(lambda: self.unhurt_frames > before, within, "a frame after those")

    async def _serve(self) -> asyncio.Server:
        listening = socket.create_server(("127.0.0.1", self.port))
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        return await asyncio.start_server(self._connect, sock=listening, limit=RECEIVE_BUFFER)

    async def _close(self, server: asyncio.Server, _code: int) -> None:
        await stop_accepting(server)
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._shake_hands(reader, writer)
            self.connections += 1
            await self._read_on(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        except asyncio.CancelledError:
            _say_restart(writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    @staticmethod
    async def _shake_hands(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        protocol = ServerProtocol()
        protocol.receive_data(await reader.readuntil(b"\r\n\r\n"))
        (request,) = protocol.events_received()
        protocol.send_response(protocol.accept(request))
        writer.write(b"".join(protocol.data_to_send()))

    async def _read_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async for opcode, payload in self._frames(reader):
            match opcode:
                case Opcode.PING:
                    writer.write(Frame(Opcode.PONG, payload).serialize(mask=False))
                case Opcode.CLOSE:
                    writer.write(Frame(Opcode.CLOSE, payload).serialize(mask=False))
                    await reader.read()  # gorilla leaves the TCP connection to its client
                    return
                case _:
                    fate = self.fates.popleft() if self.fates else Fate.READ
                    await self._meet(fate, payload)
                    if fate in RESET:
                        linger = struct.pack("ii", 1, 0)
                        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                        return
                    if fate in RESTART:
                        _say_restart(writer)
                        return

    async def _frames(self, reader: asyncio.StreamReader) -> AsyncIterator[tuple[Opcode, bytes]]:
        """One frame at a time (RFC 6455, section 5.2); a client's are masked, and ours are never in fragments."""
        confirms = False
        while True:
            first, second = await reader.readexactly(2)
            if not confirms:
                await self._reading.wait()
            length = second & 0x7F
            if length > 125:
                length = int.from_bytes(await reader.readexactly(2 if length == 126 else 8))
            mask = await reader.readexactly(4)
            masked = await reader.readexactly(length)
            whole = (mask * (length // 4 + 1))[:length]
            opcode = Opcode(first & 0x0F)
            yield opcode, (int.from_bytes(masked) ^ int.from_bytes(whole)).to_bytes(length)
            confirms = opcode in {Opcode.TEXT, Opcode.BINARY}

    async def _meet(self, fate: Fate, frame: bytes) -> None:
        await asyncio.sleep(self.pace)
        if fate not in READ:
            return
        self.frames.append(frame)
        stats = self._read(frame)
        self.received += [Received(time.time(), stat) for stat in stats]
        if fate is Fate.READ:
            self.unhurt_frames += 1
        else:
            self.hurt += Counter({stat.key: int(stat.requests) for stat in stats})


def _say_restart(writer: asyncio.StreamWriter) -> None:
    writer.write(Frame(Opcode.CLOSE, Close(1012, "").serialize()).serialize(mask=False))
