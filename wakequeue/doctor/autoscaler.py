"""The examination of the Autoscaler: it is opened as a worker opens it, and pinged; nothing is reported."""

import asyncio
import socket
import time
from functools import partial
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, WebSocketException

from wakequeue.doctor.aside import aside
from wakequeue.doctor.causes import finding, why
from wakequeue.doctor.finding import Finding
from wakequeue.opening import opening
from wakequeue.setting_shown import masked
from wakequeue.settings import Settings

SUBJECT: Final = "autoscaler"

PONG_SECONDS: Final = 3.0

#: A pong that takes longer is said: each wake-up waits for one.
SLOW_SECONDS: Final = 0.1

REFUSED: Final = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


async def examine(settings: Settings) -> list[Finding]:
    """What is found of it."""
    if not settings.autoscaler_endpoint:
        words = "autoscaler_endpoint is not set: only `wakequeue up` brings a stand-in"
        return [Finding.warning(SUBJECT, words, "Set it to Knative's Autoscaler")]
    try:
        await aside(partial(_look_up, settings))
        seconds = await _pong(settings)
    except (OSError, WebSocketException) as error:
        return [refused(error, settings)]
    return [answered(seconds, settings)]


def answered(seconds: float, settings: Settings) -> Finding:
    """It answered a ping after so long. Which frames it reads, no answer tells."""
    words = f"{masked(settings.autoscaler_endpoint)} answers a ping in {seconds * 1000:.1f} ms"
    if seconds > SLOW_SECONDS:
        return Finding.warning(SUBJECT, f"{words}, and each wake-up waits for one", "Run workers nearer by, and see what keeps it")
    sent = f"it is sent {settings.knative_release.format} frames, and would drop in silence what its release doesn't read"
    return Finding.ok(SUBJECT, f"{words}; {sent}")


def refused(error: Exception, settings: Settings) -> Finding:
    """It can't be opened, or doesn't answer."""
    place = f"the Autoscaler at {masked(settings.autoscaler_endpoint)}"
    match error:
        case InvalidStatus() if error.response.status_code in REFUSED:
            words = f"{place} refuses the credentials: HTTP {error.response.status_code}"
            return Finding.error(SUBJECT, words, "Correct autoscaler_token_file, or the user and password in autoscaler_endpoint")
        case InvalidStatus():
            words = f"{place} is an HTTP server and no stat server: HTTP {error.response.status_code}"
            return Finding.error(SUBJECT, words, "Correct autoscaler_endpoint: the stat server's port is 8080")
        case ConnectionClosed():
            words = f"{place} closed the connection: {error}"
            return Finding.error(SUBJECT, words, "It may be restarting: look again, and at its log")
        case _ if found := why(error):
            return finding(SUBJECT, place, found, "autoscaler")
        case InvalidHandshake():
            words = f"{place} is no WebSocket server: {error}"
            return Finding.error(SUBJECT, words, "Correct autoscaler_endpoint: the stat server's port is 8080")
    words = f"{place} can't be opened: {error or type(error).__name__}"
    return Finding.error(SUBJECT, words, "See to the network between here and there")


def _look_up(settings: Settings) -> None:
    """Find the name's addresses. Raises OSError where it has none."""
    url = urlsplit(settings.autoscaler_endpoint)
    socket.getaddrinfo(url.hostname, url.port, type=socket.SOCK_STREAM)


async def _pong(settings: Settings) -> float:
    """How many seconds a ping took to be answered."""
    async with connect(**opening(settings.autoscaler_endpoint, settings), ping_interval=None) as websocket:
        began = time.perf_counter()
        async with asyncio.timeout(PONG_SECONDS):
            await (await websocket.ping())
        return time.perf_counter() - began
