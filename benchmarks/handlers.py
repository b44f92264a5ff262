"""Handlers at the path of Mixer's adapter, in a grpc.aio server as the front's own is: what a front is measured against.

`empty` answers at once, `parsing` reads the request first, and `grouped` waits besides with all that come within some milliseconds.
`awake` and `asleep` are the front's own handler, alone: its ledger is in memory, and answers as late.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

import grpc
import uvloop

from gateway_hook.hook import Hook
from gateway_hook.mixer import answers
from gateway_hook.mixer.adapter import Mixer
from gateway_hook.mixer.templates import AUTHORIZATION
from gateway_hook.port import OPTIONS
from gateway_hook.recorder import Recorder
from gateway_hook.wire.authorization_pb2 import HandleAuthorizationRequest
from wakequeue.cluster.knowledge import Unknown
from wakequeue.episode import Episode
from wakequeue.ledger import Begun, Commit, Entry, Recorded, Start
from wakequeue.setting_sources import load

if TYPE_CHECKING:
    Context = grpc.aio.ServicerContext[bytes, bytes]

Handler = Callable[[bytes, "Context"], Awaitable[bytes]]

#: How long a group is gathered, and how long the ledger in memory takes, in seconds: about as long as a commit under load.
GROUPED_FOR: Final = 0.004

ANSWER: Final = answers.checked(0.0)


async def empty(_data: bytes, _context: "Context") -> bytes:
    """Answer at once."""
    return ANSWER


async def parsing(data: bytes, _context: "Context") -> bytes:
    """Read whom the call means, and answer."""
    action = HandleAuthorizationRequest.FromString(data).instance.action
    _ = action.namespace, action.service
    return ANSWER


class Grouped:
    """Answers calls together that come within some milliseconds."""

    def __init__(self) -> None:
        self._group: asyncio.Event | None = None

    async def answer(self, data: bytes, context: "Context") -> bytes:
        """Wait for the group's end, and answer."""
        group = self._group
        if group is None:
            group = self._group = asyncio.Event()
            asyncio.get_running_loop().call_later(GROUPED_FOR, self._end)
        answer = await parsing(data, context)
        await group.wait()
        return answer

    def _end(self) -> None:
        assert self._group is not None
        self._group.set()
        self._group = None


class Memory:
    """A ledger that holds nothing, and says of each Revision that it is asleep, or awake."""

    def __init__(self, *, awake: bool) -> None:
        self._awake = awake

    async def record(self, _commit: Commit, entries: Sequence[Entry]) -> list[Recorded]:
        """Say that all is recorded."""
        await asyncio.sleep(GROUPED_FOR)
        now = time.time()
        episode = Episode(1.0, now) if self._awake else Episode()
        return [Recorded(ring=False, episode=episode, at=now) for _ in entries]

    async def begin(self, _cause: str, _starts: Sequence[Start]) -> Begun:
        """Nobody asks for it here."""
        raise NotImplementedError


def front(*, awake: bool) -> Handler:
    """The front's own handler, with a ledger in memory; made on the running loop."""
    settings, cluster = load({}), Unknown()
    recorder = Recorder(Memory(awake=awake), lambda _due: None, settings, cluster, name="alone")
    return partial(Mixer(Hook(recorder, settings, cluster), settings).answer, AUTHORIZATION)


#: How each of them is made.
HANDLERS: Final[Mapping[str, Callable[[], Handler]]] = {
    "empty": lambda: empty,
    "parsing": lambda: parsing,
    "grouped": lambda: Grouped().answer,
    "awake": lambda: front(awake=True),
    "asleep": lambda: front(awake=False),
}


async def serve(kind: str, address: str) -> None:
    """Answer every call so, until the process is ended."""
    server = grpc.aio.server(options=OPTIONS)
    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(HANDLERS[kind]())
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(AUTHORIZATION.service, {AUTHORIZATION.method: method})])
    server.add_insecure_port(address)
    await server.start()
    print("ready", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    gc.freeze()  # as `wakequeue.lasting` does for a front
    uvloop.run(serve(*sys.argv[1:]))
