"""The log of real processes as JSON: one id from the front to the audit trail, and never anything but objects."""

import itertools
import json
import re
from typing import Any

import pytest
from support.flower import shown_by_flower
from support.installation import Installation
from support.mixer import check_all, request
from support.processes import BIN, Process
from support.redis_server import RedisServer
from support.stat_server import StatServer
from support.waiting import wait_until


@pytest.fixture
def started(installation: Installation) -> Installation:
    """Processes that log JSON, with a schedule, for which a beat runs."""
    office = {"every": "1h", "wakes": ["shop/office"]}
    installation.env |= {"WAKEQUEUE_LOG_FORMAT": "json", "WAKEQUEUE_SCHEDULES": json.dumps({"office": office})}
    return installation


def objects(process: Process) -> list[dict[str, Any]]:
    """The lines of a process; fails where one is no JSON object."""
    lines = [json.loads(line) for line in list(process.lines)]
    assert all(isinstance(line, dict) for line in lines)
    return lines


def said(process: Process, event: str, **details: object) -> dict[str, Any]:
    """The first line of this event with these details, once it is there."""

    def found() -> dict[str, Any] | None:
        lines = (line for line in objects(process) if line.get("event") == event)
        return next((line for line in lines if line.items() >= details.items()), None)

    return wait_until(found, what=f"{event} {details}")


def history(started: Installation, *arguments: str) -> list[dict[str, Any]]:
    """The audit trail."""
    command = started.start([str(BIN / "wakequeue"), "history", "--json", *arguments])
    assert command.wait() == 0, command.output
    return objects(command)


def test_one_id_through_front_worker_and_audit_trail(started: Installation) -> None:
    """Whoever has the id from one of them finds the others; a waking is told of once, by the front and by the worker."""
    hook, worker = started.hook(), started.worker()
    for _ in range(2):
        check_all(hook.grpc_address, [request(b"shop", b"cart")] * 3)
    recorded = said(hook.process, "recorded", revision="shop/cart")
    reported = said(worker.process, "reported", revision="shop/cart")
    wakeup = recorded["wakeup"]
    assert re.fullmatch("[0-9a-f]{32}", wakeup)
    assert (recorded["role"], recorded["caller"], reported["role"]) == ("hook", "mixer_authorization 127.0.0.1", "worker")
    assert reported["wakeup"] == wakeup
    assert 1 <= reported["calls"] <= 6
    assert 0 < reported["seconds"] < 20
    trail = wait_until(lambda: history(started, "--wakeup", wakeup[:8]), what="the audit trail")
    assert {(one["revision"], one["outcome"], one["wakeup"]) for one in trail} == {("shop/cart", "reported", wakeup)}
    for process, event in ((hook.process, "recorded"), (worker.process, "reported")):
        assert sum(line.get("event") == event for line in objects(process)) == 1


def test_a_mass_wake_up_does_not_flood_the_log(started: Installation) -> None:
    """Of 500 at once some are told of; how many the others were, the first that is told of later says."""
    hook, worker = started.hook(), started.worker()
    check_all(hook.grpc_address, [request(b"shop", f"r{number}".encode()) for number in range(500)])
    wait_until(lambda: worker.metric("wakequeue_reports_total", phase="asleep") == 500, what="500 reports")
    later = itertools.count()

    def counted() -> bool:
        check_all(hook.grpc_address, [request(b"shop", f"later{next(later)}".encode())])
        return all(sum(1 + line.get("since_last", 0) for line in lines) > 500 for lines in map(told, events))

    def told(event: tuple[Process, str]) -> list[dict[str, Any]]:
        return [line for line in objects(event[0]) if line.get("event") == event[1]]

    events = (hook.process, "recorded"), (worker.process, "reported")
    wait_until(counted, what="all to be counted")
    assert all(len(told(event)) < 250 for event in events)


def test_every_line_is_an_object(started: Installation, redis_server: RedisServer, stat_server: StatServer) -> None:
    """Of each role, from its start to its end: while Redis and the Autoscaler are away, and of Celery and Tornado too."""
    hook, worker, beat = started.hook(), started.worker(), started.beat()
    flower, _ = shown_by_flower(started, worker)
    redis_server.kill()
    stat_server.stop()
    said(worker.process, "disconnected")
    said(worker.process, "sweep_failed")
    check_all(hook.grpc_address, [request(b"shop", b"away")])
    said(hook.process, "ledger_away")

    def complained() -> bool:
        celery = (line for line in objects(worker.process) if line.get("logger", "").startswith("celery."))
        return any("exception" in line or "Error" in line["message"] for line in celery)

    wait_until(complained, what="an error of Celery's")
    redis_server.start()
    stat_server.start()
    stat_server.wait_for("shop/away")
    for process in (hook.process, worker.process, beat.process, flower):
        process.stop()
    roles = {process: {line["role"] for line in objects(process)} for process in (hook.process, worker.process, beat.process)}
    assert list(roles.values()) == [{"hook"}, {"worker"}, {"beat"}]
    assert {line["role"] for line in objects(flower)} == {"flower"}
    assert any("Warm shutdown" in line.get("message", "") for line in objects(worker.process))
