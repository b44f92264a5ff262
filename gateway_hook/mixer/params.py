"""What a handler's operator configured, as it comes with each request. Pure.

`adapter_config` holds our `Params`; where Mixer keeps sessions, the id of one, which holds them. Any other configuration is
somebody else's, and says nothing: an operator may go on with the adapter resource that they have.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError
from google.protobuf.wrappers_pb2 import BytesValue

from gateway_hook.call import ReportStyle
from gateway_hook.mixer.names import Names, plain, says
from gateway_hook.wire.params_pb2 import Params
from wakequeue.errors import Unresolved

#: The type of a session's id (istio.io/istio mixer/template/*/template_handler_service.proto, `adapter_config`).
SESSION_TYPE: Final = "google.protobuf.Any.type_url"
SESSION_PREFIX: Final = b"wakequeue-"

PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
STYLES: Final[Mapping[int, ReportStyle]] = {Params.SETTINGS: "", Params.ACTIVATOR: "activator", Params.ORIGINAL: "original"}


class BadParams(ValueError):  # noqa: N818  it names what is wrong
    """The operator's `Params` can't be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Form:
    """A text with `{name}` where what an instance says under that name is to stand: `texts` around `names`."""

    texts: tuple[bytes, ...]
    names: tuple[str, ...]

    @classmethod
    def parse(cls, field: str, text: str) -> "Form | None":
        """Read the form in a field of Params; None where it is empty. Raises BadParams."""
        parts = PLACEHOLDER.split(text)
        texts, names = parts[::2], parts[1::2]
        if any(brace in one for brace in "{}" for one in texts) or not all(map(plain, names)):
            msg = f"{field}: {text!r} must be text with {{name}} in it, such as {{destination_service_name}}"
            raise BadParams(msg)
        return cls(tuple(one.encode() for one in texts), tuple(names)) if text else None

    def fill(self, names: Names) -> bytes:
        """The text. Raises Unresolved where an instance says nothing under one of the names."""
        filled = self.texts[0]
        for name, text in zip(self.names, self.texts[1:], strict=True):
            said = names.get(plain(name), b"")
            if not says(said):
                raise Unresolved("missing_name", name[:140])
            filled += said + text
        return filled


@dataclass(frozen=True, slots=True)
class Configured:
    """A handler's Params, read; `awake_cache` in seconds. What they leave out is None or empty."""

    namespace: Form | None = None
    service: Form | None = None
    style: ReportStyle = ""
    awake_cache: float | None = None


NOTHING: Final = Configured()


def configured(config: Any) -> Configured:
    """What an `adapter_config` says. Raises Unresolved: calls of a handler that can't be understood wake nothing."""
    if not config.type_url:
        return NOTHING
    try:
        data = params_in(config)
        return NOTHING if data is None else read(data)
    except BadParams as error:
        raise Unresolved("bad_params", str(error)[:140]) from error


def params_in(config: Any) -> bytes | None:
    """Our Params in an `adapter_config`, None where there are none. Raises BadParams for a session's id that is none."""
    kind = config.type_url.rpartition("/")[2]
    if kind == Params.DESCRIPTOR.full_name:
        return config.value
    if kind != SESSION_TYPE:
        return None
    session = _unwrapped(config.value)
    if not session.startswith(SESSION_PREFIX):
        return None
    try:
        return base64.b64decode(session.removeprefix(SESSION_PREFIX), altchars=b"-_", validate=True)
    except binascii.Error as error:
        msg = "this session was not opened here"
        raise BadParams(msg) from error


def session_id(data: bytes) -> bytes:
    """The id of the session of these Params."""
    return SESSION_PREFIX + base64.urlsafe_b64encode(data)


@lru_cache(maxsize=256)
def read(data: bytes) -> Configured:
    """Read serialized Params. Raises BadParams."""
    params = _parsed(data)
    return Configured(
        Form.parse("namespace", params.namespace),
        Form.parse("service", params.service),
        STYLES.get(params.report_style, ""),
        _seconds(params) if params.HasField("awake_cache") else None,
    )


def check(data: bytes, idle_after: float) -> None:
    """Raise BadParams where serialized Params can't be used, or in part only."""
    read(data)
    params = _parsed(data)
    if params.report_style not in STYLES:
        msg = f"report_style: {params.report_style} must be ACTIVATOR or ORIGINAL"
        raise BadParams(msg)
    if not 0 <= _seconds(params) < idle_after:
        msg = f"awake_cache: {_seconds(params):g}s must be from 0s up, and shorter than idle_after ({idle_after:g}s)"
        raise BadParams(msg)


def _parsed(data: bytes) -> Params:
    try:
        return Params.FromString(data)
    except DecodeError as error:
        msg = f"they are no {Params.DESCRIPTOR.full_name}"
        raise BadParams(msg) from error


def _seconds(params: Params) -> float:
    """To the millisecond: what is shorter is none."""
    return round(params.awake_cache.seconds + params.awake_cache.nanos / 1e9, 3)


def _unwrapped(value: bytes) -> bytes:
    """A session's id, which may come as it is, or in a StringValue. No id of ours can be read as a message."""
    try:
        return BytesValue.FromString(value).value
    except DecodeError:
        return value
