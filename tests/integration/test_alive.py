"""`wakequeue alive`, as a container's health check asks."""

import socket

import pytest
from click.testing import CliRunner, Result
from prometheus_client import CollectorRegistry
from support.processes import BIN, Process, free_port

from wakequeue import alive
from wakequeue.admin import AdminServer
from wakequeue.setting_types import Address


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Where nothing listens yet, as the settings have it: the admin port, Flower and the stand-in."""
    found = {name: f"127.0.0.1:{free_port()}" for name in ("admin", "flower", "standin")}
    for name in ("admin", "flower"):
        monkeypatch.setenv(f"WAKEQUEUE_{name.upper()}_ADDRESS", found[name])
    monkeypatch.setattr(alive, "STANDIN", found["standin"])
    return found


def ask() -> Result:
    """Run it."""
    return CliRunner().invoke(alive.alive)


@pytest.mark.parametrize("well", [True, False])
def test_what_a_process_says_of_itself(addresses: dict[str, str], well: bool) -> None:  # noqa: FBT001  a test's example
    """It is the process's own /livez that decides."""
    address = Address(addresses["admin"])
    admin = AdminServer(address, live=lambda: {"sweep": well}, ready=dict, registry=CollectorRegistry())
    answer = ask()
    admin.close()
    assert answer.exit_code == (0 if well else 1)
    assert answer.output == f"http://{address}/livez: {200 if well else 503}\n"


def test_the_stand_in(addresses: dict[str, str]) -> None:
    """The stand-in Autoscaler says that it is well, and nothing of the question in its log."""
    with Process([str(BIN / "wakequeue"), "autoscaler", "--address", addresses["standin"]], {}) as autoscaler:
        autoscaler.wait_for_line("listens on")
        answer = ask()
        assert (answer.exit_code, answer.output) == (0, f"http://{addresses['standin']}/livez: 200\n")
        assert autoscaler.stop() == 0
        assert len(autoscaler.lines) == 1


def test_where_one_of_ours_listens_the_stand_in_is_not_asked(addresses: dict[str, str]) -> None:
    """At its place may be anything else, such as a front's HTTP port."""
    admin = AdminServer(Address(addresses["admin"]), live=dict, ready=dict, registry=CollectorRegistry())
    with socket.create_server(("127.0.0.1", Address(addresses["standin"]).port)) as other:
        other.settimeout(0)
        answer = ask()
        with pytest.raises(BlockingIOError):
            other.accept()
    admin.close()
    assert (answer.exit_code, answer.output) == (0, f"http://{addresses['admin']}/livez: 200\n")


def test_nothing_is_not_well(addresses: dict[str, str]) -> None:
    """Where nothing listens, that is said, and is an error."""
    answer = ask()
    assert answer.exit_code == 1
    assert answer.output == f"nothing listens at {', '.join(addresses.values())}\n"


def test_what_does_not_answer_is_not_well(addresses: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes a connection and says nothing is an error, within bounds."""
    monkeypatch.setattr(alive, "SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", Address(addresses["flower"]).port)):
        answer = ask()
    assert answer.exit_code == 1
    assert answer.output == f"http://{addresses['flower']}/healthcheck: timed out\n"
