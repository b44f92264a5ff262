"""Flower's door: lets in who shows the password, or, where none is set, who is on this machine.

It stands before Flower's routes, because Flower leaves some of its own to anybody: /metrics, what isn't found, and OPTIONS of all.
Behind it Flower asks once more, and refuses what a page of another site sends with a browser's credentials; nor may such a page
have Flower in a frame.

Without a password a page of another site could be behind a request too, by a name of its own for this machine. Such a name is not
let in, Flower answers nothing at its API, and shows no button for what that would do.
"""

import hmac
import os
from base64 import b64encode
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from flower.app import Flower  # type: ignore[import-untyped]
from flower.options import options  # type: ignore[import-untyped]
from flower.views import BaseHandler  # type: ignore[import-untyped]
from flower.views.monitor import Healthcheck  # type: ignore[import-untyped]
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.web import RequestHandler

from wakequeue.errors import SettingsError
from wakequeue.setting_files import read_secret
from wakequeue.setting_types import is_loopback
from wakequeue.settings import Settings

#: What a probe asks: it says no more than OK.
OPEN: Final = "/healthcheck"

#: Said of a request by a proxy, which lets in whom it will, and comes from this machine itself.
FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip")

#: Flower's variables that would open the door, or that Kubernetes sets for a Service whose name is `flower`.
IGNORED: Final = ("FLOWER_UNAUTHENTICATED_API", "FLOWER_PORT")


def credentials(settings: Settings) -> list[str]:
    """`user:password`, the file read now and not again; nothing where none is set.

    Raises SettingsError where they can't be used, or are told to Flower itself, and where there are none at an address that other
    machines reach.
    """
    if "FLOWER_BASIC_AUTH" in os.environ:
        msg = "FLOWER_BASIC_AUTH is not read: set flower_user, and flower_password_file or flower_password"
        raise SettingsError(msg)
    address = settings.flower_address
    password = settings.flower_password.reveal()
    if settings.flower_password_file:
        password = _read(settings.flower_password_file)
    if not password and not is_loopback(address.host):
        msg = (
            f"WAKEQUEUE_FLOWER_ADDRESS = {str(address)!r}: other machines reach it, so flower_password_file or flower_password "
            "must be set too"
        )
        raise SettingsError(msg)
    return [f"{settings.flower_user}:{password}"] if password else []


def _read(path: str) -> str:
    try:
        password = read_secret(path)
    except (OSError, ValueError) as error:
        msg = f"WAKEQUEUE_FLOWER_PASSWORD_FILE = {path!r}: can't be read"
        raise SettingsError(msg) from error
    if not password.isascii():  # Flower could not compare it
        msg = f"WAKEQUEUE_FLOWER_PASSWORD_FILE = {path!r}: allowed is a password of printable ASCII characters"
        raise SettingsError(msg)
    return password


class Door:
    """Who may look, by these credentials."""

    def __init__(self, credentials: list[str]) -> None:
        self._shown = [b"Basic " + b64encode(one.encode()) for one in credentials]

    def refuses(self, request: HTTPServerRequest) -> HTTPStatus | None:
        """The status for one who may not come in; None for any other."""
        if self._shown:
            shown = request.headers.get("Authorization", "").encode()
            return None if any(hmac.compare_digest(shown, one) for one in self._shown) else HTTPStatus.UNAUTHORIZED
        here = is_loopback(request.remote_ip or "") and is_loopback(request.host_name.strip("[]"))
        return None if here and not any(name in request.headers for name in FORWARDED) else HTTPStatus.FORBIDDEN


class Refused(RequestHandler):
    """Answers what was refused, whatever it asked for."""

    def initialize(self, status: HTTPStatus) -> None:
        """Take the status of the answer."""
        self._refusal = status

    def check_xsrf_cookie(self) -> None:
        """Not asked for: nothing is done."""

    def prepare(self) -> None:
        """Answer, before any method of the request is looked for."""
        self.set_status(self._refusal)
        if self._refusal == HTTPStatus.UNAUTHORIZED:
            self.set_header("WWW-Authenticate", 'Basic realm="wakequeue"')
        self.finish(f"{self._refusal.phrase}\n")


def install(settings: Settings) -> None:
    """Have Flower, should this process become one, read our configuration, and stand behind the door.

    Raises SettingsError as `credentials` does.
    """
    door = Door(credentials(settings))
    options.conf = str(Path(__file__).with_name("flowerconfig.py"))
    for name in IGNORED:
        os.environ.pop(name, None)
    routes, headers = Flower.find_handler, BaseHandler.set_default_headers

    def find_handler(self: Flower, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate:  # noqa: ANN401  tornado's
        if request.path == OPEN:  # whatever prefix the other routes have
            found = self.get_handler_delegate(request, Healthcheck)
        elif refusal := door.refuses(request):
            found = self.get_handler_delegate(request, Refused, {"status": refusal})
        else:
            found = routes(self, request, **kwargs)
        assert isinstance(found, HTTPMessageDelegate)
        return found

    def set_default_headers(self: BaseHandler) -> None:
        headers(self)
        self.set_header("Content-Security-Policy", "frame-ancestors 'none'")

    Flower.find_handler, BaseHandler.set_default_headers = find_handler, set_default_headers
