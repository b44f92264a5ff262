"""A handler's Params: how they come, what they say, and what is wrong with them."""

import pytest
from google.protobuf.any_pb2 import Any
from hypothesis import given
from hypothesis import strategies as st
from support.mixer import field
from support.templates import OUR_TYPE, SESSION_TYPE, any_of, params

from gateway_hook.mixer.params import NOTHING, BadParams, Form, check, configured, params_in, read, session_id
from wakequeue.errors import Unresolved


def config(value: bytes, kind: bytes = OUR_TYPE) -> Any:
    """Return an adapter_config."""
    return Any.FromString(any_of(value, kind))


@pytest.mark.parametrize("kind", [OUR_TYPE, b"wakequeue.mixer.Params", b"example.com/x/wakequeue.mixer.Params"])
def test_params_are_told_by_their_type(kind: bytes) -> None:
    """Mixer writes `type.googleapis.com/`, the package and `Params`."""
    assert params_in(config(b"x", kind)) == b"x"


@pytest.mark.parametrize(
    "kind", [b"", b"wakequeue.Params", b"type.googleapis.com/adapter.config.Params", b"wakequeue.mixer.Params/x"]
)
def test_params_of_another_adapter_say_nothing(kind: bytes) -> None:
    """An operator may go on with the adapter resource that they have; what it configures is not for us, whatever it is."""
    assert configured(config(b"\xff", kind)) is NOTHING


@given(st.binary(max_size=300))
def test_a_session_is_its_params(data: bytes) -> None:
    """Its id comes back as it is, or in a StringValue; from it, any front knows the Params."""
    session = session_id(data)
    assert session.isascii()
    for kind in (SESSION_TYPE, b"type.googleapis.com/" + SESSION_TYPE):
        assert params_in(config(session, kind)) == data
        assert params_in(config(field(1, session), kind)) == data


@pytest.mark.parametrize("session", [b"", b"7", b"another-adapters", field(1, b"7"), b"\xff"])
def test_a_session_of_another_adapter_says_nothing(session: bytes) -> None:
    """Only an id of ours holds Params."""
    assert params_in(config(session, SESSION_TYPE)) is None


@pytest.mark.parametrize("session", [b"wakequeue-!", b"wakequeue-A", b"wakequeue-\xff"])
def test_a_broken_session_is_refused(session: bytes) -> None:
    """One that begins as ours do, and holds none, is the trouble of whoever wrote it."""
    with pytest.raises(Unresolved) as caught:
        configured(config(session, SESSION_TYPE))
    assert (caught.value.reason, caught.value.detail) == ("bad_params", "this session was not opened here")


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("default", b"default"),
        ("{team}", b"shop"),
        ("team-{Te.am}-{n}x", b"team-shop-7x"),
        ("{team}{n}", b"shop7"),
    ],
)
def test_a_form_is_filled(text: str, filled: bytes) -> None:
    """Each `{name}` is replaced by what is said under that name, however the name is written."""
    form = Form.parse("service", text)
    assert form
    assert form.fill({"team": b"shop", "n": b"7"}) == filled


@pytest.mark.parametrize("said", [{}, {"team": b""}, {"team": b" "}, {"team": b"unknown"}])
def test_a_missing_name_is_said(said: dict[str, bytes]) -> None:
    """A form that can't be filled names no Revision."""
    form = Form.parse("service", "a-{team}")
    assert form
    with pytest.raises(Unresolved) as caught:
        form.fill(said)
    assert (caught.value.reason, caught.value.detail) == ("missing_name", "team")


@pytest.mark.parametrize("text", ["{", "}", "{}", "{ team", "team}", "{{team}}", "{a}{", "{.}", "{-_}"])
def test_a_form_with_a_stray_brace_is_refused(text: str) -> None:
    """The refusal names the field, the text and the form."""
    with pytest.raises(BadParams) as caught:
        read(field(2, text.encode()))
    assert str(caught.value) == f"service: {text!r} must be text with {{name}} in it, such as {{destination_service_name}}"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff", "they are no wakequeue.mixer.Params"),
        (params(b"\xff"), "they are no wakequeue.mixer.Params"),
        (params(b"{"), "namespace: '{' must be text with"),
        (params(style=3), "report_style: 3 must be ACTIVATOR or ORIGINAL"),
        (params(awake_cache=b"\x08\x05"), "awake_cache: 5s must be from 0s up, and shorter than idle_after (5s)"),
        (params(awake_cache=b"\x08" + b"\xff" * 9 + b"\x01"), "awake_cache: -1s must be from 0s up"),
    ],
)
def test_what_cannot_be_used_is_said(data: bytes, says: str) -> None:
    """One line: the field, its value, and what it must be."""
    with pytest.raises(BadParams) as caught:
        check(data, idle_after=5.0)
    assert str(caught.value).startswith(says)


@pytest.mark.parametrize("data", [b"", params(b"a", b"{b}", style=2, awake_cache=b"\x08\x04"), field(99, b"later")])
def test_what_can_be_used_is_accepted(data: bytes) -> None:
    """Empty Params too, and fields of a later version."""
    check(data, idle_after=5.0)


def test_less_than_a_millisecond_is_never() -> None:
    """An answer that lasts no time may be taken for one that says nothing of it."""
    assert read(params(awake_cache=b"\x10\x01")).awake_cache == 0
    assert read(params(awake_cache=b"\x10\xc0\x84\x3d")).awake_cache == 0.001
    assert read(b"").awake_cache is None
