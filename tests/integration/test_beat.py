"""`wakequeue beat` as an operator has it: it idles without schedules, hands over when it is stopped, and outlives its Redis."""

import json
import time
from pathlib import Path

from support.installation import Installation
from support.processes import BIN, Process, free_port
from support.redis_server import RedisServer
from support.waiting import wait_until

EVERY_SECOND = {"WAKEQUEUE_SCHEDULES": json.dumps({"office": {"every": "1s", "wakes": "shop/cart-00001"}})}

#: Where the ledger has the name of the beat that leads.
LEADER = "{wakequeue}:beat"


def test_without_schedules_it_idles(redis_server: RedisServer, tmp_path: Path) -> None:
    """It says so once, lives, is ready, and stops with exit code 0 when told to; it leaves no file."""
    env = {"WAKEQUEUE_REDIS_URL": redis_server.url, "WAKEQUEUE_ADMIN_ADDRESS": f"127.0.0.1:{free_port()}"}
    with Process([str(BIN / "wakequeue"), "beat"], env, cwd=tmp_path) as beat:
        beat.wait_for_line("leads")
        assert beat.stop() == 0
        assert [line.split()[3] for line in beat.lines] == ["started", "no_schedules", "leads"]
    assert list(tmp_path.iterdir()) == []


def test_it_hands_over_and_outlives_its_redis(installation: Installation, redis_server: RedisServer) -> None:
    """One that is stopped is replaced at once; with Redis dead it isn't ready, but lives, says so once, and goes on after."""
    first, second = installation.beat(**EVERY_SECOND), installation.beat(**EVERY_SECOND)
    assert (first.metric("wakequeue_beat_leads"), second.metric("wakequeue_beat_leads")) == (1, 0)
    led = redis_server.client.get(LEADER)
    assert first.process.stop() == 0
    assert led
    assert redis_server.client.get(LEADER) != led
    wait_until(lambda: second.metric("wakequeue_beat_leads"), what="the other beat to lead")
    wait_until(lambda: second.metric("wakequeue_starts_sent_total"), what="a start that is sent")
    redis_server.kill()
    wait_until(lambda: second.get("/readyz") == (503, "redis: failed\n"), what="a beat that isn't ready")
    assert second.get("/livez") == (200, "beat: ok\n")
    assert second.metric("wakequeue_beat_leads") == 0
    redis_server.start()
    sent = second.metric("wakequeue_starts_sent_total")
    wait_until(lambda: second.metric("wakequeue_starts_sent_total") > sent, what="another start that is sent")
    wait_until(lambda: second.get("/readyz") == (200, "redis: ok\n"), what="a beat that is ready again")
    assert sum("ledger_away" in line for line in second.process.lines) == 1


def test_it_stops_while_redis_hangs(installation: Installation, redis_server: RedisServer) -> None:
    """Told to stop while Redis keeps its connections and answers nothing, it ends soon all the same."""
    beat = installation.beat(**EVERY_SECOND)
    redis_server.pause()
    began = time.monotonic()
    assert beat.process.stop() == 0
    assert time.monotonic() - began < 10
    redis_server.resume()
