"""The HTTP port of a real front: cold requests and their attempts, probes, calls that wake, and what clients do to it."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self
from zoneinfo import ZoneInfo

import psutil
import pytest
from h2.errors import ErrorCodes
from support.http import Answer, Fields, Http1, Http2, http1, pseudo, routed
from support.http2 import DATA, END_HEADERS, HEADERS, PREFACE, PRIORITY, SETTINGS, frame
from support.installation import Installation, Running
from support.ledger import Ledger
from support.mutant import Mutant
from support.processes import BIN, free_port
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.waiting import wait_until

from wakequeue.ledger import Plan
from wakequeue.revision import Revision

WAKEQUEUE: Final = str(BIN / "wakequeue")
TOKEN: Final = "hunter2-the-right-one"
WEBSOCKET: Final = (("connection", "Upgrade"), ("upgrade", "websocket"), ("sec-websocket-version", "13"))
#: Clocks that are never set.
KOLKATA: Final = ZoneInfo("Asia/Kolkata")
KEY: Final = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
#: On a busy machine too, what is answered is recorded.
PATIENT: Final = {"WAKEQUEUE_ANSWER_WITHIN": "10s"}


@pytest.fixture
def alone(shared_redis: RedisServer) -> Iterator[Installation]:
    """Fronts to be started, and no Autoscaler: what is recorded is looked for in the front's metrics."""
    with Installation(shared_redis.url, f"ws://127.0.0.1:{free_port()}", dict(PATIENT)) as started:
        yield started


@pytest.fixture(scope="module")
def front(_shared_redis: RedisServer) -> Iterator[Running]:
    """A front for tests that count nothing."""
    with Installation(_shared_redis.url, f"ws://127.0.0.1:{free_port()}", dict(PATIENT)) as started:
        yield started.hook()


@pytest.fixture
def installation(installation: Installation) -> Installation:
    """Fronts and workers to be started."""
    installation.env |= PATIENT
    return installation


@pytest.fixture
def hook(alone: Installation) -> Running:
    """A front."""
    return alone.hook()


def recorded(hook: Running) -> float:
    """Return how many calls the front has made durable."""
    return hook.metric("wakequeue_recorded_total")


def unresolved(hook: Running) -> float:
    """Return how many requests named no Revision."""
    return hook.metric("wakequeue_calls_total", protocol="http_cold", outcome="unresolved")


def told(started: Installation, *arguments: str) -> str:
    """Return what the audit trail tells; a worker writes it once what it reported is confirmed."""
    history = started.start([WAKEQUEUE, "history", *arguments])
    assert history.wait() == 0, history.output
    return history.output


def named(name: str) -> tuple[str, str]:
    """Return the header that names a request."""
    return ("x-request-id", name)


class Attempts:
    """Requests that come again, each with its own name, every 50 ms, until `stop`: as a gateway tries them."""

    def __init__(self, address: str, fields: Callable[[str], Fields], names: list[str]) -> None:
        self.answers: list[Answer] = []
        self._address, self._fields, self._names = address, fields, names
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Make no further attempt."""
        self._stopping.set()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        with Http1(self._address) as client:
            while not self._stopping.wait(0.05):
                self.answers += [client.ask("GET", "/", self._fields(name)) for name in self._names]


# Cold requests.


def test_a_cold_request_wakes_its_revision(installation: Installation, stat_server: StatServer) -> None:
    """Over HTTP/1.1 and h2c it is answered for the gateway to try again, and reported under the protocol and the peer's address."""
    hook, _ = installation.hook(), installation.worker()
    with Http1(hook.http_address) as one, Http2(hook.http_address) as two:
        for answer in (one.ask("GET", "/a?b", routed("one")), two.ask("GET", "/a?b", routed("two"))):
            assert answer.is_cold
            assert (answer.headers["retry-after"], answer.body) == ("1", b"")
    assert answer.bare
    wait_until(lambda: set(stat_server.requests()) == {"default/one", "default/two"}, what="both Revisions reported")
    assert hook.metric("wakequeue_calls_total", protocol="http_cold", outcome="recorded") == 2
    wait_until(lambda: "http_cold 127.0.0.1" in told(installation, "--json"), what="the caller in the audit trail")


def test_a_request_counts_once_over_all_its_attempts(installation: Installation, stat_server: StatServer) -> None:
    """While attempts come, reports go on beyond the waking phase, with as many callers as requests wait; then they end."""
    env = {"WAKEQUEUE_WAKING_FOR": "1500ms"}
    hook, _ = installation.hook(**env), installation.worker(**env)

    def concurrencies() -> list[float]:
        return [one.stat.concurrency for one in stat_server.of("default/hello")]

    with Attempts(hook.http_address, lambda name: routed("hello", named(name)), ["a", "b", "c"]) as attempts:
        stat_server.wait_for("default/hello", reports=6, within=15)
        # Where the attempts were held up for a second, a report is without those that it then hears nothing of.
        wait_until(lambda: concurrencies()[-3:] == [3.0] * 3, 15, "three reports of three who wait")
        reports = stat_server.of("default/hello")
    assert all(answer.is_cold for answer in attempts.answers)
    assert len(attempts.answers) > 30
    assert stat_server.requests()["default/hello"] == 3
    assert reports[-1].at - reports[0].at > 2.5
    stopped = time.time()
    quiet = lambda: time.time() - max(stopped, stat_server.of("default/hello")[-1].at) > 2.5  # noqa: E731
    wait_until(quiet, 20, "an end of the reports")
    assert stat_server.of("default/hello")[-1].at - stopped < 10
    assert recorded(hook) == 3


def test_concurrency_falls_with_those_who_stop(installation: Installation, stat_server: StatServer) -> None:
    """Of five requests two go on: so many callers are reported."""
    hook, _ = installation.hook(), installation.worker()

    def fields(name: str) -> Fields:
        return routed("hello", named(name))

    with Attempts(hook.http_address, fields, ["a", "b"]):
        with Attempts(hook.http_address, fields, ["c", "d", "e"]):
            wait_until(lambda: 5.0 in [one.stat.concurrency for one in stat_server.of("default/hello")], what="five who wait")
        wait_until(lambda: stat_server.of("default/hello")[-1].stat.concurrency == 2.0, what="two who wait")
    assert stat_server.requests()["default/hello"] == 5


def test_two_fronts_count_a_request_once(installation: Installation, stat_server: StatServer) -> None:
    """The gateway tries wherever it likes."""
    hooks = [installation.hook(), installation.hook()]
    installation.worker()
    with ExitStack() as stack:
        clients = [stack.enter_context(Http1(hook.http_address)) for hook in hooks]
        for _ in range(5):
            assert all(client.ask("GET", "/", routed("hello", named("a"))).is_cold for client in clients)
    stat_server.wait_for("default/hello", reports=2)
    assert stat_server.requests()["default/hello"] == 1


def test_a_request_by_its_host(installation: Installation, stat_server: StatServer) -> None:
    """Without the router's headers, the operator's table says which Revision a host means."""
    hook = installation.hook(WAKEQUEUE_REVISIONS_BY_HOST='{"shop.example": "shop/cart", "*.shop.example": "shop/other"}')
    installation.worker()
    with Http1(hook.http_address) as one, Http2(hook.http_address) as two:
        assert one.ask("POST", "/wake/a/b", (("host", "shop.example:80"),)).is_cold
        assert two.ask("GET", "/", (("host", "a.shop.example"),)).is_cold
        assert two.ask("GET", "/", (("host", "other.example"),)).status == 404
    wait_until(lambda: set(stat_server.requests()) == {"shop/cart", "shop/other"}, what="both Revisions reported")


@pytest.mark.parametrize(
    "fields",
    [
        routed("hello", ("knative-serving-revision", "evil")),
        routed("hello", ("Knative-Serving-Namespace", "default")),
        routed("evil, hello"),
        routed("No_Name"),
        routed(""),
    ],
)
def test_forged_headers_wake_nothing(front: Running, fields: Fields) -> None:
    """Of two values nobody knows which is the router's: none of the two is woken, and the gateway doesn't try again."""
    before = recorded(front), unresolved(front)
    lower = [(name.lower(), value) for name, value in fields]
    with Http1(front.http_address) as one, Http2(front.http_address) as two:
        for answer in (one.ask("GET", "/", fields), two.ask("GET", "/", lower)):
            assert answer.status == 503
            assert "x-wakequeue" not in answer.headers
    assert (recorded(front), unresolved(front)) == (before[0], before[1] + 2)


def test_the_rules_hold(alone: Installation) -> None:
    """A request that a rule ignores isn't tried again, and wakes nothing."""
    hook = alone.hook(WAKEQUEUE_DENIED_PATHS="/robots.txt", WAKEQUEUE_DENIED_NAMESPACES="private")
    with Http1(hook.http_address) as client:
        for answer in (client.ask("GET", "/robots.txt?x", routed()), client.ask("GET", "/", routed(namespace="private"))):
            assert (answer.status, "x-wakequeue" in answer.headers) == (503, False)
        assert client.ask("GET", "/", routed()).is_cold
    assert [hook.metric("wakequeue_ignored_total", reason=reason) for reason in ("path", "namespace")] == [1, 1]
    assert recorded(hook) == 1


def test_the_page(alone: Installation) -> None:
    """A browser gets it where it is asked for, and its request wakes as any other."""
    html = ("accept", "text/html,application/xhtml+xml")
    hook, plain = alone.hook(WAKEQUEUE_PAGE="true"), alone.hook()
    with Http1(hook.http_address) as one, Http2(hook.http_address) as two, Http1(plain.http_address) as three:
        for page in (one.ask("GET", "/", routed("a", html)), two.ask("GET", "/", routed("b", html))):
            assert (page.status, "x-wakequeue" in page.headers, page.headers["cache-control"]) == (503, False, "no-store")
            assert b"Waking up" in page.body
        assert one.ask("POST", "/", routed("c", html)).is_cold
        assert three.ask("GET", "/", routed("d", html)).is_cold
    assert recorded(hook) == 3


# Probes.


def test_probes_wake_nothing(hook: Running) -> None:
    """Knative's and Kubernetes' are answered as the activator would, and counted."""
    probes: list[tuple[Fields, int]] = [
        ((("K-Network-Probe", "activator"),), 200),
        ((("K-Network-Probe", "probe"), ("K-Network-Hash", "beef")), 200),
        ((("K-Network-Probe", "probe"),), 400),
        ((("K-Network-Probe", "queue"),), 503),
        ((("user-agent", "kube-probe/1.31"),), 200),
        ((("K-Kubelet-Probe", "queue"),), 200),
        ((("user-agent", "Knative-Ingress-Probe"),), 503),
    ]
    with Http1(hook.http_address) as client:
        answers = [client.ask("GET", "/healthz", routed("hello", *fields)) for fields, _ in probes]
    assert [answer.status for answer in answers] == [status for _, status in probes]
    assert not any("x-wakequeue" in answer.headers for answer in answers)
    assert answers[0].body == b"activator"
    assert answers[1].headers["k-network-hash"] == "beef"
    assert hook.metric("wakequeue_ignored_total", reason="probe") == len(probes)
    assert recorded(hook) == 0


# Calls that wake.


def _post(hook: Running, path: str = "/wake/shop/cart", *fields: tuple[str, str], method: str = "POST") -> Answer:
    with Http1(hook.http_address) as client:
        return client.ask(method, path, (("host", "x"), *fields))


def test_wake(installation: Installation, stat_server: StatServer) -> None:
    """Anyone on this machine wakes a Revision by its name, and is told what became of it."""
    hook, _ = installation.hook(), installation.worker()
    answer = _post(hook)
    assert (answer.status, json.loads(answer.body)) == (202, {"revision": "shop/cart", "outcome": "recorded"})
    stat_server.wait_for("shop/cart")
    assert hook.metric("wakequeue_calls_total", protocol="http_wake", outcome="recorded") == 1


def test_wake_says_what_is_wrong(alone: Installation) -> None:
    """Another method, a name that no Revision has, and a request that the rules ignore."""
    hook = alone.hook(WAKEQUEUE_DENIED_USER_AGENTS="*bot*")
    other = _post(hook, method="GET")
    assert (other.status, other.headers["allow"]) == (405, "POST")
    assert _post(hook, "/wake/Shop_/cart").status == 400
    assert _post(hook, "/wake/shop/cart/x").status == 404
    ignored = _post(hook, "/wake/shop/cart", ("x-wakequeue-user-agent", "some-bot/1"), ("user-agent", "lua"))
    assert (ignored.status, json.loads(ignored.body)["outcome"]) == (200, "ignored")
    assert _post(hook, "/wake/shop/cart", ("user-agent", "some-bot/1")).status == 202
    assert recorded(hook) == 1


def test_wake_at_a_time(alone: Installation, ledger: Ledger) -> None:
    """What is planned is in the ledger when it is said to be, with who asked; until `wakequeue sleep` takes it back."""
    hook = alone.hook(WAKEQUEUE_ZONE="Asia/Kolkata", WAKEQUEUE_DENIED_NAMESPACES="dark")
    wanted = (datetime.now(KOLKATA) + timedelta(hours=12)).replace(second=0, microsecond=0)
    asked = f"at={wanted:%H:%M}&for=10m&pods=2"
    times = {"at": wanted.isoformat(), "until": (wanted + timedelta(minutes=10)).isoformat(), "pods": 2}
    one = _post(hook, f"/wake/shop/a?{asked}")
    assert (one.status, json.loads(one.body)) == (202, {"revision": "shop/a", "outcome": "planned"} | times)
    several = _post(hook, f"/wake?revision=shop/b&revision=dark/c&revision=shop/_&{asked}")
    told = json.loads(several.body)["revisions"]
    assert (several.status, told[0]) == (202, {"revision": "shop/b", "outcome": "planned"} | times)
    assert [(one["revision"], one["outcome"]) for one in told[1:]] == [("dark/c", "ignored"), ("shop/_", "unresolved")]
    plans = [Plan(Revision("shop", name), wanted.timestamp(), 600, 2, "http_wake 127.0.0.1") for name in "ab"]
    assert sorted(ledger.starts.planned(), key=lambda plan: plan.revision) == plans
    assert recorded(hook) == 0
    outcomes = ("planned", "ignored", "unresolved")
    counts = [hook.metric("wakequeue_calls_total", protocol="http_wake", outcome=outcome) for outcome in outcomes]
    assert counts == [2, 1, 1]
    asleep = alone.start([WAKEQUEUE, "sleep", "shop/a", "shop/b"])
    assert (asleep.wait(), asleep.lines) == (0, ["2 plans cancelled; 0 Revisions no longer kept warm"])
    assert ledger.starts.planned() == []


def test_wake_and_keep_warm(installation: Installation, stat_server: StatServer) -> None:
    """What is asked for now is delivered by a worker, and the audit trail tells of who asked, as of any caller; so are several."""
    hook, _ = installation.hook(), installation.worker()
    kept = _post(hook, "/wake/shop/a?for=1m")
    several = _post(hook, "/wake?revision=shop/b&revision=shop/c")
    assert [kept.status, several.status] == [202, 202]
    assert json.loads(kept.body)["outcome"] == "recorded"
    assert [one["outcome"] for one in json.loads(several.body)["revisions"]] == ["recorded"] * 2
    for name in "abc":
        stat_server.wait_for(f"shop/{name}")
    assert recorded(hook) == 3
    wait_until(lambda: "http_wake 127.0.0.1 (1)" in told(installation, "shop/a"), what="the caller in the audit trail")


def test_wake_refuses_what_can_not_be(alone: Installation, ledger: Ledger) -> None:
    """Whoever shows the token is told why; and nothing is begun."""
    hook = alone.hook(WAKEQUEUE_GRPC_TOKEN=TOKEN)
    token = ("authorization", f"Bearer {TOKEN}")
    for query, wrong in (
        ("?fro=10m", "'fro' is no parameter here"),
        ("?for=10", "for = '10': allowed is a duration"),
        ("?at=2020-01-01T08:55", "that is past"),
        ("?for=1m&for=1m", "it comes twice"),
    ):
        answer = _post(hook, f"/wake/shop/a{query}", token)
        assert (answer.status, wrong in json.loads(answer.body)["error"]) == (400, True)
    assert _post(hook, "/wake", token).status == 400
    assert _post(hook, "/wake?revision=shop/a&for=1m").status == 401
    assert _post(hook, "/wake?revision=shop/a&for=1m", token, method="GET").status == 405
    assert hook.metric("wakequeue_unresolved_total", reason="malformed") == 5
    assert (ledger.starts.planned(), ledger.census().recorded_calls) == ([], 0)


def test_wake_while_redis_is_away(redis_server: RedisServer) -> None:
    """Nothing is said to be planned that isn't; the caller is to ask again, and then it is."""
    with Installation(redis_server.url, f"ws://127.0.0.1:{free_port()}") as started:
        hook = started.hook()
        redis_server.kill()
        answer = _post(hook, "/wake/shop/a?for=1m")
        assert (answer.status, answer.headers["retry-after"]) == (503, "1")
        assert json.loads(answer.body) == {"revision": "shop/a", "outcome": "dropped"}
        redis_server.start()
        wait_until(lambda: _post(hook, "/wake/shop/a?for=1m").status == 202, what="it to be begun")


def test_wake_needs_the_token(alone: Installation) -> None:
    """The gRPC port's token, in the gRPC port's header; cold requests and probes need none."""
    hook = alone.hook(WAKEQUEUE_GRPC_TOKEN=TOKEN)
    custom = alone.hook(WAKEQUEUE_GRPC_TOKEN=TOKEN, WAKEQUEUE_GRPC_TOKEN_HEADER="x-token")
    refused = [_post(hook), _post(hook, "/wake/shop/cart", ("authorization", "Bearer wrong"))]
    assert [(answer.status, answer.headers["www-authenticate"]) for answer in refused] == [(401, "Bearer")] * 2
    assert [hook.metric("wakequeue_refused_total", reason=reason) for reason in ("no_token", "wrong_token")] == [1, 1]
    assert recorded(hook) == 0
    hook.process.wait_for_line("refused reason=no_token peer=127.0.0.1")
    assert TOKEN not in hook.process.output
    assert _post(hook, "/wake/shop/cart", ("Authorization", f"Bearer {TOKEN}")).status == 202
    assert _post(custom, "/wake/shop/cart", ("x-token", TOKEN)).status == 202
    with Http1(hook.http_address) as client:
        assert client.ask("GET", "/", routed()).is_cold
        assert client.ask("GET", "/", (("host", "x"), ("k-network-probe", "activator"))).status == 200


def test_wake_without_a_token_is_for_this_machine(alone: Installation) -> None:
    """Where others could reach it, it wakes for nobody until a token is set."""
    port = free_port()
    hook = alone.hook(WAKEQUEUE_HTTP_ADDRESS=f"0.0.0.0:{port}")
    with Http1(f"127.0.0.1:{port}") as client:
        answer = client.ask("POST", "/wake/shop/cart", (("host", "x"),))
        assert (answer.status, b"grpc_token" in answer.body) == (403, True)
        assert client.ask("GET", "/", routed()).is_cold
    assert hook.metric("wakequeue_refused_total", reason="no_token") == 1
    assert recorded(hook) == 1


def test_ipv6(alone: Installation) -> None:
    """The port listens on an IPv6 loopback address too, which is this machine."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    hook = alone.hook(WAKEQUEUE_HTTP_ADDRESS=f"[::1]:{free_port()}")
    assert _post(hook).status == 202


# Bodies.


def test_a_large_body_over_http_1(front: Running) -> None:
    """It is answered before it is read; what comes of it is thrown away, and the connection goes on."""
    with Http1(front.http_address) as client:
        client.send(http1("POST", "/", (*routed(), ("content-length", "3000000"))))
        assert client.answer().is_cold
        client.send(b"x" * 3_000_000)
        assert client.ask("POST", "/", routed(), b"y" * 100_000).is_cold
        assert client.ask("GET", "/", routed()).is_cold


def test_a_chunked_body(front: Running) -> None:
    """One whose length nobody knows is no different."""
    with Http1(front.http_address) as client:
        client.send(http1("POST", "/", (*routed(), ("transfer-encoding", "chunked"))) + b"5\r\nhello\r\n")
        assert client.answer().is_cold
        client.send(b"0\r\n\r\n")
        assert client.ask("GET", "/", routed()).is_cold


def test_a_body_that_never_ends(front: Running) -> None:
    """A client that holds its body back is answered, and has a while; then its connection ends."""
    with Http1(front.http_address) as client:
        client.send(http1("POST", "/", (*routed(), ("content-length", "1000"))) + b"x")
        assert client.answer().is_cold
        assert client.is_ended()


def test_a_client_that_waits_to_be_told_to_go_on(front: Running) -> None:
    """It gets its answer instead of 100 Continue, and sends no body."""
    with Http1(front.http_address) as client:
        answer = client.ask("POST", "/", (*routed(), ("content-length", "3000000"), ("expect", "100-continue")))
        assert answer.is_cold
        assert answer.headers["connection"] == "close"
        assert client.is_ended()


def test_a_large_body_over_http_2(front: Running) -> None:
    """It is answered before it is read, its client is told to stop, and the other requests of the connection go on."""
    with Http2(front.http_address) as client:
        stream = client.send(pseudo("POST", "/", routed()), more=True)
        assert client.answer(stream).is_cold
        assert client.send_body(stream, 10_000_000) < 10_000_000
        assert client.answers[stream].reset == ErrorCodes.NO_ERROR
        assert client.ask("GET", "/", routed()).is_cold


def test_bodies_ahead_of_their_answers(front: Running) -> None:
    """Bodies that come while their requests are recorded hold nobody up, however many they are."""
    with Http2(front.http_address) as client:
        streams = [client.send(pseudo("POST", "/", routed(f"app-{number}")), more=True, ahead=100) for number in range(20)]
        assert all(client.answer(stream).is_cold for stream in streams)
        assert client.ask("GET", "/", routed()).is_cold


# Requests of other kinds.


@pytest.mark.parametrize("fields", [(*WEBSOCKET, KEY), WEBSOCKET, (("connection", "Upgrade, HTTP2-Settings"), ("upgrade", "h2c"))])
def test_an_upgrade_over_http_1(front: Running, fields: Fields) -> None:
    """A WebSocket's first request is answered as any other, and nothing is upgraded."""
    with Http1(front.http_address) as client:
        assert client.ask("GET", "/", routed("hello", *fields)).is_cold
        assert client.ask("GET", "/", routed()).is_cold


@pytest.mark.parametrize("version", ["13", "8"])
def test_an_extended_connect(front: Running, version: str) -> None:
    """Over h2c a WebSocket's first request is a CONNECT, which the port takes, and answers as any other."""
    with Http2(front.http_address) as client:
        assert client.ask("GET", "/", routed()).is_cold
        assert client.takes_extended_connects()
        fields = [(":protocol", "websocket"), *pseudo("CONNECT", "/ws", routed("hello", ("sec-websocket-version", version)))]
        stream = client.send(fields, more=True)
        assert client.answer(stream).is_cold


def test_a_grpc_call(front: Running) -> None:
    """It is answered in plain HTTP, which its gateway tries again."""
    with Http2(front.http_address) as client:
        fields = pseudo("POST", "/shop.Cart/Add", routed("hello", ("content-type", "application/grpc"), ("te", "trailers")))
        answer = client.answer(client.send(fields, more=True))
        assert answer.is_cold
        assert "grpc-status" not in answer.headers


def test_requests_ahead_of_their_answers(hook: Running) -> None:
    """Pipelined requests are answered in their order, each."""
    probe = http1("GET", "/", (("host", "x"), ("k-network-probe", "activator")))
    with Http1(hook.http_address) as client:
        client.send(http1("GET", "/", routed("a")) + probe + http1("POST", "/", routed("b"), b"body") + probe)
        answers = [client.answer() for _ in range(4)]
    assert [answer.is_cold for answer in answers] == [True, False, True, False]
    assert recorded(hook) == 2


def test_many_requests_on_one_connection(front: Running) -> None:
    """None is lost for their number."""
    with Http2(front.http_address) as client:
        for _ in range(12):
            streams = [client.send(pseudo("GET", "/", routed("hello", named("a")))) for _ in range(100)]
            assert all(client.answer(stream).is_cold for stream in streams)


# Harm.


@pytest.mark.parametrize(
    "data",
    [
        b"rubbish\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)),
        b"GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 200_000,
        b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -5\r\n\r\n",
        b"GET /\xff HTTP/1.1\r\nhost: x\r\n\r\n",
        PREFACE + frame(SETTINGS, 0, 0) + frame(DATA, 0, 0, b"x"),
        PREFACE + frame(SETTINGS, 0, 0) + b"".join(frame(PRIORITY, 0, 2 * n + 1, bytes(5)) for n in range(2_000)),
        PREFACE + frame(SETTINGS, 0, 0) + frame(HEADERS, END_HEADERS, 1, b"\xff" * 100),
    ],
)
def test_rubbish(front: Running, data: bytes) -> None:
    """It ends its own connection, and nothing else; nobody's log is filled with it."""
    with Http1(front.http_address) as other:
        assert other.ask("GET", "/", routed()).is_cold
        with Http1(front.http_address) as client:
            client.send(data)
            wait_until(lambda: _is_cut(client), what="the end of the connection")
        assert other.ask("GET", "/", routed()).is_cold
    assert "Traceback" not in front.process.output


def _is_cut(client: Http1) -> bool:
    try:
        return client.socket.recv(65_536) == b""
    except ConnectionResetError:
        return True


def test_odd_requests_over_http_2(hook: Running) -> None:
    """One user's odd request doesn't end those that share its gateway's connection: it is answered, or reset alone."""
    connect = [(":method", "CONNECT"), (":authority", "x"), ("host", "x")]
    with Http2(hook.http_address) as client:
        for fields in (pseudo("GET", "/caf\u00e9", routed()), pseudo("G\u00cbT", "/", routed()), connect):
            waiting = client.send(pseudo("POST", "/", routed("other")), more=True)
            odd = client.answer(client.send(fields))
            assert odd.status in {503, 404} or odd.reset is not None
            assert client.answer(waiting).is_cold
        assert client.ask("GET", "/", routed()).is_cold
    assert "call_failed" not in hook.process.output


def test_a_slow_client_holds_nobody_up(front: Running) -> None:
    """Many that send half a request each leave the others as fast as they were."""
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(Http1(front.http_address)).send(b"GET / HTTP/1.1\r\nhost:")
        with Http1(front.http_address) as client:
            assert client.ask("GET", "/", routed()).is_cold


def test_clients_that_go_away(alone: Installation) -> None:
    """Before their answer, in the middle of a body, or without taking their answer: it is nobody's trouble, and leaves nothing."""
    hook = alone.hook(WAKEQUEUE_DRAIN_WITHIN="60s")
    for number in range(50):
        with Http1(hook.http_address) as one, Http2(hook.http_address) as two:
            one.send(http1("POST", "/", (*routed(f"one-{number}"), ("content-length", "1000"))))
            two.send(pseudo("POST", "/", routed(f"two-{number}")), more=True)
    with Http2(hook.http_address, window=0) as client:
        stream = client.send(pseudo("GET", "/", (("host", "x"),)))
        wait_until(lambda: client.read_once() and client.answers[stream].status == 404, what="the headers of an answer")
    with Http1(hook.http_address) as client:
        assert client.ask("GET", "/", routed()).is_cold
    began = time.monotonic()
    assert hook.process.stop() == 0
    assert time.monotonic() - began < 10
    assert "Traceback" not in hook.process.output
    assert "call_failed" not in hook.process.output


def test_connections_end_with_their_clients(alone: Installation) -> None:
    """Whatever they were used for: a front doesn't run out of files by clients that come once."""
    front = alone.hook()
    for number in range(20):
        with Http1(front.http_address), Http1(front.http_address) as one, Http2(front.http_address) as two:
            assert one.ask("GET", "/", routed(f"one-{number}")).is_cold
            assert two.ask("GET", "/", routed(f"two-{number}")).is_cold
        with Http1(front.http_address) as client:
            client.send(http1("GET", "/", routed(f"left-{number}")))
    wait_until(lambda: not _connections(front), 10, "the connections to end")


def _connections(front: Running) -> int:
    """How many connections the front's HTTP port has, those too that their clients have left."""
    port = int(front.http_address.rpartition(":")[2])
    there = psutil.Process(front.process.pid).net_connections("tcp")
    return sum(one.laddr.port == port and one.status != psutil.CONN_LISTEN for one in there)


# The end.


@pytest.fixture
def expectant(tmp_path: Path) -> dict[str, str]:
    """With these variables a front that is told to stop believes only after seconds that no more calls come.

    Such a copy doesn't take a test that is held up for one whose calls are over.
    """
    return Mutant("quiet", "gateway_hook/quiet.py", "QUIET_SECONDS: Final = 0.2", "QUIET_SECONDS: Final = 3.0").write(tmp_path)


def test_drain(alone: Installation, expectant: dict[str, str]) -> None:
    """A front that is told to stop says so to the kubelet, answers those that still come, and ends with exit code 0."""
    hook = alone.hook(WAKEQUEUE_DRAIN_WITHIN="20s", **expectant)
    with ExitStack() as stack:
        one, two = stack.enter_context(Http1(hook.http_address)), stack.enter_context(Http2(hook.http_address))
        idle, half = stack.enter_context(Http1(hook.http_address)), stack.enter_context(Http1(hook.http_address))
        half.send(b"GET / HTTP/1.1\r\n")
        assert two.ask("GET", "/", routed()).is_cold
        assert idle.ask("GET", "/", routed()).is_cold
        hook.process.send_signal(15)
        hook.process.wait_for_line("draining")
        ready = one.ask("GET", "/", (("host", "x"), ("user-agent", "kube-probe/1.31")))
        assert (ready.status, ready.headers["connection"]) == (503, "close")
        assert one.is_ended()
        assert two.ask("GET", "/", routed("late")).is_cold
        two.until_ended()
        assert idle.is_ended()
        assert hook.process.wait() == 0
    assert "Traceback" not in hook.process.output


def test_drain_under_traffic(installation: Installation, stat_server: StatServer, expectant: dict[str, str]) -> None:
    """While attempts keep coming the front ends in time, and what it answered is reported."""
    hook, _ = installation.hook(WAKEQUEUE_DRAIN_WITHIN="6s", **expectant), installation.worker()
    answered = 0
    began = 0.0
    for number in range(10_000):
        try:
            with Http1(hook.http_address) as client:
                assert client.ask("GET", "/", routed("hello")).is_cold
        except (OSError, AssertionError):
            break
        answered += 1
        if number == 20:
            began = time.monotonic()
            hook.process.send_signal(15)
    assert hook.process.wait() == 0
    assert time.monotonic() - began < 12
    assert answered > 21
    wait_until(lambda: stat_server.requests()["default/hello"] >= answered, what="every call reported")


def test_half_a_body_does_not_hold_a_drain(alone: Installation, tmp_path: Path) -> None:
    """A client that holds its body back is cut off when the time is over."""
    lingers = Mutant("linger", "gateway_hook/http/app.py", "LINGER_SECONDS: Final = 2.0", "LINGER_SECONDS: Final = 60.0")
    hook = alone.hook(WAKEQUEUE_DRAIN_WITHIN="2s", **lingers.write(tmp_path))
    with Http1(hook.http_address) as client:
        client.send(http1("POST", "/", (*routed(), ("content-length", "1000"))) + b"x")
        assert client.answer().is_cold
        began = time.monotonic()
        assert hook.process.stop() == 0
        assert time.monotonic() - began < 10
