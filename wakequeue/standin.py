"""A stand-in for Knative's Autoscaler: it reads the stat protocol, prints each stat, and says the scale that it would choose.

It is for trying wakequeue out without a cluster. The scale is Knative's simplest: values of one second are summed, averaged
over the seconds between the first and the last (at most the stable window), and divided by the target
(knative.dev/serving pkg/autoscaler/aggregation and scaling/autoscaler.go). It never scales down to zero by itself.
"""

import asyncio
import math
import time
from collections import defaultdict
from http import HTTPStatus
from typing import Final

import click
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from wakequeue.arguments import STANDIN
from wakequeue.codecs import Codec, codec_for
from wakequeue.errors import CannotStart
from wakequeue.logs import configure_logging
from wakequeue.revision import Revision
from wakequeue.setting_sources import load
from wakequeue.setting_types import Address
from wakequeue.stat import StatMessage
from wakequeue.stopping import told_to_stop

#: Knative's defaults: 70 % of 100 concurrent requests a pod, averaged over 60 s.
TARGET: Final = 70.0
STABLE_WINDOW: Final = 60


class Scale:
    """The scale of each Revision, from the stats of the stable window."""

    def __init__(self) -> None:
        self._seconds: dict[Revision, dict[int, float]] = defaultdict(lambda: defaultdict(float))

    def add(self, message: StatMessage, now: float) -> int:
        """Take a stat in at Unix time `now`; returns the pods that its Revision should have."""
        second = math.floor(now)
        seconds = self._seconds[message.revision]
        seconds[second] += message.concurrency
        for old in [one for one in seconds if one <= second - STABLE_WINDOW]:
            del seconds[old]
        average = sum(seconds.values()) / (second - min(seconds) + 1)
        return math.ceil(average / TARGET)


@click.command()
@click.option("--address", default=STANDIN, show_default=True, help="Where to listen for stats: HOST:PORT.")
def autoscaler(address: str) -> None:
    """Run a stand-in for Knative's Autoscaler that prints each stat."""
    try:
        place = Address.parse(address)
    except ValueError as error:
        raise click.BadParameter(Address.allowed, param_hint="--address") from error
    settings = load()
    configure_logging(settings.log_format, "autoscaler")
    asyncio.run(_serve(place, codec_for(settings.knative_release)))


async def _serve(address: Address, codec: Codec) -> None:
    scale = Scale()

    async def read(connection: ServerConnection) -> None:
        try:
            async for frame in connection:
                _print(frame, codec, scale)
        except ConnectionClosed:
            pass

    told = told_to_stop()
    try:
        server = await serve(read, address.host, address.port, process_request=_probed, compression=None, max_size=None)
    except OSError as error:
        msg = f"can't listen on {address}: {error.strerror}"
        raise CannotStart(msg) from error
    click.echo(f"stand-in Autoscaler listens on ws://{address}")
    await told.wait()
    server.close()
    await server.wait_closed()


def _probed(connection: ServerConnection, request: Request) -> Response | None:
    """The answer to a probe; None for what opens a WebSocket."""
    return connection.respond(HTTPStatus.OK, "ok\n") if request.path == "/livez" else None


def _print(frame: bytes | str, codec: Codec, scale: Scale) -> None:
    try:
        messages = codec.decode(frame)
    except ValueError as error:
        click.echo(f"unreadable frame of {len(frame)} bytes: {error}", err=True)
        return
    for message in messages:
        pods = scale.add(message, time.time())
        numbers = f"concurrency={message.concurrency:g} requests={message.requests}"
        click.echo(f"stat {message.revision} {numbers} pod={message.pod_name} scale={pods}")
