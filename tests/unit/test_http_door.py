"""The door of `/wake`: who may wake without a gateway."""

import logging

import pytest

from gateway_hook.http.answers import NO_CERTIFICATE, NOT_OPEN
from gateway_hook.http.door import WakeDoor
from gateway_hook.http.request import Headers
from wakequeue.setting_sources import load
from wakequeue.telemetry import FRONT

TOKEN = "hunter2"


def door(**settings: str) -> WakeDoor:
    """Return the door of these settings."""
    return WakeDoor(load({f"WAKEQUEUE_{name.upper()}": value for name, value in settings.items()}))


def refused(reason: str) -> float:
    """Return how many callers were refused."""
    return FRONT.get_sample_value("wakequeue_refused_total", {"reason": reason}) or 0.0


@pytest.mark.parametrize("address", ["127.0.0.1:8012", "127.9.9.9:1", "[::1]:8012", "localhost:8012"])
def test_this_machine_needs_no_token(address: str) -> None:
    """Where only this machine can reach the port, and no token is set, anyone may wake."""
    assert door(http_address=address).refuses(Headers(), "127.0.0.1") is None


@pytest.mark.parametrize("address", ["0.0.0.0:8012", "[::]:8012", "10.0.0.7:8012", "front.example:8012"])
def test_others_need_one(address: str) -> None:
    """Where others can reach it, nobody may until a token is set; it is counted as a call without one."""
    before = refused("no_token")
    assert door(http_address=address).refuses(Headers(), "10.0.0.9") is NOT_OPEN
    assert refused("no_token") == before + 1
    with_token = door(http_address=address, grpc_token=TOKEN)
    assert with_token.refuses(Headers({"authorization": f"bearer {TOKEN}\n"}), "10.0.0.9") is None


@pytest.mark.parametrize("more", [{}, {"grpc_allowed_clients": "spiffe://x"}])
def test_a_front_that_knows_its_clients(more: dict[str, str]) -> None:
    """Where gRPC's clients are known by their certificates alone, nobody can be known here."""
    clients = {"grpc_certificate_file": "/c", "grpc_key_file": "/k", "grpc_client_ca_file": "/a"} | more
    before = refused("client_not_allowed")
    assert door(**clients).refuses(Headers(), "127.0.0.1") is NO_CERTIFICATE
    assert refused("client_not_allowed") == before + 1
    assert door(**clients, grpc_token=TOKEN).refuses(Headers({"authorization": f"Bearer {TOKEN}"}), "127.0.0.1") is None


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ({}, "no_token"),
        ({"authorization": "Bearer wrong"}, "wrong_token"),
        ({"authorization": TOKEN}, "no_token"),
        ({"authorization": f"Bearer {TOKEN},Bearer {TOKEN}"}, "wrong_token"),
        ({"x-token": TOKEN}, "no_token"),
    ],
)
def test_the_wrong_token(headers: dict[str, str], reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """Even on this machine a token that is set must be shown; the refusal is counted, and logged without the token."""
    before = refused(reason)
    with caplog.at_level(logging.WARNING):
        answer = door(grpc_token=TOKEN).refuses(Headers(headers), "10.0.0.9")
    assert answer is not None
    assert answer.status == 401
    assert refused(reason) == before + 1
    assert f"refused reason={reason} peer=10.0.0.9" in caplog.text
    assert TOKEN not in caplog.text


def test_a_token_in_its_own_header() -> None:
    """As at the gRPC port, it stands alone in a header that is named for it."""
    assert door(grpc_token=TOKEN, grpc_token_header="x-token").refuses(Headers({"x-token": TOKEN}), "10.0.0.9") is None
