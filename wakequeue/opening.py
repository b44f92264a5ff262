"""What a connection to the Autoscaler is opened with: read anew for each, so that another certificate or token needs no restart."""

import ssl
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from websockets.headers import build_authorization_basic

from wakequeue.setting_files import read_secret
from wakequeue.settings import Settings

#: Knative's own client: 3 s for the handshake (knative.dev/pkg websocket/connection.go).
HANDSHAKE_SECONDS: Final = 3.0

#: Knative's server echoes a close frame and leaves the TCP connection open: don't wait for it.
CLOSE_SECONDS: Final = 0.1


def opening(endpoint: str, settings: Settings) -> dict[str, Any]:
    """Arguments for websockets' `connect`; what it raises, and thus what is logged, can't name a user or a password.

    Raises OSError where a file can't be used.
    """
    url = urlsplit(endpoint)
    bare = url._replace(netloc=url.netloc.rpartition("@")[2]).geturl()
    return {
        "uri": bare,
        "additional_headers": _authorization(url.username, url.password, settings.autoscaler_token_file),
        "ssl": _context(settings) if url.scheme == "wss" else None,
        "ssl_shutdown_timeout": CLOSE_SECONDS if url.scheme == "wss" else None,
        "compression": None,
        "proxy": None,
        "open_timeout": HANDSHAKE_SECONDS,
        "close_timeout": CLOSE_SECONDS,
        "user_agent_header": "wakequeue",
    }


def _authorization(username: str | None, password: str | None, token_file: str) -> dict[str, str]:
    if token_file:
        try:
            return {"Authorization": f"Bearer {read_secret(token_file)}"}
        except ValueError as error:
            raise OSError(str(error)) from error
    if username and password:
        return {"Authorization": build_authorization_basic(unquote(username), unquote(password))}
    return {}


def _context(settings: Settings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.autoscaler_ca_file or None)
    if settings.autoscaler_certificate_file:
        context.load_cert_chain(settings.autoscaler_certificate_file, settings.autoscaler_key_file)
    return context
