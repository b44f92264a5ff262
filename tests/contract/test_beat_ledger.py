"""What a beat relies on of the ledger's starts, held by the fake and the real ones; and the message by which it asks a worker."""

import base64
import json
from datetime import datetime

import pytest
from support.ledger import A, B
from support.redis_server import RedisServer
from support.starts import FakeStarts

from wakequeue.broker import QUEUE, STARTS, make_app, send_start
from wakequeue.ledger import Begun, Start, Starts
from wakequeue.setting_schedules import Pods
from wakequeue.settings import Settings


@pytest.fixture(params=["fake", "real"])
def starts(request: pytest.FixtureRequest) -> Starts:
    """The starts of an empty ledger."""
    if request.param == "fake":
        return FakeStarts()
    server: RedisServer = request.getfixturevalue("shared_redis")
    return Starts(server.client, Settings(), QUEUE)


def leads(starts: Starts, beat: str, seconds: float = 60.0) -> bool:
    """Whether this beat leads, that asks for it."""
    return starts.lead(STARTS, beat, [], seconds).leads


def test_one_beat_leads_until_it_stands_down(starts: Starts) -> None:
    """Who asked first leads, as long as it asks, or until it stands down; what the others say of that is nothing."""
    assert [leads(starts, beat) for beat in ("one", "two", "one")] == [True, False, True]
    starts.stand_down(STARTS, "two")
    assert not leads(starts, "two")
    starts.stand_down(STARTS, "one")
    assert [leads(starts, beat) for beat in ("two", "one")] == [True, False]


def test_a_schedule_that_is_new_had_its_last_start_now(starts: Starts) -> None:
    """From when a beat first led that has it; a beat that doesn't lead learns the same."""
    first = starts.lead(STARTS, "one", ["office"], 60)
    assert first.last_starts == {"office": first.now}
    assert starts.lead(STARTS, "two", ["office"], 60).last_starts == {"office": first.now}


def test_a_start_is_recorded_once(starts: Starts) -> None:
    """It is the schedule's last one then; it, and those before it, change nothing any more. One that starts nobody is one, too."""
    now = starts.lead(STARTS, "one", ["office"], 60).now
    office = [Start(A, now, 60, Pods.parse(2)), Start(B, now + 60)]
    assert starts.begin_scheduled("office", now + 1, "schedule office", office) == Begun(planned=1, made=1, due=[A])
    assert starts.begin_scheduled("office", now + 1, "schedule office", office) == Begun()
    assert starts.begin_scheduled("office", now, "schedule office", office) == Begun()
    assert starts.lead(STARTS, "one", ["office", "other"], 60).last_starts["office"] == now + 1
    assert starts.begin_scheduled("office", now + 2, "schedule office", []) == Begun()
    assert starts.lead(STARTS, "one", ["office"], 60).last_starts == {"office": now + 2}


def test_a_start_that_is_too_late_is_recorded_and_starts_nobody(starts: Starts) -> None:
    """It is buried."""
    at = starts.lead(STARTS, "one", [], 60).now - 301
    assert starts.begin_scheduled("office", at, "schedule office", [Start(A, at)]) == Begun(missed=1)
    assert starts.lead(STARTS, "one", ["office"], 60).last_starts == {"office": pytest.approx(at, abs=0.001)}


def test_the_start_of_a_schedule_is_one_message(shared_redis: RedisServer) -> None:
    """Its task, its arguments, and how Flower shows them are what a worker of another version reads."""
    send_start(make_app(shared_redis.reach), "office@1a2b3c4d", datetime.fromisoformat("2026-11-30T08:55:00+01:00"))
    message = json.loads(shared_redis.client.lpop("wakequeue.starts"))
    assert message["headers"]["task"] == "wakequeue.start"
    assert message["headers"]["argsrepr"] == "(office, 2026-11-30 08:55:00+01:00)"
    assert json.loads(base64.b64decode(message["body"]))[:2] == [["office@1a2b3c4d", 1796025300.0], {}]
