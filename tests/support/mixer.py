"""Mixer's side of the authorization template, from the field numbers alone: nothing of the front's own protocol code is used."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import grpc

from support.protobuf import Value, fields

METHOD = "/authorization.HandleAuthorizationService/HandleAuthorization"


def varint(number: int) -> bytes:
    """A base-128 number."""
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def field(number: int, payload: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def request(namespace: bytes, service: bytes, *, path: bytes = b"/", properties: dict[bytes, bytes] | None = None) -> bytes:
    """HandleAuthorizationRequest {1 instance {72295727 name, 2 action {1 namespace, 2 service, 3 method, 4 path, 5 map}}}."""
    entries = b"".join(field(5, field(1, key) + field(2, field(1, value))) for key, value in (properties or {}).items())
    action = field(1, namespace) + field(2, service) + field(3, b"GET") + field(4, path) + entries
    return field(1, field(72295727, b"wake.instance.istio-system") + field(2, action))


@dataclass(frozen=True, slots=True)
class Answer:
    """A CheckResult, read from its bytes."""

    code: int
    valid_seconds: float
    uses: int
    size: int


def read_answer(data: bytes) -> Answer:
    """CheckResult {1 status {1 code}, 2 valid_duration {1 seconds, 2 nanos}, 3 valid_use_count}."""
    parts = dict(fields(data))
    status = dict(fields(_bytes(parts.get(1, b""))))
    duration = dict(fields(_bytes(parts.get(2, b""))))
    seconds = _int(duration.get(1, 0)) + _int(duration.get(2, 0)) / 1e9
    return Answer(_int(status.get(1, 0)), seconds, _int(parts.get(3, 0)), len(data))


def check_all(address: str, requests: Sequence[bytes], timeout: float = 10.0) -> list[Answer]:
    """Make these calls at once, on one connection, and return their answers. Fails where one fails."""
    answers = try_all(address, requests, timeout)
    failed = [answer for answer in answers if isinstance(answer, grpc.StatusCode)]
    assert not failed, f"{len(failed)} of {len(answers)} calls failed, the first with {failed[0]}"
    return [answer for answer in answers if isinstance(answer, Answer)]


def try_all(address: str, requests: Sequence[bytes], timeout: float = 10.0) -> list[Answer | grpc.StatusCode]:
    """Make these calls at once, on one connection, and return the answer of each, or how it failed."""

    async def one(check: "grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]", data: bytes) -> Answer | grpc.StatusCode:
        try:
            return read_answer(await check(data, timeout=timeout))
        except grpc.aio.AioRpcError as error:
            return error.code()

    async def run() -> list[Answer | grpc.StatusCode]:
        async with grpc.aio.insecure_channel(address) as channel:
            check = channel.unary_unary(METHOD)
            return await asyncio.gather(*(one(check, data) for data in requests))

    return asyncio.run(run())


def check(address: str, namespace: str, service: str) -> Answer:
    """Make one call."""
    return check_all(address, [request(namespace.encode(), service.encode())])[0]


def _bytes(value: Value) -> bytes:
    assert isinstance(value, bytes)
    return value


def _int(value: Value) -> int:
    assert isinstance(value, int)
    return value
