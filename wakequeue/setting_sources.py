"""Settings come from the environment (`WAKEQUEUE_*`) over a TOML file over the defaults, and are checked before anything starts.

A wrong setting is one SettingsError: its name, its value and what is allowed.
"""

import functools
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from wakequeue.errors import SettingsError
from wakequeue.setting_needs import NEEDS
from wakequeue.setting_shown import shown as may_be_shown
from wakequeue.setting_types import Refused, Seconds
from wakequeue.settings import Settings

PREFIX: Final = "WAKEQUEUE_"
FILE_VARIABLE: Final = "WAKEQUEUE_SETTINGS_FILE"

#: Names of the original adapter (2019), which go on working; wakequeue's own name wins where both are set.
ORIGINAL_NAMES: Final = {
    "AUTOSCALER_ENDPOINT": "autoscaler_endpoint",
    "POD_NAME": "pod_name",
    "REDIS_URL": "redis_url",
    "GRPC_ADAPTER_CREDENTIAL": "grpc_certificate_file",
    "GRPC_ADAPTER_PRIVATE_KEY": "grpc_key_file",
    "GRPC_ADAPTER_CERTIFICATE": "grpc_client_ca_file",
}

#: What Kubernetes puts into a pod for every Service whose name begins with `wakequeue`.
SERVICE_LINK: Final = re.compile(r"WAKEQUEUE(_\w+)?_(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")

#: Pairs of which the first must be less than the second.
LESS: Final = (
    ("awake_cache", "idle_after"),
    ("report_every", "idle_after"),
    ("correct_after", "report_every"),
    ("correct_after", "waking_for"),
    ("retry_after", "retry_at_most"),
    ("reconnect_after", "reconnect_at_most"),
    ("confirm_within", "lease_for"),
    ("linger", "answer_within"),
    ("namespace_rate_limit", "rate_limit"),
)


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of this process. Raises SettingsError with one line that says what to change."""
    environ = os.environ if environ is None else environ
    raw = _from_file(environ.get(FILE_VARIABLE)) | _from_environment(environ)
    chosen: dict[str, Any] = {name: _convert(shown, name, value) for name, (shown, value) in raw.items()}
    settings = Settings(**chosen)
    for short, long in LESS:
        if getattr(settings, short) >= getattr(settings, long):
            shown, value = raw.get(short, raw.get(long, (short, "")))
            limit = getattr(settings, long)
            bound = f"shorter than {long} ({limit:g}s)" if isinstance(limit, Seconds) else f"less than {long} ({limit})"
            msg = f"{shown} = {value!r}: {short} must be {bound}"
            raise SettingsError(msg)
    for name, holds, needs in NEEDS:
        if name in raw and getattr(settings, name) and not holds(settings):
            shown, value = raw[name]
            msg = f"{shown} = {may_be_shown(name, value)!r}: {needs}"
            raise SettingsError(msg)
    if settings.report_every < 1:
        shown, value = raw["report_every"]
        msg = f"{shown} = {value!r}: allowed is a duration from 1s up, for the Autoscaler adds up what one second brings"
        raise SettingsError(msg)
    return settings


def _from_file(path: str | None) -> dict[str, tuple[str, Any]]:
    if not path:
        return {}
    try:
        table = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f"{FILE_VARIABLE} = {path!r}: {error}"
        raise SettingsError(msg) from error
    for name in table:
        _known(f"{name} (in {path})", name)
    return {name: (f"{name} (in {path})", value) for name, value in table.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    raw = {name: (variable, environ[variable]) for variable, name in ORIGINAL_NAMES.items() if environ.get(variable)}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE or SERVICE_LINK.fullmatch(variable):
            continue
        name = variable.removeprefix(PREFIX).lower()
        _known(variable, name)
        if value:
            raw[name] = (variable, value)
    return raw


def _known(shown: str, name: str) -> None:
    if name not in Settings.__struct_fields__:
        # Its value may be a secret under a misspelt name.
        msg = f"{_printable(shown)} = '***': no such setting; allowed are {', '.join(Settings.__struct_fields__)}"
        raise SettingsError(msg)


@functools.cache
def _field_types() -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(Settings)}


def _reads_itself(kind: Any) -> bool:  # noqa: ANN401  a type, as it is annotated
    """Whether it is one of our kinds, with `parse` and `allowed`."""
    return hasattr(kind, "parse")


def _convert(shown: str, name: str, value: object) -> object:
    kind = _field_types()[name]
    try:
        return kind.parse(value) if _reads_itself(kind) else msgspec.convert(value, kind, strict=False)
    except Refused as error:
        msg = f"{shown}: {error}"
        raise SettingsError(msg) from error
    except (ValueError, OSError) as error:
        because = f" ({error.strerror})" if isinstance(error, OSError) else ""
        msg = f"{shown} = {may_be_shown(name, value)!r}: allowed is {allowed(kind)}{because}"
        raise SettingsError(msg) from error


def allowed(kind: Any) -> str:  # noqa: ANN401  a type, as it is annotated
    """What a setting of this kind takes, in words."""
    if _reads_itself(kind):
        return str(kind.allowed)
    match msgspec.inspect.type_info(kind):
        case msgspec.inspect.LiteralType(values=values):
            return " or ".join(map(str, values))
        case msgspec.inspect.BoolType():
            return "true or false"
        case msgspec.inspect.IntType(ge=least, le=most):
            return f"a whole number from {least} " + (f"to {most}" if most else "up")
        case msgspec.inspect.FloatType(gt=least, le=most):
            return f"a number above {least} and up to {most}"
        case msgspec.inspect.StrType(max_length=most):
            return "a text" + (f" of at most {most} characters" if most else "")
    raise AssertionError(kind)


def _printable(name: str) -> str:
    return repr(name)[1:-1]
