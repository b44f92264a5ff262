"""`wakequeue call`: real calls to the front, in Mixer's wire format, as a gateway would make them."""

import asyncio
import json
import time
from statistics import quantiles
from typing import TYPE_CHECKING, BinaryIO, Final

import click
import grpc

from gateway_hook.client import Front, Own
from gateway_hook.mixer.templates import AUTHORIZATION
from gateway_hook.wire.authorization_pb2 import ActionMsg, HandleAuthorizationRequest, InstanceMsg
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
@click.option("--ca", type=click.File("rb"), help="Trust the authorities in this file, not the front's certificate alone.")
@click.option(
    "--identity",
    type=(click.File("rb"), click.File("rb")),
    metavar="CERTIFICATE KEY",
    help="Show the certificate in these files, not the front's own.",
)
@click.option("--server-name", help="The host that the front's certificate names, where it isn't that of its address.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def call(  # noqa: PLR0913  click passes each option as an argument
    *,
    revision: Revision,
    count: int,
    timeout: float,
    ca: BinaryIO | None,
    identity: tuple[BinaryIO, BinaryIO] | None,
    server_name: str | None,
    as_json: bool,
) -> None:
    """Call the front as a gateway does when a request arrives for a Revision.

    It has the front's settings: where it is, its token, its certificate. The options are for a caller that has others.
    """
    certificate, key = (file.read() for file in identity) if identity else (None, None)
    front = Front.of(load(), Own(ca.read() if ca else None, certificate, key, server_name))
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
    request = HandleAuthorizationRequest(
        instance=InstanceMsg(
            name=b"wakequeue.instance.istio-system",
            action=ActionMsg(namespace=revision.namespace.encode(), service=revision.name.encode(), method=b"GET", path=b"/"),
        )
    ).SerializeToString()
    in_flight = asyncio.Semaphore(IN_FLIGHT)
    async with front.channel() as channel:
        check: Check = channel.unary_unary(
            f"/{AUTHORIZATION.service}/{AUTHORIZATION.method}", response_deserializer=CheckResult.FromString
        )

        async def one() -> float:
            async with in_flight:
                began = time.perf_counter()
                await check(request, timeout=deadline, metadata=front.metadata)
                return time.perf_counter() - began

        return await asyncio.gather(*(one() for _ in range(count)))


def _percentile(seconds: list[float], percent: int) -> float:
    """In milliseconds."""
    return 1000 * (seconds[0] if len(seconds) == 1 else quantiles(seconds, n=100, method="inclusive")[percent - 1])
