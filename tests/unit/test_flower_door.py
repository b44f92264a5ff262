"""Who may look at Flower."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from wakequeue.errors import SettingsError
from wakequeue.setting_sources import load
from workers.flower_door import Door, credentials

SHOWN = "Basic d2FrZXF1ZXVlOmh1bnRlcjI="  # wakequeue:hunter2


def asks(host: str = "127.0.0.1", remote_ip: str = "127.0.0.1", authorization: str = "") -> SimpleNamespace:
    """A request, as far as the door looks at it."""
    return SimpleNamespace(host_name=host, remote_ip=remote_ip, headers={"Authorization": authorization})


def test_credentials(tmp_path: Path) -> None:
    """User and password are those of the settings, or of the file; without any, nobody needs them."""
    (tmp_path / "password").write_text("hunter3\n")
    assert credentials(load({})) == []
    assert credentials(load({"WAKEQUEUE_FLOWER_PASSWORD": "hunter2"})) == ["wakequeue:hunter2"]
    named = {"WAKEQUEUE_FLOWER_USER": "ann", "WAKEQUEUE_FLOWER_PASSWORD_FILE": str(tmp_path / "password")}
    assert credentials(load(named | {"WAKEQUEUE_FLOWER_ADDRESS": "0.0.0.0:5555"})) == ["ann:hunter3"]


@pytest.mark.parametrize("address", ["0.0.0.0:5555", "[::]:5555", "192.0.2.1:5555", "flower.example:5555"])
def test_an_open_address_needs_a_password(address: str) -> None:
    """Where other machines reach Flower, it refuses to start without a password, in one line that says what to set."""
    with pytest.raises(SettingsError, match=r"^WAKEQUEUE_FLOWER_ADDRESS = .*flower_password_file or flower_password must be set"):
        credentials(load({"WAKEQUEUE_FLOWER_ADDRESS": address}))


@pytest.mark.parametrize("address", ["127.0.0.1:5555", "127.1.2.3:5555", "[::1]:5555", "localhost:5555"])
def test_this_machines_own_address_needs_none(address: str) -> None:
    """Where nobody else reaches Flower, it starts without a password."""
    assert credentials(load({"WAKEQUEUE_FLOWER_ADDRESS": address})) == []


def test_a_password_that_flower_can_not_compare(tmp_path: Path) -> None:
    """It is refused without being shown."""
    (tmp_path / "password").write_text("h\u00fcnter2")
    with pytest.raises(SettingsError, match="printable ASCII") as refused:
        credentials(load({"WAKEQUEUE_FLOWER_PASSWORD_FILE": str(tmp_path / "password")}))
    assert "nter2" not in str(refused.value)


@pytest.mark.parametrize("shown", ["", SHOWN.lower(), SHOWN[:-2], SHOWN + " ", "Bearer hunter2", "Basic \u00fc", "hunter2"])
def test_with_a_password(shown: str) -> None:
    """Who shows it comes in, from wherever; who shows anything else does not, not even on this machine."""
    door = Door(["wakequeue:hunter2"])
    assert door.refuses(asks("flower.example", "192.0.2.1", SHOWN)) is None  # type: ignore[arg-type]
    assert door.refuses(asks(authorization=shown)) == 401  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]"])
def test_without_a_password(host: str) -> None:
    """Who is on this machine, and calls it so, comes in; nobody from elsewhere, and no page of a name that leads here."""
    door = Door([])
    assert door.refuses(asks(host)) is None  # type: ignore[arg-type]
    assert door.refuses(asks(host, "192.0.2.1")) == 403  # type: ignore[arg-type]
    assert door.refuses(asks("elsewhere.example")) == 403  # type: ignore[arg-type]


@pytest.mark.parametrize("header", ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip"])
def test_a_proxy_of_this_machine_lets_in_nobody(header: str) -> None:
    """Without a password, whoever it asks for is not on this machine; with one, it may pass that on."""
    asked = asks("127.0.0.1", authorization=SHOWN)
    asked.headers[header] = "192.0.2.1"
    assert Door([]).refuses(asked) == 403  # type: ignore[arg-type]
    assert Door(["wakequeue:hunter2"]).refuses(asked) is None  # type: ignore[arg-type]


def test_flowers_own_variable_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who set a password for Flower by its own name would believe it closed."""
    monkeypatch.setenv("FLOWER_BASIC_AUTH", "me:hunter2")
    with pytest.raises(SettingsError, match="FLOWER_BASIC_AUTH is not read") as refused:
        credentials(load({}))
    assert "hunter2" not in str(refused.value)
