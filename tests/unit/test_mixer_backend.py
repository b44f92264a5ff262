"""InfrastructureBackend, byte by byte: Mixer's questions about a handler's configuration, and its sessions."""

import asyncio
from types import SimpleNamespace
from typing import Any, Final

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from hypothesis import given
from hypothesis import strategies as st
from support.fakes import FakeContext
from support.mixer import field
from support.protobuf import Value, fields
from support.templates import SESSION_TYPE, any_of, params

from gateway_hook.mixer.backend import Backend
from gateway_hook.mixer.params import params_in
from wakequeue.setting_sources import load

#: google.rpc.Status {1 code}; code 3 is INVALID_ARGUMENT.
INVALID_ARGUMENT: Final = 3
GOOD: Final = params(b"default", b"{service}", awake_cache=b"\x08\x04")


def ask(method: str, data: bytes, **environ: str) -> dict[int, Value]:
    """Return the fields of the answer to one request."""
    handler: Any = Backend(load(environ)).methods()[method]
    return dict(fields(asyncio.run(handler.unary_unary(data, FakeContext()))))


def status(value: Value) -> SimpleNamespace:
    """Read a Status {1 code, 2 message}."""
    assert isinstance(value, bytes)
    read = dict(fields(value))
    message = read.get(2, b"")
    assert isinstance(message, bytes)
    return SimpleNamespace(code=read.get(1, 0), message=message.decode())


@pytest.mark.parametrize("data", [b"", field(1, any_of(GOOD)), field(1, any_of(b"")), field(2, field(1, b"\xff"))])
def test_a_good_configuration_is_valid(data: bytes) -> None:
    """ValidateResponse {1 status}: OK, also for a handler without Params; the inferred types mean nothing to us."""
    answer = ask("Validate", data)
    assert set(answer) == {1}
    assert (status(answer[1]).code, status(answer[1]).message) == (0, "")


BAD: Final = [
    (b"\xff", "this is no istio.mixer.adapter.model.v1beta1."),
    (field(1, any_of(b"\xff")), "they are no wakequeue.mixer.Params"),
    (field(1, any_of(params(b"{"))), "namespace: '{' must be text with {name} in it"),
    (field(1, any_of(params(awake_cache=b"\x08\x05"))), "awake_cache: 5s must be from 0s up, and shorter than idle_after (5s)"),
    (field(1, any_of(GOOD, b"x/other.Params")), "adapter_config: 'x/other.Params' must be wakequeue.mixer.Params"),
    (field(1, any_of(b"7", SESSION_TYPE)), "adapter_config: 'google.protobuf.Any.type_url' must be wakequeue.mixer.Params"),
]


@pytest.mark.parametrize(("data", "says"), BAD)
def test_a_bad_configuration_is_refused(data: bytes, says: str) -> None:
    """The call itself is OK; its status is INVALID_ARGUMENT, and says what is wrong. No session is opened."""
    for method, number in (("Validate", 1), ("CreateSession", 2)):
        answer = ask(method, data)
        assert set(answer) == {number}
        assert status(answer[number]).code == INVALID_ARGUMENT
        assert status(answer[number]).message.startswith(says)


def test_the_bound_is_that_of_the_settings() -> None:
    """`awake_cache` must be shorter than this front's `idle_after`."""
    data = field(1, any_of(params(awake_cache=b"\x08\x05")))
    assert status(ask("Validate", data, WAKEQUEUE_IDLE_AFTER="5500ms")[1]).code == 0


@pytest.mark.parametrize("given_params", [b"", GOOD])
def test_a_session_needs_nobody_to_remember_it(given_params: bytes) -> None:
    """CreateSessionResponse {1 session_id, 2 status}: another front, or this one after a restart, reads the Params in the id."""
    answer = ask("CreateSession", field(1, any_of(given_params)))
    assert status(answer[2]).code == 0
    session = answer[1]
    assert isinstance(session, bytes)
    assert session == ask("CreateSession", field(1, any_of(given_params)))[1]
    assert params_in(AnyMessage.FromString(any_of(session, SESSION_TYPE))) == given_params


@pytest.mark.parametrize("data", [b"", field(1, b"wakequeue-"), field(1, b"\xff"), b"\xff"])
def test_any_session_can_be_closed(data: bytes) -> None:
    """CloseSessionResponse {1 status}: there is nothing to forget."""
    assert status(ask("CloseSession", data)[1]).code == 0


@given(st.sampled_from(["Validate", "CreateSession", "CloseSession"]), st.binary(max_size=100))
def test_any_bytes_are_answered(method: str, data: bytes) -> None:
    """Whatever arrives, the answer is a status."""
    assert ask(method, data)
