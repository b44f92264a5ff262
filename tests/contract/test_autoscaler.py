"""What the deliverer relies on of its port to the Autoscaler, held by the fake and the real connection; then the latter alone."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Protocol

import pytest
from support.fakes import FakeAutoscaler
from support.frames import Stat, read_json, read_protobuf
from support.processes import free_port
from support.stat_server import StatServer
from support.waiting import wait_until
from websockets.exceptions import ConnectionClosedError, InvalidHandshake
from websockets.frames import Close

from wakequeue.codecs import Frame
from wakequeue.codecs.jsontext import JsonCodec
from wakequeue.codecs.protobuf import ProtobufCodec
from wakequeue.errors import AutoscalerUnavailable
from wakequeue.revision import Revision
from wakequeue.settings import Settings
from wakequeue.stat import StatMessage
from wakequeue.telemetry import WORKER
from workers.autoscaler import AutoscalerConnection, _cause

Codec = ProtobufCodec | JsonCodec
Connect = Callable[..., AutoscalerConnection]


def frame(name: str, codec: Codec | None = None) -> Frame:
    """A report of one call."""
    return (codec or ProtobufCodec()).encode(StatMessage(Revision("shop", name), "pod", 1.0, 1), 0.0)


def connection(url: str, *, confirm_within: float = 5.0, joins: bool = True, **numbers: float) -> AutoscalerConnection:
    """A real connection; it reconnects quickly."""
    quick = Settings(confirm_within=confirm_within, reconnect_after=0.01, reconnect_at_most=0.05, **numbers)
    return AutoscalerConnection(url, quick, joins=joins)


def send_all(autoscaler: AutoscalerConnection, names: Sequence[str], codec: Codec | None = None) -> "list[Future[None]]":
    """Send a report of each, every one from a thread of its own."""
    pool = ThreadPoolExecutor(len(names))
    futures = [pool.submit(autoscaler.send, [frame(name, codec)]) for name in names]
    pool.shutdown(wait=False)
    return futures


def metric(name: str, **labels: str) -> float:
    """The value of one of the worker's metrics."""
    return WORKER.get_sample_value(name, labels) or 0.0


class Subject(Protocol):
    """A port under test, and what a test does to it."""

    def send(self, frames: Sequence[Frame]) -> None:
        """The port's one method."""
        ...

    def received(self) -> list[Stat]:
        """What has arrived."""
        ...

    def go_away(self) -> None:
        """Confirm no more."""
        ...

    def come_back(self) -> None:
        """Confirm again."""
        ...


class Fake:
    """The fake that the deliverer's tests use."""

    def __init__(self) -> None:
        self._autoscaler = FakeAutoscaler()
        self.send = self._autoscaler.send

    def received(self) -> list[Stat]:
        """What has arrived."""
        return [stat for frame in self._autoscaler.frames for stat in read_protobuf(frame)]

    def go_away(self) -> None:
        """Confirm no more."""
        self._autoscaler.available = False

    def come_back(self) -> None:
        """Confirm again."""
        self._autoscaler.available = True


class Real:
    """The connection, to a stat server that can be stopped."""

    def __init__(self, server: StatServer) -> None:
        self.connection = connection(server.url)
        self._server = server
        self.send, self.go_away = self.connection.send, server.stop
        wait_until(lambda: self.connection.connected)

    def received(self) -> list[Stat]:
        """What has arrived; the pong of a frame may be a moment sooner."""
        return [one.stat for one in self._server.received]

    def come_back(self) -> None:
        """Confirm again."""
        self._server.start()
        wait_until(lambda: self.connection.connected)


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest) -> Iterator[Subject]:
    """Each port in turn."""
    if request.param == "fake":
        yield Fake()
        return
    real = Real(request.getfixturevalue("stat_server"))
    yield real
    real.connection.close()


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes connections that are closed with the test."""
    with ExitStack() as stack:

        def make(url: str, **settings: float) -> AutoscalerConnection:
            made = connection(url, **settings)
            stack.callback(made.close)
            return made

        yield make


# ---- both


def test_what_was_sent_has_arrived(subject: Subject) -> None:
    """Every frame arrives, in order, with its numbers."""
    subject.send([frame("a"), frame("b")])
    subject.send([frame("c")])
    wait_until(lambda: len(subject.received()) == 3)
    assert subject.received() == [Stat(f"shop/{name}", "pod", 1.0, 1.0) for name in "abc"]


def test_an_absent_autoscaler_is_unavailable(subject: Subject) -> None:
    """While it is away every send raises AutoscalerUnavailable within confirm_within, and none arrives."""
    subject.go_away()
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(AutoscalerUnavailable):
            subject.send([frame("a")])
        assert time.monotonic() - began < 10
    assert subject.received() == []


def test_it_works_again_once_it_is_back(subject: Subject) -> None:
    """What is sent after an absence arrives, and what was given up meanwhile does not."""
    for name in "ab":
        subject.go_away()
        with pytest.raises(AutoscalerUnavailable):
            subject.send([frame("given-up")])
        subject.come_back()
        subject.send([frame(name)])
    wait_until(lambda: len(subject.received()) == 2)
    assert [stat.key for stat in subject.received()] == ["shop/a", "shop/b"]


# ---- the connection alone


@pytest.mark.parametrize(("codec", "frames"), [(ProtobufCodec(), 1), (JsonCodec(), 50)])
def test_what_waits_is_sent_together(codec: Codec, frames: int, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """What many threads hand over before the connection is open goes out at once: as one frame where the format joins."""
    monkeypatch.setattr("workers.autoscaler.CONNECT_GRACE", 20.0)
    names = [f"r{number}" for number in range(50)]
    with StatServer(read_json if codec.joins is False else read_protobuf) as server:
        server.stop()
        autoscaler = connect(server.url, joins=codec.joins, confirm_within=20)
        before = metric("wakequeue_frames_total")
        sent = send_all(autoscaler, names, codec)
        wait_until(lambda: len(autoscaler._waiting) == 50)
        server.start()
        for one in sent:
            one.result(20)
        wait_until(lambda: len(server.requests()) == 50)
        assert sorted(server.requests()) == sorted(f"shop/{name}" for name in names)
        assert len(server.frames) == frames
        assert metric("wakequeue_frames_total") - before == frames


def test_many_threads_share_frames(stat_server: StatServer, connect: Connect) -> None:
    """While a pong is awaited the next frames wait for each other, so that busy workers send fewer of them; none is lost."""
    autoscaler = connect(stat_server.url)
    wait_until(lambda: autoscaler.connected)

    def work(worker: int) -> None:
        for number in range(50):
            autoscaler.send([frame(f"w{worker}-{number}")])

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(work, range(16)))
    wait_until(lambda: len(stat_server.requests()) == 16 * 50)
    assert set(stat_server.requests().values()) == {1}
    assert len(stat_server.frames) < 16 * 50 / 2


def test_a_restarting_server_is_reconnected_at_once(stat_server: StatServer, connect: Connect) -> None:
    """Close 1012 is counted by its name, and another connection is opened soon."""
    autoscaler = connect(stat_server.url)
    wait_until(lambda: autoscaler.connected)
    before = metric("wakequeue_reconnects_total", cause="restart_1012")
    disconnect(stat_server, 1012)
    wait_until(lambda: stat_server.connections == 2, within=5)
    wait_until(lambda: autoscaler.connected)
    autoscaler.send([frame("a")])
    assert metric("wakequeue_reconnects_total", cause="restart_1012") - before == 1


def test_what_was_confirmed_over_restarts_has_arrived(stat_server: StatServer, connect: Connect) -> None:
    """A send that a close overtakes either raises or is confirmed, and whatever was confirmed arrives."""
    autoscaler = connect(stat_server.url)
    confirmed: list[str] = []
    stopped = threading.Event()

    def work(worker: int) -> None:
        number = 0
        while not stopped.is_set():
            number += 1
            try:
                autoscaler.send([frame(f"w{worker}-{number}")])
            except AutoscalerUnavailable:
                continue
            confirmed.append(f"shop/w{worker}-{number}")

    with ThreadPoolExecutor(8) as pool:
        working = [pool.submit(work, worker) for worker in range(8)]
        for restart in range(10):
            seen = len(confirmed)
            wait_until(lambda seen=seen: len(confirmed) > seen + 20)
            disconnect(stat_server, 1012 if restart % 2 else 1001)
        stopped.set()
    for one in working:
        one.result()
    wait_until(lambda: stat_server.connections == 11)
    wait_until(lambda: set(confirmed) <= set(stat_server.requests()))


def test_no_handshake(connect: Connect) -> None:
    """A server that accepts the TCP connection and says nothing is unavailable in time."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        autoscaler = connect(f"ws://127.0.0.1:{silent.getsockname()[1]}", confirm_within=0.2)
        began = time.monotonic()
        with pytest.raises(AutoscalerUnavailable, match="not connected"):
            autoscaler.send([frame("a")])
        assert time.monotonic() - began < 5


def test_no_pong(stat_server: StatServer, connect: Connect) -> None:
    """A server that stalls once it is connected is unavailable in time, and is used again once it goes on."""
    autoscaler = connect(stat_server.url, confirm_within=2.0)
    wait_until(lambda: sends(autoscaler, "a"))
    with stalled(stat_server):
        for _ in range(3):
            began = time.monotonic()
            with pytest.raises(AutoscalerUnavailable):
                autoscaler.send([frame("b")])
            assert time.monotonic() - began < 5
        wait_until(lambda: not autoscaler.connected, within=5, what="giving the connection up")
    wait_until(lambda: sends(autoscaler, "c"))
    stat_server.wait_for("shop/c")


def test_an_idle_connection_is_watched(stat_server: StatServer, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own pings find a peer that has died, with nothing sent."""
    monkeypatch.setattr("workers.autoscaler.PING_EVERY", 0.05)
    monkeypatch.setattr("workers.autoscaler.PONG_WITHIN", 0.05)
    autoscaler = connect(stat_server.url)
    wait_until(lambda: autoscaler.connected)
    with stalled(stat_server):
        wait_until(lambda: not autoscaler.connected)


def test_a_refused_connection_is_tried_again(connect: Connect) -> None:
    """Where nothing listens it tries again and again, and counts it."""
    before = metric("wakequeue_reconnects_total", cause="refused")
    connect(f"ws://127.0.0.1:{free_port()}")
    wait_until(lambda: metric("wakequeue_reconnects_total", cause="refused") >= before + 3)


def test_an_endpoint_that_speaks_no_websocket_is_tried_again(connect: Connect) -> None:
    """A server that answers the handshake with an error is counted as such."""
    before = metric("wakequeue_reconnects_total", cause="handshake")
    with HTTPServer(("127.0.0.1", 0), Silent) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        connect(f"ws://127.0.0.1:{server.server_port}")
        wait_until(lambda: metric("wakequeue_reconnects_total", cause="handshake") >= before + 3)
        server.shutdown()


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ConnectionClosedError(Close(1012, ""), None), "restart_1012"),
        (ConnectionClosedError(Close(1001, ""), None), "closed"),
        (ConnectionClosedError(None, None), "closed"),
        (InvalidHandshake(), "handshake"),
        (TimeoutError(), "timeout"),
        (ConnectionRefusedError(), "refused"),
        (OSError(), "network"),
    ],
)
def test_causes_are_few(error: Exception, cause: str) -> None:
    """What ended a connection is one of six words, fit for a label."""
    assert _cause(error) == cause


def test_sends_that_failed_leave_nothing(stat_server: StatServer, connect: Connect) -> None:
    """However many sends are given up while nothing is connected, none of their frames is kept or sent later."""
    stat_server.stop()
    autoscaler = connect(stat_server.url)
    for _ in range(4):
        sent = send_all(autoscaler, ["a"] * 50)
        assert {type(one.exception(10)) for one in sent} == {AutoscalerUnavailable}
    wait_until(lambda: not autoscaler._waiting)
    stat_server.start()
    wait_until(lambda: sends(autoscaler, "b"))
    assert "shop/a" not in stat_server.requests()


def test_the_metrics_say_whether_it_is_connected(stat_server: StatServer, connect: Connect) -> None:
    """The property and the gauge follow the connection."""
    autoscaler = connect(stat_server.url)
    wait_until(lambda: autoscaler.connected and metric("wakequeue_autoscaler_connected") == 1)
    stat_server.stop()
    wait_until(lambda: not autoscaler.connected and metric("wakequeue_autoscaler_connected") == 0)


@pytest.mark.parametrize("listening", [True, False])
def test_close_ends_the_thread(stat_server: StatServer, caplog: pytest.LogCaptureFixture, *, listening: bool) -> None:
    """Whether connected or not, close returns soon, with the thread ended and nothing left on its loop."""
    autoscaler = connection(stat_server.url)
    wait_until(lambda: autoscaler.connected)
    if not listening:
        stat_server.stop()
        wait_until(lambda: not autoscaler.connected)
    began = time.monotonic()
    autoscaler.close()
    assert time.monotonic() - began < 5
    assert not autoscaler._thread.is_alive()
    assert not autoscaler.connected
    assert autoscaler._loop.is_closed()
    assert not [record for record in caplog.records if record.name == "asyncio"]


# ---- what is done to a server


def sends(autoscaler: AutoscalerConnection, name: str) -> bool:
    """Whether a send is confirmed."""
    try:
        autoscaler.send([frame(name)])
    except AutoscalerUnavailable:
        return False
    return True


def disconnect(server: StatServer, code: int) -> None:
    """Close every connection, and go on listening."""

    async def close() -> None:
        assert server._server is not None
        for one in list(server._server.connections):
            await one.close(code)

    asyncio.run_coroutine_threadsafe(close(), server._loop).result(10)


@contextmanager
def stalled(server: StatServer) -> Iterator[None]:
    """A server whose connections stay open while it does nothing."""
    going_on = threading.Event()
    server._loop.call_soon_threadsafe(going_on.wait)
    try:
        yield
    finally:
        going_on.set()


class Silent(BaseHTTPRequestHandler):
    """Knows no method, and logs nothing."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the signature of the base class
        """Say nothing."""


def test_a_peer_that_reads_nothing(stat_server: StatServer, connect: Connect) -> None:
    """A peer that stops reading under a large frame is given up, and its connection with it."""
    autoscaler = connect(stat_server.url, confirm_within=2.0)
    wait_until(lambda: autoscaler.connected)
    with stalled(stat_server):
        with pytest.raises(AutoscalerUnavailable):
            autoscaler.send([frame("a") * 500_000])
        wait_until(lambda: not autoscaler.connected, 5)


def test_a_closed_connection_is_unavailable(stat_server: StatServer) -> None:
    """Whoever sends after close, as a task may while its worker stops, is told as if the Autoscaler were away."""
    autoscaler = connection(stat_server.url)
    autoscaler.close()
    assert not autoscaler.alive
    with pytest.raises(AutoscalerUnavailable):
        autoscaler.send([frame("a")])
