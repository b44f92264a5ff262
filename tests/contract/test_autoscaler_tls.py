"""The connection to the Autoscaler over TLS, and what it shows to be let in."""

import base64
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.certificates import Authority
from support.stat_server import StatServer
from support.tls_relay import server_tls
from support.waiting import wait_until

from wakequeue.codecs.protobuf import ProtobufCodec
from wakequeue.errors import AutoscalerUnavailable
from wakequeue.opening import opening
from wakequeue.revision import Revision
from wakequeue.setting_sources import load
from wakequeue.settings import Settings
from wakequeue.stat import StatMessage
from workers.autoscaler import AutoscalerConnection

FRAME = ProtobufCodec().encode(StatMessage(Revision("shop", "cart"), "pod", 1.0, 1), 0.0)
BASIC = f"Basic {base64.b64encode(b'ann:hunter:2@').decode()}"

Connect = Callable[..., AutoscalerConnection]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Everything that ends with the test."""
    with ExitStack() as everything:
        yield everything


@pytest.fixture
def connect(stack: ExitStack) -> Connect:
    """Makes connections with settings as an operator gives them; they are closed with the test."""

    def make(endpoint: str, **files: Path) -> AutoscalerConnection:
        environ = {f"WAKEQUEUE_AUTOSCALER_{name.upper()}": str(path) for name, path in files.items()}
        quick = {"WAKEQUEUE_RECONNECT_AFTER": "10ms", "WAKEQUEUE_RECONNECT_AT_MOST": "50ms"}
        settings = load({"AUTOSCALER_ENDPOINT": endpoint, **environ, **quick})
        made = AutoscalerConnection(settings.autoscaler_endpoint, settings, joins=True)
        stack.callback(made.close)
        return made

    return make


def connected(connection: AutoscalerConnection) -> None:
    """Wait for it, and send a frame."""
    wait_until(lambda: connection.connected, 10, "the connection")
    connection.send([FRAME])


def refused(connection: AutoscalerConnection) -> None:
    """It sends nothing."""
    with pytest.raises(AutoscalerUnavailable):
        connection.send([FRAME])


def test_mutual_tls(stack: ExitStack, connect: Connect, tmp_path: Path) -> None:
    """The server is verified by the authority in the file alone, and by its name; it gets the certificate that it wants."""
    mine, strange = Authority(tmp_path, "mine"), Authority(tmp_path, "strange")
    tls = server_tls(mine.issue("server"), clients=mine.certificate)
    server = stack.enter_context(StatServer(tls=tls))
    pair = mine.issue("wakequeue")
    files = {"certificate_file": pair.certificate, "key_file": pair.key}
    connected(connect(server.url, ca_file=mine.certificate, **files))
    connected(connect(server.url.replace("127.0.0.1", "localhost"), ca_file=mine.certificate, **files))
    refused(connect(server.url, ca_file=mine.certificate))
    refused(connect(server.url, ca_file=strange.certificate, **files))
    refused(connect(server.url, **files))
    assert server.connections == 2


def test_another_hosts_certificate_is_refused(stack: ExitStack, connect: Connect, tmp_path: Path) -> None:
    """A good authority is not enough: the name has to be that of the endpoint."""
    mine = Authority(tmp_path, "mine")
    server = stack.enter_context(StatServer(tls=server_tls(mine.issue("server")), host="127.0.0.2"))
    refused(connect(server.url, ca_file=mine.certificate))


def test_rotated_certificates_count_for_the_next_connection(stack: ExitStack, connect: Connect, tmp_path: Path) -> None:
    """Another authority and another certificate in the same files need no restart."""
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    server = stack.enter_context(StatServer(tls=server_tls(old.issue("server"), clients=old.certificate)))
    mine, ca = old.issue("mine"), tmp_path / "ca.pem"
    ca.write_bytes(old.certificate.read_bytes())
    connection = connect(server.url, ca_file=ca, certificate_file=mine.certificate, key_file=mine.key)
    connected(connection)
    server.stop()
    server.tls = server_tls(new.issue("server"), clients=new.certificate)
    server.start()
    refused(connection)
    ca.write_bytes(new.certificate.read_bytes())
    new.issue("mine")
    connected(connection)


def test_a_user_and_a_password(stack: ExitStack, connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """Those of the endpoint are shown to the server, and to nobody else."""
    server = stack.enter_context(StatServer(authorization=BASIC))
    with caplog.at_level(logging.INFO):
        connected(connect(server.url.replace("//", "//ann:hunter%3A2%40@")))
        refused(connect(server.url.replace("//", "//ann:hunter%3A3%40@")))
        refused(connect(server.url))
        wait_until(lambda: caplog.text.count("HTTP 401") >= 2, 10, "both refusals")
    assert "endpoint=ws://***@127.0.0.1" in caplog.text
    assert "hunter" not in caplog.text
    assert "ann" not in caplog.text


def test_a_token(stack: ExitStack, connect: Connect, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A file's token is shown, and is read anew for each connection; a file that is empty meanwhile ends nothing."""
    server = stack.enter_context(StatServer(authorization="Bearer hunter2"))
    token = tmp_path / "token"
    token.write_text("hunter2\n")
    with caplog.at_level(logging.INFO):
        connection = connect(server.url, token_file=token)
        connected(connection)
        server.stop()
        token.write_text("")
        server.authorization = "Bearer hunter3"
        server.start()
        refused(connection)
        token.unlink()
        refused(connection)
        assert connection.alive
        token.write_text("hunter3\n")
        connected(connection)
    assert "hunter" not in caplog.text


def test_no_uri_that_websockets_could_log_has_a_credential() -> None:
    """User and password leave the URI, whatever else is in it; without any, nothing is shown."""
    shown, hidden = opening("ws://a:1", Settings()), opening("ws://ann:hunter%3A2%40@[::1]:8080/path?x=1", Settings())
    assert (shown["uri"], shown["additional_headers"]) == ("ws://a:1", {})
    assert (hidden["uri"], hidden["additional_headers"]) == ("ws://[::1]:8080/path?x=1", {"Authorization": BASIC})
