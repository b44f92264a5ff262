"""From a gateway's call to the Autoscaler: real fronts, Redis, Celery workers and WebSockets, in processes of their own."""

import statistics
import threading
import time

import grpc
import pytest
from support.frames import read_gob
from support.installation import Installation
from support.mixer import Answer, check, check_all, request, try_all
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.waiting import wait_until


def test_a_call_becomes_a_stat(installation: Installation, stat_server: StatServer) -> None:
    """A call is answered OK, not to be cached, and its Revision is reported as the activator would: (1, 1), then (1, 0)."""
    hook, _ = installation.hook(), installation.worker(WAKEQUEUE_WAKING_FOR="10s")
    answer = check(hook.grpc_address, "default", "hello-00001")
    assert (answer.code, answer.uses) == (0, 0)
    assert answer.size > 0
    reports = stat_server.wait_for("default/hello-00001", reports=3)[:3]
    assert [(one.stat.concurrency, one.stat.requests) for one in reports] == [(1, 1), (1, 0), (1, 0)]
    assert {one.stat.pod_name for one in reports} == {"activator-wakequeue"}
    assert {one.stat.others for one in reports} == {()}


@pytest.mark.alone
def test_the_first_report_is_prompt(installation: Installation, stat_server: StatServer) -> None:
    """The first report arrives within 100 ms of the call, by the median of twenty."""
    hook, _ = installation.hook(), installation.worker()
    check(hook.grpc_address, "default", "warm-up")
    stat_server.wait_for("default/warm-up")
    seconds = []
    for number in range(20):
        called_at = time.time()
        check(hook.grpc_address, "default", f"app-{number}")
        seconds.append(stat_server.wait_for(f"default/app-{number}")[0].at - called_at)
    assert statistics.median(seconds) < 0.1, seconds


@pytest.mark.alone
def test_a_burst_is_reported_whole(installation: Installation, stat_server: StatServer) -> None:
    """500 calls for one sleeping Revision are reported as 500 requests and, once all are in, as a concurrency of 500."""
    hook, _ = installation.hook(), installation.worker()
    check_all(hook.grpc_address, [request(b"default", b"burst")] * 500)

    def repeats() -> list[float]:
        return [one.stat.concurrency for one in stat_server.of("default/burst") if not one.stat.requests]

    wait_until(lambda: 500 in repeats(), what="a repeat of all")
    assert stat_server.requests()["default/burst"] == 500
    assert max(one.stat.concurrency for one in stat_server.of("default/burst")) == 500
    assert len(stat_server.of("default/burst")) <= 4, "the first report, its correction and two repeats"


@pytest.mark.alone
def test_a_mass_wake_up(installation: Installation, stat_server: StatServer) -> None:
    """2,000 sleeping Revisions called at once are all reported within 2 s of the last answer."""
    hook, _ = installation.hook(), installation.worker()
    names = [f"app-{number}" for number in range(2_000)]
    check_all(hook.grpc_address, [request(b"default", name.encode()) for name in names])
    wait_until(lambda: len(stat_server.requests()) == 2_000, within=2.0, what="2,000 Revisions reported")
    assert set(stat_server.requests().values()) == {1}


@pytest.mark.alone
def test_the_rhythm_holds_across_fronts_and_workers(redis_server: RedisServer) -> None:
    """However many fronts and workers there are, a Revision is reported once a second, and every call is counted once.

    A frame of Knative 0.15 says when its report was decided; and sweeps that come often put no early report off.
    """
    env = {"WAKEQUEUE_KNATIVE_RELEASE": "0.15", "WAKEQUEUE_SWEEP_EVERY": "10ms"}
    with StatServer(read_gob) as stat_server, Installation(redis_server.url, stat_server.url, env) as installation:
        hooks = [installation.hook() for _ in range(2)]
        for _ in range(2):
            installation.worker()
        called = 0
        ends_at = time.monotonic() + 6
        while time.monotonic() < ends_at:
            for hook in hooks:
                check_all(hook.grpc_address, [request(b"default", b"busy")] * 25)
                called += 25
        wait_until(lambda: stat_server.requests()["default/busy"] == called, what="every call reported")
    correction, *gaps_ms = stat_server.gaps_ms("default/busy")
    assert correction >= 200, correction
    assert all(gap >= 1_000 for gap in gaps_ms), gaps_ms
    reports = stat_server.of("default/busy")
    assert any(one.stat.concurrency == 0.001 for one in reports), "awake by the end, so it weighs nothing"


def test_an_awake_revision_is_answered_from_memory(installation: Installation, stat_server: StatServer) -> None:
    """Once awake, answers may be cached for less than `idle_after`, and calls still are reported, exactly."""
    hook, _ = installation.hook(WAKEQUEUE_WAKING_FOR="1500ms"), installation.worker(WAKEQUEUE_WAKING_FOR="1500ms")
    called = 0

    def is_cacheable() -> bool:
        nonlocal called
        called += 1
        answer = check(hook.grpc_address, "default", "hello")
        return answer.uses > 0 and 0 < answer.valid_seconds < 5

    wait_until(is_cacheable, what="a cacheable answer")
    check_all(hook.grpc_address, [request(b"default", b"hello")] * 200)
    wait_until(lambda: stat_server.requests()["default/hello"] == called + 200, what="every call reported")
    assert hook.metric("wakequeue_calls_total", outcome="awake") >= 200


def test_a_restart_of_the_autoscaler_loses_nothing(installation: Installation, stat_server: StatServer) -> None:
    """Calls made before, during and after a restart of the stat server (close 1012) are all reported."""
    hook, worker = installation.hook(), installation.worker()
    names = [f"app-{number}" for number in range(60)]
    check_all(hook.grpc_address, [request(b"default", name.encode()) for name in names[:20]])
    stat_server.stop(1012)
    check_all(hook.grpc_address, [request(b"default", name.encode()) for name in names[20:40]])
    wait_until(lambda: worker.get("/readyz")[0] == 503, what="the worker to say that it is not connected")
    stat_server.start()
    check_all(hook.grpc_address, [request(b"default", name.encode()) for name in names[40:]])
    expected = {f"default/{name}" for name in names}
    wait_until(lambda: expected <= set(stat_server.requests()), what="every Revision reported")
    assert worker.metric("wakequeue_reconnects_total") > 0


def test_calls_that_mean_no_revision(installation: Installation, stat_server: StatServer) -> None:
    """Whatever a call says, it is answered OK; one that names no Revision, or is a probe, records nothing and is counted."""
    hook, _ = installation.hook(), installation.worker()
    answers = check_all(
        hook.grpc_address,
        [
            request(b"default", b""),
            request(b"default", b"www.example.com"),
            request(b"default", b"\xff\xfe"),
            request(b"Not_A_Namespace", b"hello"),
            b"\xff\xff\xff\xff",
            request(b"default", b"probed", properties={b"user-agent": b"kube-probe/1.31"}),
            request(b"default", b"good", path=b"/\xff", properties={b"\xfe": b"\xff"}),
        ],
    )
    assert {(answer.code, answer.uses) for answer in answers} == {(0, 0)}
    assert all(answer.size for answer in answers)
    stat_server.wait_for("default/good")
    assert set(stat_server.requests()) == {"default/good"}
    reasons = ("no_service", "unknown_host", "invalid_utf8", "invalid_name", "malformed")
    assert [hook.metric("wakequeue_unresolved_total", reason=reason) for reason in reasons] == [1] * 5
    assert hook.metric("wakequeue_calls_total", outcome="ignored") == 1


def test_hosts_and_suffixes(installation: Installation, stat_server: StatServer) -> None:
    """Host names, ports, private suffixes and the operator's own patterns all mean their Revision."""
    hook, _ = installation.hook(WAKEQUEUE_SERVICE_PATTERNS=r"(?P<name>[^.]+)\.apps\.example\.com"), installation.worker()
    services = (b"one.shop.svc.cluster.local:80", b"two-priv", b"three-private.shop.svc.cluster.local", b"four.apps.example.com")
    check_all(hook.grpc_address, [request(b"default", service) for service in services])
    expected = {"shop/one", "default/two", "shop/three", "default/four"}
    wait_until(lambda: set(stat_server.requests()) == expected, what="each Revision reported")


@pytest.mark.parametrize("workers", [1, 3])
def test_a_drained_front_loses_nothing(installation: Installation, stat_server: StatServer, workers: int) -> None:
    """A front told to stop answers and records the calls that reached it, refuses later ones, and ends with exit code 0."""
    hook = installation.hook()
    for _ in range(workers):
        installation.worker()
    names = [f"app-{number}" for number in range(300)]
    answers: list[Answer | grpc.StatusCode] = []
    requests = [request(b"default", name.encode()) for name in names]
    calling = threading.Thread(target=lambda: answers.extend(try_all(hook.grpc_address, requests)))
    calling.start()
    wait_until(lambda: hook.metric("wakequeue_calls_total") > 0, what="the first answer")
    assert hook.process.stop() == 0
    calling.join()
    refused = answers.count(grpc.StatusCode.UNAVAILABLE)
    answered = {name for name, answer in zip(names, answers, strict=True) if isinstance(answer, Answer)}
    assert answered
    assert len(answered) + refused == len(names), answers
    wait_until(lambda: {f"default/{name}" for name in answered} <= set(stat_server.requests()), what="the answered reported")
