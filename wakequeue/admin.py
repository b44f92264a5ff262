"""The admin port of a process: /metrics for Prometheus, /livez and /readyz for its supervisor."""

import socket
import threading
from collections.abc import Callable, Iterable
from socketserver import TCPServer, ThreadingMixIn
from typing import TYPE_CHECKING
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app
from prometheus_client.registry import CollectorRegistry

from wakequeue.errors import CannotStart
from wakequeue.events import Event, warning
from wakequeue.setting_types import Address

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

Check = Callable[[], dict[str, bool]]
"""Names what must hold, and whether it does."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def server_bind(self) -> None:
        """Bind without the name look-up of the base class, which can hang where there is no resolver."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()


class _Server6(_Server):
    address_family = socket.AF_INET6


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the signature of the base class
        """Say nothing: a probe each second is no news."""


class AdminServer:
    """Serves from a thread of its own until it is closed.

    Where the address is taken it serves on any free port and says so: wake-ups are worth more than their metrics.
    """

    def __init__(self, address: Address, *, live: Check, ready: Check, registry: CollectorRegistry) -> None:
        app = _routes(live, ready, registry)
        server = _Server6 if ":" in address.host else _Server
        try:
            self._server = make_server(address.host, address.port, app, server, _QuietHandler)
        except OSError as error:
            self._server = _on_any_port(address, app, server)
            warning(Event.ADMIN_PORT_TAKEN, wanted=address, serving=self.port, error=error.strerror)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), name="admin", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return self._server.server_port

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _on_any_port(address: Address, app: "WSGIApplication", server: type[_Server]) -> _Server:
    try:
        return make_server(address.host, 0, app, server, _QuietHandler)
    except OSError as error:
        msg = f"can't listen on {address} (WAKEQUEUE_ADMIN_ADDRESS): {error.strerror}"
        raise CannotStart(msg) from error


def _routes(live: Check, ready: Check, registry: CollectorRegistry) -> "WSGIApplication":
    metrics: WSGIApplication = make_wsgi_app(registry)
    checks = {"/livez": live, "/readyz": ready}

    def app(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            return metrics(environ, start_response)
        if path not in checks:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"/metrics, /livez or /readyz\n"]
        results = checks[path]()
        start_response("200 OK" if all(results.values()) else "503 Service Unavailable", [("Content-Type", "text/plain")])
        return [f"{name}: {'ok' if good else 'failed'}\n".encode() for name, good in results.items()]

    return app
