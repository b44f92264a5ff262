"""`wakequeue call`: real calls to the front, in Mixer's wire format, as a gateway would make them."""

import asyncio
import json
import time
from statistics import quantiles
from typing import TYPE_CHECKING, Final

import click
import grpc

from gateway_hook.client import METHOD, Front, Own, request, with_own
from gateway_hook.wire.check_pb2 import CheckResult
from wakequeue.arguments import REVISION
from wakequeue.revision import Revision
from wakequeue.setting_sources import load

if TYPE_CHECKING:
    Check = grpc.aio.UnaryUnaryMultiCallable[bytes, CheckResult]

#: As many as one Mixer has in flight.
IN_FLIGHT: Final = 1_024


@click.command()
@click.argument("revision", type=REVISION, metavar="NAMESPACE/REVISION")
@click.option("--count", type=click.IntRange(min=1), default=1, show_default=True, help="How many calls, all at once.")
@click.option("--timeout", type=click.FloatRange(min=0.01), default=5.0, show_default=True, help="Seconds that a call may take.")
@with_own
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def call(*, revision: Revision, count: int, timeout: float, own: Own, as_json: bool) -> None:
    """Call the front as a gateway does when a request arrives for a Revision.

    It has the front's settings: where it is, its token, its certificate. The options are for a caller that has others.
    """
    front = Front.of(load(), own)
    began = time.perf_counter()
    try:
        seconds = asyncio.run(_call_all(front, revision, count, timeout))
    except grpc.aio.AioRpcError as error:
        msg = f"the front at {front.address} did not answer: {error.code().name}, {error.details()}"
        raise click.ClickException(msg) from error
    took = time.perf_counter() - began
    figures = {"calls": count, "seconds": took, "p50_ms": _percentile(seconds, 50), "p99_ms": _percentile(seconds, 99)}
    if as_json:
        click.echo(json.dumps({"revision": str(revision)} | figures))
    else:
        click.echo(
            f"{revision}: {count} call{'s' * (count > 1)} answered OK in {took:.2f} s "
            f"(p50 {figures['p50_ms']:.1f} ms, p99 {figures['p99_ms']:.1f} ms)"
        )


async def _call_all(front: Front, revision: Revision, count: int, deadline: float) -> list[float]:
    asked = request(revision)
    in_flight = asyncio.Semaphore(IN_FLIGHT)
    async with front.channel() as channel:
        check: Check = channel.unary_unary(METHOD, response_deserializer=CheckResult.FromString)

        async def one() -> float:
            async with in_flight:
                began = time.perf_counter()
                await check(asked, timeout=deadline, metadata=front.metadata)
                return time.perf_counter() - began

        return await asyncio.gather(*(one() for _ in range(count)))


def _percentile(seconds: list[float], percent: int) -> float:
    """In milliseconds."""
    return 1000 * (seconds[0] if len(seconds) == 1 else quantiles(seconds, n=100, method="inclusive")[percent - 1])
