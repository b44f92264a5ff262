"""Envoy's checks that go on while something is hurt: in rounds over what is called, or held until they are answered."""

import asyncio
import itertools
import threading
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

import grpc

from support.envoy_messages import CHECK, check_request

OPTIONS = [("grpc.use_local_subchannel_pool", 1)]


def by_host(host: str) -> bytes:
    """A check whose route names no Revision."""
    return check_request(host=host.encode())


def by_name(key: str) -> bytes:
    """A check whose route names a Revision, `namespace/name`."""
    namespace, name = key.encode().split(b"/")
    return check_request(extensions={b"wakequeue.namespace": namespace, b"wakequeue.revision": name})


class Rounds:
    """Makes each of these checks once in `every` seconds, at the fronts in turn, from its making to `stop`."""

    def __init__(self, addresses: Sequence[str], checks: Mapping[str, bytes], every: float) -> None:
        #: By the name of a check, when those were made that were answered; and how the others failed.
        self.called: dict[str, list[float]] = {}
        self.failed: list[str] = []
        self.slowest = 0.0
        self._addresses, self._checks, self._every = addresses, dict(checks), every
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    def add(self, name: str, check: bytes) -> None:
        """Make this one too from now on."""
        self._checks[name] = check

    def calls(self, *names: str, since: float = 0.0) -> int:
        """How many were answered; with names, of these alone."""
        return sum(at >= since for name in names or list(self.called) for at in self.called.get(name, ()))

    def stop(self) -> None:
        """Make no further one, and wait for the answers."""
        self._stopping.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    async def _run(self) -> None:
        channels = [grpc.aio.insecure_channel(address, OPTIONS) for address in self._addresses]
        methods = itertools.cycle([channel.unary_unary(CHECK) for channel in channels])
        async with asyncio.TaskGroup() as calls:
            while not self._stopping.is_set():
                for name, check in list(self._checks.items()):
                    calls.create_task(self._call(next(methods), name, check))
                await asyncio.sleep(self._every)
        await asyncio.gather(*(channel.close() for channel in channels))

    async def _call(self, method: "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]", name: str, check: bytes) -> None:
        began = time.monotonic()
        try:
            await method(check, timeout=5)
        except grpc.aio.AioRpcError as error:
            self.failed.append(f"{name}: {error.code().name}: {error.details()}")
            return
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.called.setdefault(name, []).append(began)


class Asked:
    """Checks that were made at once, on one connection; `ended` has when each ended, and how, by its name."""

    def __init__(self, address: str, checks: Mapping[str, bytes], timeout: float = 60.0) -> None:
        self.ended: dict[str, tuple[float, grpc.StatusCode]] = {}
        self._channel = grpc.insecure_channel(address, OPTIONS)
        self._calls = {name: self._channel.unary_unary(CHECK).future(check, timeout=timeout) for name, check in checks.items()}
        for name, call in self._calls.items():
            call.add_done_callback(lambda done, name=name: self.ended.update({name: (time.monotonic(), done.code())}))

    def codes(self) -> set[grpc.StatusCode]:
        """How those ended that did."""
        return {code for _, code in list(self.ended.values())}

    def done(self) -> bool:
        """Whether all have ended."""
        return len(self.ended) == len(self._calls)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._channel.close()
