"""The examination of what listens on this machine: a front's gRPC, HTTP and admin ports, and Flower's."""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from functools import partial
from http.client import HTTPException
from typing import Final

from wakequeue.doctor import grpc_port
from wakequeue.doctor.aside import aside
from wakequeue.doctor.causes import finding, why
from wakequeue.doctor.finding import Finding
from wakequeue.doctor.places import reached_at
from wakequeue.setting_types import Address
from wakequeue.settings import Settings

SECONDS: Final = 3.0
OK: Final = 200

#: As the kubelet's own, which wakes nothing.
PROBE: Final = {"User-Agent": "kube-probe/wakequeue", "Connection": "close"}

Answer = tuple[int, str]
"""An HTTP status, and the text."""

#: Whatever proxy the environment names is not for this machine's own ports.
_DIRECTLY: Final = urllib.request.build_opener(urllib.request.ProxyHandler({}))


async def examine(settings: Settings) -> list[Finding]:
    """What is found of each."""
    each: tuple[Callable[[Settings], list[Finding]], ...] = (grpc_port.examine, _http, _admin, _flower)
    return [one for found in await asyncio.gather(*(aside(partial(look, settings)) for look in each)) for one in found]


def http(answer: Answer | Exception, settings: Settings) -> Finding:
    """The HTTP port answers a probe."""
    place = f"http://{settings.http_address}"
    match answer:
        case Exception():
            return unanswered("http", place, answer)
        case (200, _):
            return Finding.ok("http", f"{place} answers a probe")
        case (503, text) if "draining" in text:
            return Finding.warning("http", f"{place} answers, and is being stopped", "Look again")
        case (status, _):
            words = f"{place} answers a probe with HTTP {status}, and may not be wakequeue"
            return Finding.error("http", words, "See what listens there, or correct http_address")


def admin(answer: Answer | Exception, settings: Settings) -> Finding:
    """A process that serves the admin port is ready."""
    place = f"http://{settings.admin_address}/readyz"
    match answer:
        case Exception():
            return unanswered("admin", place, answer)
        case (200, _):
            return Finding.ok("admin", f"{place} says that it is ready")
        case (503, text):
            failed = ", ".join(line.partition(":")[0] for line in text.splitlines() if line.endswith(": failed"))
            return Finding.error("admin", f"{place} says that it isn't ready: {failed}", "See to what it names, and to its log")
        case (status, _):
            words = f"{place} answers HTTP {status}, and may not be wakequeue"
            return Finding.error("admin", words, "See what listens there, or correct admin_address")


def flower(answer: Answer | Exception, settings: Settings) -> Finding:
    """Flower answers; it would not, had it no password and an address that other machines reach."""
    place = f"http://{settings.flower_address}"
    match answer:
        case Exception():
            return unanswered("flower", place, answer)
        case (200, _):
            return Finding.ok("flower", f"{place} answers")
        case (status, _):
            words = f"{place} answers HTTP {status}, and may not be Flower"
            return Finding.error("flower", words, "See what listens there, or correct flower_address")


def unanswered(subject: str, place: str, error: Exception) -> Finding:
    """Nothing listens, which is well where the doctor runs elsewhere than what would; or what does doesn't answer."""
    found = why(error)
    if found and found.cause == "refused":
        return Finding.ok(subject, f"nothing listens at {place} on this machine")
    if found:
        return finding(subject, place, found, subject)
    return Finding.error(subject, f"{place} doesn't answer: {error or type(error).__name__}", "See what listens there, and its log")


def _http(settings: Settings) -> list[Finding]:
    return [http(_get(settings.http_address, "/", PROBE), settings)]


def _admin(settings: Settings) -> list[Finding]:
    return [admin(_get(settings.admin_address, "/readyz"), settings)]


def _flower(settings: Settings) -> list[Finding]:
    return [flower(_get(settings.flower_address, "/healthcheck"), settings)]


def _get(address: Address, path: str, headers: Mapping[str, str] | None = None) -> Answer | Exception:
    """GET a path: what came of it."""
    request = urllib.request.Request(f"http://{reached_at(address)}{path}", headers=dict(headers or {}))
    try:
        with _DIRECTLY.open(request, timeout=SECONDS) as answer:
            return answer.status, answer.read(1 << 16).decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read(1 << 16).decode(errors="replace")
    except (OSError, HTTPException) as error:
        return error
