"""A gateway that calls fronts at a rate, whether or not they keep up, from a thread of its own."""

import asyncio
import itertools
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import grpc

from support.mixer import METHOD, request

#: As Kubernetes' endpoints would do: calls go to each front in turn, and to none that says it isn't serving.
SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": METHOD.split("/")[1]},
}

#: A front that comes back where it was is found at once, as a new one at an address of its own would be.
OPTIONS = (
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
)


@dataclass
class Gateway:
    """Makes `a_second` calls a second from its making to `stop`; `name` gives each call's Revision of the namespace `default`.

    `answered` are the calls that were answered, by Revision, and `failed` how the others failed; both are whole after `stop`.
    """

    addresses: Sequence[str]
    a_second: float
    name: Callable[[int], str]
    timeout: float = 20.0
    answered: Counter[str] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)
    #: When each Revision was first called, on the clock of `time.monotonic`.
    first_called: dict[str, float] = field(default_factory=dict)
    slowest: float = 0.0

    def __post_init__(self) -> None:
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()

    def stop(self) -> Counter[str]:
        """Make no more calls, and return those that were answered once all are."""
        self._stopping.set()
        self._thread.join()
        return self.answered

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    async def _run(self) -> None:
        async with grpc.aio.insecure_channel(f"ipv4:{','.join(self.addresses)}", options=OPTIONS) as channel:
            check = channel.unary_unary(METHOD)
            began, calls = time.monotonic(), set()
            for number in itertools.count():
                await asyncio.sleep(max(0.0, began + number / self.a_second - time.monotonic()))
                if self._stopping.is_set():
                    break
                call = asyncio.create_task(self._call(check, self.name(number)))
                calls.add(call)
                call.add_done_callback(calls.discard)
            await asyncio.gather(*calls)

    async def _call(self, check: "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]", name: str) -> None:
        began = time.monotonic()
        self.first_called.setdefault(f"default/{name}", began)
        try:
            await check(request(b"default", name.encode()), timeout=self.timeout)
        except grpc.aio.AioRpcError as error:
            self.failed.append(f"{error.code().name}: {error.details()}")
        else:
            self.answered[f"default/{name}"] += 1
            self.slowest = max(self.slowest, time.monotonic() - began)
