"""`wakequeue doctor`, as an operator runs it, at an installation of which one thing after the other is broken."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.certificates import Authority
from support.processes import free_port
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.tls_relay import TlsRelay
from support.well import Found, Well, all_well, tells_times

from wakequeue import __version__
from wakequeue.ledger import Presence, Presences


@pytest.fixture(scope="module")
def well() -> Iterator[Well]:
    """An installation; who breaks a part of it mends it again."""
    with all_well() as started:
        yield started


def only(found: Found, subject: str) -> tuple[str, str]:
    """The one finding that isn't ok, which is of this subject: grade and words."""
    ((its, grade, words),) = found
    assert its == subject
    return grade, words


@contextmanager
def configured(well: Well, **config: str) -> Iterator[None]:
    """Redis is configured otherwise for a while."""
    names = {name.replace("_", "-"): value for name, value in config.items()}
    before = {name: well.redis.client.config_get(name)[name] for name in names}
    try:
        for name, value in names.items():
            well.redis.client.config_set(name, value)
        yield
    finally:
        for name, value in before.items():
            well.redis.client.config_set(name, value)


@contextmanager
def listening(answer: bytes = b"") -> Iterator[int]:
    """A port at which connections are taken, and answered with these bytes, or never."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = []

        def take() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                taken.append(connection)
                if answer:
                    connection.recv(1 << 16)
                    connection.sendall(answer)
                    connection.close()

        thread = threading.Thread(target=take, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)
        for connection in taken:
            connection.close()


def test_all_is_well(well: Well) -> None:
    """Exit code 0, every line ok, each subject in its place."""
    code, lines = well.doctor()
    assert code == 0
    assert {line.split()[0] for line in lines if not tells_times(line)} == {"ok"}
    subjects = list(dict.fromkeys(line.split()[1] for line in lines))
    first = ["settings", "redis", "broker", "ledger", "processes", "versions", "alike", "clocks", "autoscaler"]
    assert subjects == [*first, "grpc", "http", "admin", "flower", "cluster"]
    assert not well.stats.received


@pytest.mark.parametrize(
    ("config", "grade", "words"),
    [
        ({"appendonly": "no"}, "error", "nothing is persisted"),
        ({"appendonly": "no", "save": "3600 1"}, "warning", "since the last snapshot (save 3600 1"),
        ({"appendfsync": "no"}, "warning", "appendfsync is no"),
        ({"maxmemory_policy": "allkeys-lru", "maxmemory": "1gb"}, "error", "maxmemory-policy is allkeys-lru"),
        ({"maxmemory": "1"}, "error", "% of maxmemory (0.0 MiB) is used"),
        ({"min_replicas_to_write": "1"}, "error", "every write is refused"),
    ],
)
def test_a_redis_that_is_configured_otherwise(well: Well, config: dict[str, str], grade: str, words: str) -> None:
    """One finding says what that means."""
    with configured(well, **config):
        found = [one for one in well.against() if one[0] == "redis"]
    its, text = only(found, "redis")
    assert words in text
    assert its == grade


def test_a_wrong_password(well: Well) -> None:
    """It is the one error of Redis, and no password is shown."""
    with RedisServer(password="hunter2") as server:
        found = well.against(WAKEQUEUE_REDIS_URL=server.url.replace("hunter2", "hunter3"))
    grade, words = only(found, "redis")
    assert grade == "error"
    assert "refuses the user or the password" in words
    assert "hunter" not in words


def test_a_redis_that_is_not_there(well: Well) -> None:
    """Nothing listens, or there is no such name: both are said."""
    _, words = only(well.against(WAKEQUEUE_REDIS_URL=f"redis://127.0.0.1:{free_port()}"), "redis")
    assert words.endswith("can't be reached: nothing listens there")
    _, words = only(well.against(WAKEQUEUE_REDIS_URL="unix:///no/such/socket"), "redis")
    assert "no such" in words


def test_a_replica(well: Well) -> None:
    """It takes no writes: an error."""
    with RedisServer("--replicaof", "127.0.0.1", str(free_port())) as server:
        found = well.against(WAKEQUEUE_REDIS_URL=server.url)
    assert ("redis", "error", next(words for subject, _, words in found if subject == "redis")) in found
    assert any("is a replica, which takes no writes" in words for _, _, words in found)


def test_a_certificate_that_nobody_vouches_for(well: Well, tmp_path: Path) -> None:
    """It is an error, with the setting that names who does."""
    with TlsRelay(well.redis.socket, Authority(tmp_path).issue("redis")) as relay:
        _, lines = well.doctor(WAKEQUEUE_REDIS_URL=f"rediss://localhost:{relay.port}")
    (line,) = [line for line in lines if line.startswith("error")]
    assert "its certificate isn't trusted" in line
    assert "redis_ca_file" in line


def test_info_and_config_are_forbidden(well: Well) -> None:
    """As at managed services: what can't be known is said, and nothing else is wrong."""
    rules = ["on", ">word", "allkeys", "allchannels", "+@all", "-config", "-info"]
    client = well.redis.client
    client.execute_command("ACL", "SETUSER", "ours", *rules)
    found = well.against(WAKEQUEUE_REDIS_URL=f"unix://ours:word@{well.redis.socket}")
    assert only(found, "redis") == ("warning", "INFO is refused: how it is set up can't be known")
    client.execute_command("ACL", "SETUSER", "ours", "+info")
    found = well.found(WAKEQUEUE_REDIS_URL=f"unix://ours:word@{well.redis.socket}")
    assert {grade for _, grade, _ in found} == {"ok"}
    assert any("CONFIG doesn't tell" in words for _, _, words in found)


def test_everything_hangs(well: Well) -> None:
    """The doctor ends all the same, in some 10 s, and says of each that there was no answer in time."""
    with listening() as port:
        here = f"127.0.0.1:{port}"
        addresses = ("GRPC_ADDRESS", "HTTP_ADDRESS", "ADMIN_ADDRESS", "FLOWER_ADDRESS")
        began = time.monotonic()
        code, found = well.said(
            WAKEQUEUE_REDIS_URL=f"redis://{here}",
            WAKEQUEUE_AUTOSCALER_ENDPOINT=f"ws://{here}",
            **{f"WAKEQUEUE_{name}": here for name in addresses},
        )
        assert time.monotonic() - began < 20  # of which some are the interpreter's own
    assert code == 1
    wrong = {subject: words for subject, grade, words in found if grade == "error"}
    assert list(wrong) == ["redis", "autoscaler", "grpc", "http", "admin", "flower"]
    assert all("no answer in time" in words or "DEADLINE_EXCEEDED" in words for words in wrong.values())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "is an HTTP server and no stat server: HTTP 404"),
        (b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", "refuses the credentials: HTTP 401"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "is no WebSocket server"),
    ],
)
def test_an_autoscaler_that_is_none(well: Well, answer: bytes, words: str) -> None:
    """What it is instead is an error."""
    with listening(answer) as port:
        grade, text = only(endpoint(well, f"ws://127.0.0.1:{port}"), "autoscaler")
    assert grade == "error"
    assert words in text


def test_an_autoscaler_that_cannot_be_reached(well: Well, tmp_path: Path) -> None:
    """Its name, its port, its certificate: each is named; a password is not shown."""
    for url, words in (
        (f"ws://ann:hunter2@127.0.0.1:{free_port()}", "nothing listens there"),
        ("ws://autoscaler.knative-serving.invalid:8080", "its name has no address"),
    ):
        _, text = only(endpoint(well, url), "autoscaler")
        assert text.endswith(words)
        assert "hunter2" not in text
    authority = Authority(tmp_path)
    pair = authority.issue("autoscaler")
    with TlsRelay(well.stats.port, pair) as relay:
        url = f"wss://localhost:{relay.port}"
        assert "its certificate isn't trusted" in only(endpoint(well, url), "autoscaler")[1]
        assert not endpoint(well, url, WAKEQUEUE_AUTOSCALER_CA_FILE=str(authority.certificate))


def test_an_autoscaler_that_wants_a_token(well: Well, tmp_path: Path) -> None:
    """With it all is well, over TLS or not."""
    token = tmp_path / "token"
    token.write_text("let-me-in\n")
    with StatServer(authorization="Bearer let-me-in") as server:
        assert "HTTP 401" in only(endpoint(well, server.url), "autoscaler")[1]
        assert not endpoint(well, server.url, WAKEQUEUE_AUTOSCALER_TOKEN_FILE=str(token))


def endpoint(well: Well, url: str, **env: str) -> Found:
    """What is found of this endpoint, and of whatever else isn't the doctor's having another one than the worker."""
    return [one for one in well.against(WAKEQUEUE_AUTOSCALER_ENDPOINT=url, **env) if one[0] != "alike"]


def test_others_of_another_version_with_other_settings_and_clocks(well: Well) -> None:
    """Each is named, and which setting it is."""
    presences = Presences(well.redis.client)
    digests = {"idle_after": "00000000", "zone": next(one for one in presences.all() if one.role == "worker").digests["zone"]}
    presences.say("old", Presence("old:1", "worker", "0.0.9", 0.0, digests), time.time())
    presences.say("odd", Presence("odd:1", "worker", __version__, 0.0, digests), time.time() + 7)
    try:
        found = well.against()
    finally:
        presences.leave("old")
        presences.leave("odd")
    assert [(subject, grade) for subject, grade, _ in found] == [("versions", "warning"), ("alike", "error"), ("clocks", "error")]
    versions, alike, clocks = (words for _, _, words in found)
    assert "0.0.9: worker old:1" in versions
    assert alike.startswith("idle_after is not the same everywhere: ")
    assert "00000000 in worker odd:1" in alike
    assert re.search(r"worker odd:1 by \+[5-7]\.", clocks)


def test_nobody_is_there(well: Well, redis_server: RedisServer) -> None:
    """No front, no worker, and a beat where there are schedules: each is an error."""
    schedules = '{"office": {"cron": "55 8 * * *", "wakes": ["shop/cart"]}}'
    found = well.against(WAKEQUEUE_REDIS_URL=redis_server.url, WAKEQUEUE_SCHEDULES=schedules)
    assert [(subject, grade) for subject, grade, _ in found] == [("schedules", "error"), *[("processes", "error")] * 3]


def test_what_is_odd_in_redis_hides_nothing_else(well: Well, redis_server: RedisServer) -> None:
    """A dead letter that is none is an error of the ledger, and who runs is told."""
    client = redis_server.client
    client.zadd("{wakequeue}:buried", {"1": 1})
    client.hset("{wakequeue}:dead", "1", "[" * 100_000)
    client.hset("{wakequeue}:processes", "odd", "0 [1]")
    found = well.against(WAKEQUEUE_REDIS_URL=redis_server.url)
    assert [(subject, grade) for subject, grade, _ in found] == [("ledger", "error"), *[("processes", "error")] * 2]
    assert "what is there can't be read: RecursionError" in found[0][2]


def test_what_is_queued_is_not_ours(well: Well, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks of another Celery application, and its default queue, are found; nothing is taken."""
    client = redis_server.client
    client.lpush("wakequeue", '{"headers": {"task": "shop.charge"}}', "no message")
    client.sadd("_kombu.binding.celery", "celery")
    client.zadd("unacked_index", {"tag": time.time() - 3600})
    client.hset("unacked", "tag", "{}")
    monkeypatch.setenv("CELERY_BROKER_URL", "redis://x")
    found = [one for one in well.against(WAKEQUEUE_REDIS_URL=redis_server.url) if one[0] == "broker"]
    assert [grade for _, grade, _ in found] == ["error", "error", "warning", "warning"]
    assert "CELERY_BROKER_URL is set" in found[0][2]
    assert "shop.charge" in found[1][2]
    assert client.llen("wakequeue") == 2


def test_ports_at_which_something_else_listens(well: Well) -> None:
    """Each is an error of its own; nothing at all is well."""
    with listening(b"HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n") as port:
        here = f"127.0.0.1:{port}"
        found = well.against(WAKEQUEUE_HTTP_ADDRESS=here, WAKEQUEUE_ADMIN_ADDRESS=here, WAKEQUEUE_FLOWER_ADDRESS=here)
        assert [(subject, grade) for subject, grade, _ in found] == [(one, "error") for one in ("http", "admin", "flower")]
        assert all("HTTP 418" in words for _, _, words in found)
    nowhere = {f"WAKEQUEUE_{name}_ADDRESS": f"127.0.0.1:{free_port()}" for name in ("GRPC", "HTTP", "ADMIN", "FLOWER")}
    assert not well.against(**nowhere)


def test_a_front_whose_certificate_has_ended(well: Well, tmp_path: Path) -> None:
    """It is an error, in those words."""
    pair = Authority(tmp_path).issue("front", days=-0.5)
    tls = {"WAKEQUEUE_GRPC_CERTIFICATE_FILE": str(pair.certificate), "WAKEQUEUE_GRPC_KEY_FILE": str(pair.key)}
    with TlsRelay(well.stats.port, pair) as relay:
        grade, words = only(well.against(WAKEQUEUE_GRPC_ADDRESS=f"127.0.0.1:{relay.port}", **tls), "grpc")
    assert (grade, "certificate has expired" in words) == ("error", True)


def test_the_token_is_asked_for(well: Well, tmp_path: Path) -> None:
    """A front with TLS and a token is well; that one without it lets everyone in, where the settings have one, is an error."""
    authority = Authority(tmp_path)
    pair = authority.issue("front")
    tls = {"WAKEQUEUE_GRPC_CERTIFICATE_FILE": str(pair.certificate), "WAKEQUEUE_GRPC_KEY_FILE": str(pair.key)}
    token = {"WAKEQUEUE_GRPC_TOKEN": "let-me-in"}
    grade, words = only(well.against(**token), "grpc")
    assert (grade, "lets in a call without the token" in words) == ("error", True)
    assert "is not reached with grpc_certificate_file" in only(well.against(**tls), "grpc")[1]
    hook = well.installation.hook(**tls, **token)  # its certificate ends soon, which is the one warning
    address = {"WAKEQUEUE_GRPC_ADDRESS": hook.grpc_address}
    found = well.found(**tls, **token, **address)
    hook.process.stop()
    words = [words for subject, _, words in found if subject == "grpc"]
    assert words[0].endswith("serves, and refuses a call without a token")
    assert "is valid for 1 days more" in words[1]
