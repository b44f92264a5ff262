"""Redis over TLS, as a user, with a password from a file: front, worker, commands and Flower, and what is refused."""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError
from support.certificates import Authority
from support.flower import shown_by_flower
from support.installation import Installation, Running
from support.mixer import check_all, request
from support.processes import BIN, Process, free_port
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.tls_relay import TlsRelay
from support.waiting import all_closed, wait_until

from wakequeue.broker import make_app
from wakequeue.embedded import server_command
from wakequeue.reach import Reach
from wakequeue.setting_sources import load

WAKEQUEUE = str(BIN / "wakequeue")
PASSWORD = "hunter/2@%"
ACL = ("--user", "ann", "on", f">{PASSWORD}", "~*", "&*", "+@all", "--user", "default", "off")


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Everything that ends with the test."""
    with ExitStack() as everything:
        yield everything


def deliver(started: Installation, stat_server: StatServer, name: str) -> tuple[Running, Running]:
    """A front and a worker that deliver a call, and the ledger's figures that show it."""
    hook, worker = started.hook(), started.worker()
    check_all(hook.grpc_address, [request(b"default", name.encode())])
    stat_server.wait_for(f"default/{name}")

    def settled() -> bool:
        status = started.start([WAKEQUEUE, "status", "--json"])
        assert status.wait() == 0, status.output
        return bool(json.loads(status.output)["settled_calls"] == 1)

    wait_until(settled, what="`status` to say that it is settled")
    return hook, worker


def test_as_a_user_over_mutual_tls(tmp_path: Path, stack: ExitStack, stat_server: StatServer) -> None:
    """Front, worker, `status` and Flower work as an ACL user, in database 3, over TLS that wants their certificate."""
    authority = Authority(tmp_path)
    server, mine = authority.issue("redis"), authority.issue("wakequeue")
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    redis = stack.enter_context(RedisServer(*ACL, user=("ann", PASSWORD)))
    relay = stack.enter_context(TlsRelay(redis.socket, server, clients=authority.certificate))
    env = {
        "WAKEQUEUE_REDIS_CA_FILE": str(authority.certificate),
        "WAKEQUEUE_REDIS_CERTIFICATE_FILE": str(mine.certificate),
        "WAKEQUEUE_REDIS_KEY_FILE": str(mine.key),
        "WAKEQUEUE_REDIS_PASSWORD_FILE": str(password),
    }
    started = stack.enter_context(Installation(f"rediss://ann@localhost:{relay.port}/3", stat_server.url, env))
    _, worker = deliver(started, stat_server, "hello")
    shown_by_flower(started, worker)
    assert set(redis.client.info("keyspace")) == {"db3"}
    assert relay.handshakes > 3


def test_as_a_user_at_a_socket(stack: ExitStack, stat_server: StatServer) -> None:
    """All of them work as an ACL user at a Unix socket too."""
    redis = stack.enter_context(RedisServer(*ACL, user=("ann", PASSWORD)))
    started = stack.enter_context(Installation(f"{redis.url}?db=2", stat_server.url))
    _, worker = deliver(started, stat_server, "hello")
    shown_by_flower(started, worker)
    assert set(redis.client.info("keyspace")) == {"db2"}


def test_rotated_files_count_for_new_connections(tmp_path: Path, stack: ExitStack, stat_server: StatServer) -> None:
    """With every certificate and the password changed, front and worker go on without a restart, and lose no call."""
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    redis = stack.enter_context(RedisServer(password="first"))
    relay = stack.enter_context(TlsRelay(redis.socket, old.issue("server"), clients=old.certificate))
    mine, password, ca = old.issue("mine"), tmp_path / "password", tmp_path / "ca.pem"
    ca.write_bytes(old.certificate.read_bytes())
    password.write_text("first")
    env = {
        "WAKEQUEUE_REDIS_CA_FILE": str(ca),
        "WAKEQUEUE_REDIS_CERTIFICATE_FILE": str(mine.certificate),
        "WAKEQUEUE_REDIS_KEY_FILE": str(mine.key),
        "WAKEQUEUE_REDIS_PASSWORD_FILE": str(password),
    }
    started = stack.enter_context(Installation(f"rediss://localhost:{relay.port}", stat_server.url, env))
    hook, worker = deliver(started, stat_server, "before")
    redis.client.config_set("requirepass", "second")
    relay.change(new.issue("server"), clients=new.certificate)
    check_all(hook.grpc_address, [request(b"default", b"meanwhile")])
    wait_until(lambda: hook.get("/readyz")[0] == worker.get("/readyz")[0] == 503, what="both to miss Redis")
    new.issue("mine")
    ca.write_bytes(new.certificate.read_bytes())
    password.write_text("second")
    stat_server.wait_for("default/meanwhile", within=20)
    wait_until(lambda: hook.get("/readyz")[0] == worker.get("/readyz")[0] == 200, what="both to be well")
    assert stat_server.requests()["default/meanwhile"] == 1


def ask(reach: Reach) -> None:
    """Ask as worker and commands do."""
    client = reach.client(2.0, retries=0)
    with client:
        client.ping()


def ask_on_asyncio(reach: Reach) -> None:
    """Ask as the front and Flower's page do."""

    async def ping() -> None:
        try:
            async with reach.asyncio_client(2.0, retries=0) as client:
                await client.ping()
        finally:
            await all_closed()  # redis-py waits for none that it gives up

    asyncio.run(ping())


def ask_by_kombu(reach: Reach) -> None:
    """Ask as Celery does."""
    with make_app(reach).connection_for_write() as connection:
        connection.connect()


CLIENTS = pytest.mark.parametrize("asked", [ask, ask_on_asyncio, ask_by_kombu])


@CLIENTS
def test_a_server_that_can_not_be_verified_is_refused(tmp_path: Path, stack: ExitStack, asked: Callable[[Reach], None]) -> None:
    """A strange authority, another host's name, and a client without the certificate that is wanted: none gets through."""
    mine, strange = Authority(tmp_path, "mine"), Authority(tmp_path, "strange")
    redis = stack.enter_context(RedisServer())

    def refusal(relay: TlsRelay, host: str, ca: Path | None, query: str = "") -> str:
        environ = {"REDIS_URL": f"rediss://{host}:{relay.port}{query}"}
        try:
            asked(Reach(load(environ | ({"WAKEQUEUE_REDIS_CA_FILE": str(ca)} if ca else {}))))
        except (RedisError, OSError) as error:
            return str(error)
        return ""

    relay = stack.enter_context(TlsRelay(redis.socket, mine.issue("server")))
    assert refusal(relay, "localhost", mine.certificate) == ""
    assert "CERTIFICATE_VERIFY_FAILED" in refusal(relay, "localhost", None)
    assert "CERTIFICATE_VERIFY_FAILED" in refusal(relay, "localhost", strange.certificate)
    assert "IP address mismatch" in refusal(relay, "127.0.0.2", mine.certificate)
    assert refusal(relay, "127.0.0.2", mine.certificate, "?ssl_check_hostname=false") == ""
    assert refusal(relay, "localhost", None, "?ssl_cert_reqs=none") == ""
    wants = stack.enter_context(TlsRelay(redis.socket, mine.issue("server"), clients=mine.certificate))
    assert refusal(wants, "localhost", mine.certificate)


@CLIENTS
def test_by_way_of_a_sentinel_over_tls(tmp_path: Path, stack: ExitStack, asked: Callable[[Reach], None]) -> None:
    """`sentinels://` speaks TLS to the Sentinel and to the primary, and shows both the certificate that they want."""
    authority = Authority(tmp_path)
    server, mine = authority.issue("redis"), authority.issue("wakequeue")
    redis = stack.enter_context(RedisServer())
    primary = stack.enter_context(TlsRelay(redis.socket, server, clients=authority.certificate))
    port = free_port()
    # The Sentinel can't speak TLS, so it never reaches the primary that it names; it has an hour to find that out.
    conf = f"bind 127.0.0.1\nport {port}\nsentinel monitor main 127.0.0.1 {primary.port} 1\n"
    (tmp_path / "sentinel.conf").write_text(f"{conf}sentinel down-after-milliseconds main 3600000\n")
    binary = server_command(str(tmp_path))[0]
    stack.enter_context(Process([binary, str(tmp_path / "sentinel.conf"), "--sentinel"], {}))
    relay = stack.enter_context(TlsRelay(port, server, clients=authority.certificate))
    environ = {
        "REDIS_URL": f"sentinels://localhost:{relay.port}/main",
        "WAKEQUEUE_REDIS_CA_FILE": str(authority.certificate),
        "WAKEQUEUE_REDIS_CERTIFICATE_FILE": str(mine.certificate),
        "WAKEQUEUE_REDIS_KEY_FILE": str(mine.key),
    }

    def answered() -> bool:
        try:
            asked(Reach(load(environ)))
        except (RedisError, OSError):
            return False
        return True

    wait_until(answered, what="the primary")
    assert relay.handshakes
    assert primary.handshakes


def test_a_password_file_that_is_gone_for_a_while(tmp_path: Path, stack: ExitStack) -> None:
    """A client that can't read its password is not connected, says why, and is when the file is back: for threads and asyncio."""
    redis = stack.enter_context(RedisServer(password="hunter2"))
    file = tmp_path / "password"
    file.write_text("hunter2")
    reach = Reach(load({"REDIS_URL": f"unix://{redis.socket}", "WAKEQUEUE_REDIS_PASSWORD_FILE": str(file)}))
    file.unlink()
    with reach.client(2.0, retries=0) as client:
        for _ in range(2):
            with pytest.raises(RedisConnectionError, match=r"the password can't be read: .*No such file"):
                client.ping()
        file.write_text("hunter2")
        assert client.ping()

    async def ping() -> None:
        async with reach.asyncio_client(2.0, retries=0) as client:
            for _ in range(2):
                with pytest.raises(RedisConnectionError, match=r"the password can't be read: .*not one line"):
                    await client.ping()
            file.write_text("hunter2")
            assert await client.ping()

    file.write_text("")
    asyncio.run(ping())
