"""`wakequeue schedule`, on a real Redis, as an operator would use it."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from support.ledger import A, B, Ledger
from support.processes import free_port
from support.redis_server import RedisServer

from wakequeue.broker import STARTS
from wakequeue.cli import wakequeue
from wakequeue.ledger import Start
from wakequeue.outlook import Held, Outlook, length
from wakequeue.schedule import Schedule
from wakequeue.schedule_command import NONE
from wakequeue.setting_sources import load

SETTINGS = """
zone = "America/New_York"

[schedules.office]
cron = "55 8 * * mon-fri"
zone = "Europe/Berlin"
wakes = ["shop/[a-c]*", "shop/web"]
for = "9h"
pods = 2
jitter = "30s"

[schedules.often]
every = "90m"
wakes = "shop/web"
"""
EVERY = 5_400.0

List = Callable[..., Result]


@pytest.fixture
def listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_redis: RedisServer) -> List:
    """Lists schedules as they are set, of an empty ledger."""
    (tmp_path / "settings.toml").write_text(SETTINGS)
    monkeypatch.setenv("WAKEQUEUE_SETTINGS_FILE", str(tmp_path / "settings.toml"))
    monkeypatch.setenv("WAKEQUEUE_REDIS_URL", shared_redis.url)

    def invoke(*options: str, **env: str) -> Result:
        result = CliRunner(env=env).invoke(wakequeue, ["schedule", "list", *options])
        assert result.exit_code == 0, result.output
        return result

    return invoke


def test_the_next_starts_are_those_of_the_schedules_zone() -> None:
    """As many as are asked for, each with the offset of its day; one without a zone is shown in that of the settings."""
    berlin, new_york = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
    now = datetime(2026, 3, 27, 20, tzinfo=berlin).timestamp()
    office = Schedule("office", ("shop/web",), "55 8 * * *", zone=berlin)
    one = Outlook.of(office, new_york, Held(now), 2)
    assert [datetime.fromtimestamp(at, one.zone).isoformat() for at in one.next] == [
        "2026-03-28T08:55:00+01:00",
        "2026-03-29T08:55:00+02:00",
    ]
    assert Outlook.of(Schedule("often", ("shop/web",), every=60), new_york, Held(now), 0).zone is new_york


def test_the_last_start_is_one_of_the_schedules_own() -> None:
    """The time at which the ledger heard of a schedule is no start, nor is one that is there in part."""
    often, zone = Schedule("often", ("shop/web",), every=60), ZoneInfo("UTC")
    reached = {"a start": 1_800_000_000.0, "in part": 1_799_999_999.999, "no start": 1_800_000_000.5}
    held = [Held(1.8e9, {often.key(zone): at}) for at in reached.values()]
    assert [Outlook.of(often, zone, one, 0).last for one in held] == [1.8e9, None, None]
    assert Outlook.of(often, zone, Held(1.8e9, {"office": 1.8e9}), 0).last is None


def test_a_start_that_should_be_in_the_ledger_is_overdue() -> None:
    """Ten seconds after its time; that of a schedule of which the ledger has heard, and as it is set now."""
    often, zone = Schedule("often", ("shop/web",), every=60), ZoneInfo("UTC")
    for now, overdue in ((1.8e9 + 69, None), (1.8e9 + 71, 1.8e9 + 60), (1.8e9 + 999, 1.8e9 + 60)):
        assert Outlook.of(often, zone, Held(now, {often.key(zone): 1.8e9}), 0).overdue == overdue
    changed = Schedule("often", ("shop/web",), every=60, pods=2)
    assert Outlook.of(changed, zone, Held(1.8e9 + 999, {often.key(zone): 1.8e9}), 0).overdue is None


def test_schedules_are_listed_with_what_the_ledger_has(listed: List, ledger: Ledger) -> None:
    """A line for each: what it wakes, when, how long it keeps it, its starts; then the plans, and who is kept warm.

    Where no beat leads, that is said.
    """
    often = Schedule("often", ("shop/web",), every=int(EVERY)).key(ZoneInfo("America/New_York"))
    ledger.starts.begin_scheduled(often, 300_000 * EVERY, "schedule often", [])
    ledger.starts.begin("hand ann", [Start(A, at=4_000_000_000, keep_for=600), Start(B, keep_for=600, pods=3)])
    shown = listed("--next", "1")
    assert shown.stderr == "wakequeue: no beat leads, so that no schedule starts anything: is `wakequeue beat` running?\n"
    office, line, plan, kept = shown.stdout.splitlines()
    assert office.startswith(
        "office wakes shop/[a-c]* shop/web: 55 8 * * mon-fri in Europe/Berlin, up to 30s late; keeps 2 pods for 9h; next 2"
    )
    assert office.count(" 08:55:00+0") == 1
    assert line.startswith(
        "often wakes shop/web: every 90m; last 2021-05-02 20:00:00-04:00; overdue since 2021-05-02 21:30:00-04:00; next 2"
    )
    assert plan == f"2096-10-02 03:06:40-04:00 wakes {A}, keeps 1 pod for 10m; planned by hand ann"
    assert kept.startswith(f"{B} is kept warm until 2")
    assert kept.endswith(" with 3 pods")
    ledger.starts.lead(STARTS, "a beat", [], 60)
    assert listed().stderr == ""


def test_schedules_are_listed_as_json(listed: List, ledger: Ledger) -> None:
    """An object for each schedule and each plan, with times in Unix seconds."""
    ledger.starts.begin("hand ann", [Start(A, at=4_000_000_000, keep_for=600, pods=2), Start(B, keep_for=60)])
    now = time.time()
    office, often, plan, kept = map(json.loads, listed("--json").stdout.splitlines())
    assert [now < at for at in office.pop("next")] == [True] * 3
    assert office == {
        "schedule": "office",
        "cron": "55 8 * * mon-fri",
        "every": None,
        "zone": "Europe/Berlin",
        "wakes": ["shop/[a-c]*", "shop/web"],
        "for": 32_400,
        "pods": 2,
        "jitter": 30,
        "last": None,
        "overdue": None,
    }
    assert (often["cron"], often["every"], often["zone"]) == (None, EVERY, "America/New_York")
    assert plan == {"revision": str(A), "at": 4_000_000_000, "for": 600, "pods": 2, "cause": "hand ann"}
    assert kept == {"revision": str(B), "until": pytest.approx(now + 60, abs=10), "pods": 1}


def test_a_terminal_is_shown_tables(listed: List, ledger: Ledger) -> None:
    """Patterns are shown as they are, brackets and all."""
    ledger.starts.begin("hand [ann]", [Start(A, at=4_000_000_000), Start(B, keep_for=60)])
    shown = listed(FORCE_COLOR="1", COLUMNS="200").stdout
    for text in (
        "shop/[a-c]*",
        "every 90m",
        "2 pods for 9h",
        "2096-10-02 03:06:40-04:00",
        str(A),
        "hand [ann]",
        "kept warm",
        str(B),
    ):
        assert text in shown
    assert "2096-10-02 03:06:40-04:00" in listed(FORCE_COLOR="1", COLUMNS="60").stdout


def test_schedules_are_listed_while_redis_is_away(listed: List) -> None:
    """They are settings; what the ledger would add is missed, and a warning says so."""
    result = listed(WAKEQUEUE_REDIS_URL=f"redis://127.0.0.1:{free_port()}")
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["office", "often"]
    assert result.stderr.startswith("wakequeue: Redis does not answer: ")
    assert result.stderr.endswith("; these are the schedules alone\n")
    assert len(result.stderr.splitlines()) == 1


def test_without_schedules_it_says_how_to_make_one(listed: List, ledger: Ledger, tmp_path: Path) -> None:
    """By lines that are one, once they are in the file; plans are shown all the same."""
    ledger.starts.begin("hand ann", [Start(A, at=4_000_000_000)])
    settings = tmp_path / "settings.toml"
    settings.write_text("")
    *said, plan = listed().stdout.splitlines(keepends=True)
    assert "".join(said) == NONE
    assert f"wakes {A}; planned by hand ann" in plan
    assert len(listed("--json").stdout.splitlines()) == 1
    settings.write_text("".join(said[1:]))
    assert load().schedules.keys() == {"office"}


@pytest.mark.parametrize(
    ("seconds", "text"), [(86_400, "24h"), (5_400, "90m"), (90, "90s"), (0.5, "500ms"), (1.5, "1500ms"), (0.001, "1ms")]
)
def test_a_length_of_time_is_written_as_settings_write_it(seconds: float, text: str) -> None:
    """In the largest unit of which it is a whole number."""
    assert length(seconds) == text
