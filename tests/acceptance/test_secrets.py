"""No secret reaches a log, a metric, an error, Flower or `ps`: not while all is well, and not while every link is broken."""

import base64
import contextlib
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from support.certificates import Authority
from support.flower import page_whatever, paths, shown_by_flower
from support.installation import Installation, Running
from support.mixer import check_all, request
from support.processes import BIN, Process
from support.redis_server import RedisServer
from support.sentinels import NEVER_DOWN, Sentinels
from support.stat_server import StatServer
from support.tls_relay import TlsRelay

NEEDLE = "hunter@2/needle"
USER = ("ann", NEEDLE)
ACL = ("--user", "ann", "on", f">{NEEDLE}", "~*", "&*", "+@all", "--user", "default", "off")

BASIC = base64.b64encode(f"ann:{NEEDLE}".encode()).decode()

#: The secret as it is, as a URL writes it, and as HTTP does.
FORMS = ("needle", BASIC[8:-2])

CELERY = (
    ["inspect", "conf"],
    ["inspect", "-t", "5", "-j", "conf"],
    ["inspect", "stats"],
    ["inspect", "report"],
    ["inspect", "active_queues"],
    ["report"],
    ["status"],
)


@dataclass
class Reached:
    """A Redis, and what reaches it with secrets."""

    server: RedisServer
    url: str
    env: dict[str, str]


def by_url(folder: Path, stack: ExitStack) -> Reached:
    """User and password in the URL, over TLS."""
    authority = Authority(folder)
    server = stack.enter_context(RedisServer(*ACL, user=USER))
    relay = stack.enter_context(TlsRelay(server.socket, authority.issue("redis")))
    url = f"rediss://ann:{quote(NEEDLE, safe='')}@localhost:{relay.port}/1"
    return Reached(server, url, {"WAKEQUEUE_REDIS_CA_FILE": str(authority.certificate)})


def by_query(_folder: Path, stack: ExitStack) -> Reached:
    """User and password in the query of a socket's URL."""
    server = stack.enter_context(RedisServer(*ACL, user=USER))
    return Reached(server, f"unix://{server.socket}?username=ann&password={quote(NEEDLE, safe='')}", {})


def by_sentinel(folder: Path, stack: ExitStack) -> Reached:
    """Both passwords in files, and another of each."""
    (folder / "secret").write_text(NEEDLE)
    sentinels = stack.enter_context(Sentinels(folder, password=NEEDLE, own_password=NEEDLE, down_after=NEVER_DOWN))
    names = "WAKEQUEUE_REDIS_PASSWORD_FILE", "WAKEQUEUE_REDIS_SENTINEL_PASSWORD_FILE"
    return Reached(sentinels.primary, sentinels.url(), dict.fromkeys(names, str(folder / "secret")))


@dataclass
class Watched:
    """Everything that runs, and everything that was seen of it."""

    started: Installation
    hook: Running
    worker: Running
    flower: Process
    flower_url: str
    seen: list[str]

    def look(self, *commands: list[str]) -> None:
        """Ask every page and path, and these commands of Celery's, whatever they answer."""
        self.seen += [page_whatever(f"{self.flower_url}{path}", NEEDLE) for path in self.pages()]
        self.seen += [one.get(path)[1] for one in (self.hook, self.worker) for path in ("/metrics", "/livez", "/readyz", "/")]
        celery = [[str(BIN / "celery"), "-A", "workers.app", *command] for command in commands]
        for process in [self.started.start(command) for command in (*celery, [str(BIN / "wakequeue"), "status"])]:
            self.seen += command_lines(process.pid)
            process.wait(60)
            self.seen.append(process.output)
        for process in (self.hook.process, self.worker.process, self.flower):
            self.seen += [process.output, *command_lines(process.pid)]

    def pages(self) -> Iterator[str]:
        """Every path that Flower serves, of this worker and of one of its tasks."""
        name = re.findall(r"worker-\d+@[^\"<\s]+", page_whatever(f"{self.flower_url}/workers", NEEDLE))
        task = re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", page_whatever(f"{self.flower_url}/api/tasks", NEEDLE))
        yield from paths(*name[:1], *task[:1])
        yield "/api/workers?refresh=1"
        yield "/tasks/datatable?draw=1&start=0&length=10&search[value]=&order[0][column]=0&order[0][dir]=asc"


def command_lines(pid: int) -> Iterator[str]:
    """What `ps` shows of a process and of those that it started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
            yield " ".join(process.cmdline())


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("reach", "log_format"), [(by_url, "json"), (by_query, "text"), (by_sentinel, "json")])
def test_no_secret_is_to_be_seen(reach: object, log_format: str, tmp_path: Path) -> None:
    """With a password in every place, nothing that is printed, served or listed has it, well or broken, by whatever is asked."""
    with ExitStack() as stack:
        reached: Reached = reach(tmp_path, stack)  # type: ignore[operator]
        stat_server = stack.enter_context(StatServer(authorization=f"Basic {BASIC}"))
        endpoint = stat_server.url.replace("//", f"//ann:{quote(NEEDLE, safe='')}@")
        started = stack.enter_context(Installation(reached.url, endpoint, reached.env | {"WAKEQUEUE_LOG_FORMAT": log_format}))
        hook, worker = started.hook(), started.worker()
        flower, url = shown_by_flower(started, worker, NEEDLE)
        watched = Watched(started, hook, worker, flower, url, [])

        def call(name: str) -> None:
            check_all(hook.grpc_address, [request(b"default", name.encode())])

        call("well")
        stat_server.wait_for("default/well")
        watched.look(*CELERY)
        assert any('"broker_url"' in seen and "redis" in seen for seen in watched.seen), "the configuration was seen"
        stat_server.authorization = "Basic other"
        stat_server.stop()
        stat_server.start()
        worker.process.wait_for_line("HTTP 401")
        client = reached.server.client
        client.acl_setuser(client.acl_whoami(), enabled=True, reset_passwords=True, passwords=["+other"])
        client.client_kill_filter(_type="normal", skipme=True)
        call("locked-out")
        hook.process.wait_for_line("ledger_away")
        worker.process.wait_for_line("sweep_failed")
        watched.look(["inspect", "conf"], ["status"])
        reached.server.kill()
        stat_server.stop()
        call("away")
        watched.look(["inspect", "conf"], ["report"])
        hook.process.stop()
        worker.process.stop()
        flower.stop()
        logs = [process.lines for process in (hook.process, worker.process, flower)]
        watched.seen += ["\n".join(lines) for lines in logs]
    assert any("WRONGPASS" in seen or "invalid username-password" in seen for seen in watched.seen), "the wrong password was met"
    if log_format == "json":
        assert all(isinstance(json.loads(line), dict) for lines in logs for line in lines)
    for seen in watched.seen:
        for form in FORMS:
            assert form not in seen, seen[max(0, seen.index(form) - 500) : seen.index(form) + 100]
