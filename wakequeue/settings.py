"""Settings come from the environment (`WAKEQUEUE_*`) over a TOML file over the defaults, and are checked before anything starts.

`load()` is the only way in. A wrong setting is one SettingsError: its name, its value and what is allowed. Every number of the
design is a field of `Settings`; a comment `#:` above each says what it does, in which unit.
"""

import difflib
import functools
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

from wakequeue.episode import Rhythm
from wakequeue.errors import SettingsError
from wakequeue.redis_url import RedisUrl
from wakequeue.release import Release
from wakequeue.setting_files import CertificatesFile, KeyFile, SecretFile
from wakequeue.setting_needs import NEEDS
from wakequeue.setting_types import (
    Address,
    ClientGlobs,
    Endpoint,
    File,
    Header,
    NamespaceGlobs,
    Seconds,
    Secret,
    ServicePatterns,
    masked,
)

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

#: The kinds that read themselves, with `parse` and `allowed`.
Parsed: Final = (
    Seconds,
    Address,
    RedisUrl,
    Endpoint,
    ServicePatterns,
    Release,
    NamespaceGlobs,
    ClientGlobs,
    File,
    CertificatesFile,
    KeyFile,
    SecretFile,
    Header,
    Secret,
)

Count = Annotated[int, Meta(ge=1)]
#: As much as gRPC counts in its own options.
Bytes = Annotated[int, Meta(ge=1 << 10, le=1 << 30)]
Streams = Annotated[int, Meta(ge=1, le=1 << 30)]


def _default_data_dir() -> str:
    state = os.environ.get("XDG_STATE_HOME") or Path("~/.local/state").expanduser()
    return str(Path(state, "wakequeue"))


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that an operator can set, each with its default. Times are in seconds once read."""

    #: Where the front answers gRPC.
    grpc_address: Address = Address("127.0.0.1:6100")
    #: The front's certificate (with those that lead to its authority) and its key, as PEM: with them gRPC is TLS. Read again
    #: when they change.
    grpc_certificate_file: File = File()
    grpc_key_file: File = File()
    #: The authorities of clients, as PEM: with it every client must show a certificate that one of them signed.
    grpc_client_ca_file: File = File()
    #: The URIs, such as SPIFFE ids, of which a client's certificate must carry one; none means all clients of those authorities.
    grpc_allowed_clients: ClientGlobs = ClientGlobs()
    #: The token that every call but a health check must carry; or the file that holds it, read again when it changes. A file may
    #: hold several, each of which will do, so that no caller is refused while a token is replaced.
    grpc_token: Secret = Secret()
    grpc_token_file: File = File()
    #: The header that carries it: in `authorization` it is `Bearer TOKEN`, in any other the token alone.
    grpc_token_header: Header = Header("authorization")
    #: The most bytes of one message, and of one call's headers.
    grpc_message_bytes: Bytes = 1 << 20
    grpc_metadata_bytes: Bytes = 1 << 14
    #: How many calls one connection may have in flight; more wait at the caller. Mixer has up to 1,024.
    grpc_calls_in_flight: Streams = 4_096
    #: The namespaces whose Revisions may be woken.
    namespaces: NamespaceGlobs = NamespaceGlobs(["*"])
    #: Where a process serves /metrics, /livez and /readyz.
    admin_address: Address = Address("127.0.0.1:6101")
    #: Where `wakequeue up` serves Flower.
    flower_address: Address = Address("127.0.0.1:5555")
    #: The Redis that holds the ledger and the queue; empty means an embedded one, reached at a socket in `data_dir`.
    redis_url: RedisUrl = RedisUrl("")
    #: Over TLS: authorities that may vouch for Redis, besides the system's, and a certificate with its key to show it.
    redis_ca_file: CertificatesFile = CertificatesFile("")
    redis_certificate_file: CertificatesFile = CertificatesFile("")
    redis_key_file: KeyFile = KeyFile("")
    #: The password for Redis, and the Sentinels' own, each in a file rather than in the URL.
    redis_password_file: SecretFile = SecretFile("")
    redis_sentinel_password_file: SecretFile = SecretFile("")
    #: Where the embedded Redis keeps its socket and its append-only file.
    data_dir: Annotated[str, Meta(min_length=1)] = msgspec.field(default_factory=_default_data_dir)
    #: The Autoscaler's stat server; empty means a local stand-in, which only `wakequeue up` starts.
    autoscaler_endpoint: Endpoint = Endpoint("")
    #: Over TLS: the only authorities that may vouch for the Autoscaler (empty: the system's), and a certificate with its key.
    autoscaler_ca_file: CertificatesFile = CertificatesFile("")
    autoscaler_certificate_file: CertificatesFile = CertificatesFile("")
    autoscaler_key_file: KeyFile = KeyFile("")
    #: A bearer token for the Autoscaler.
    autoscaler_token_file: SecretFile = SecretFile("")
    #: Knative Serving's release, which decides the frame format: wrong ones fail silently, so nothing is guessed.
    #: `0.16/gob`, `0.16/json` ... `0.19/protobuf` choose the format in the releases that read two.
    knative_release: Release = Release.parse("1.23")
    #: The pod name that reports carry.
    pod_name: Annotated[str, Meta(min_length=1, max_length=253)] = "activator-wakequeue"
    #: Patterns tried on a call's service before the built-in forms: one, or a list (in the environment a JSON list).
    service_patterns: ServicePatterns = ServicePatterns()

    #: The front answers OK after this long even when the wake-up is not yet durable (and before half of the caller's time is gone).
    answer_within: Seconds = Seconds(0.1)
    #: How long an answer may be cached by the gateway while a Revision is awake: shorter than `idle_after`.
    awake_cache: Seconds = Seconds(2)
    #: How long calls wait for others to share their commit, above `linger_above` calls a second.
    linger: Seconds = Seconds(0.002)
    #: The calls a second of one front above which it lingers.
    linger_above: Count = 1_200
    #: How many Revisions' calls a front holds while Redis is away; calls beyond it are dropped and counted.
    buffer_revisions: Count = 100_000
    #: How long a process that is told to stop may take to finish what it has begun.
    drain_within: Seconds = Seconds(5)

    #: A Revision that was not called for this long is asleep: shorter than the shortest stable window, 6 s.
    idle_after: Seconds = Seconds(5)
    #: How long a wake-up is repeated after its first report: a usual cold start.
    waking_for: Seconds = Seconds(3)
    #: The time between two reports of one Revision.
    report_every: Seconds = Seconds(1)
    #: How soon after a first report the one correction of it may follow.
    correct_after: Seconds = Seconds(0.2)
    #: The concurrency reported for an awake Revision: wakes it should it be at zero, weighs nothing otherwise.
    awake_concurrency: Annotated[float, Meta(gt=0, le=1)] = 0.001
    #: How long a caller is thought to wait for its application, when a report comes late.
    patience: Seconds = Seconds(15)
    #: `activator` reports as Knative's activator does; `original`, as the adapter of 2019, says concurrency 1 and one request.
    report_style: Literal["activator", "original"] = "activator"

    #: How long a worker may keep a wake-up before another takes it.
    lease_for: Seconds = Seconds(3.5)
    #: How long a report may wait for its connection and its pong: shorter than `lease_for`.
    confirm_within: Seconds = Seconds(2.5)
    #: The first and the longest back-off of a delivery that failed.
    retry_after: Seconds = Seconds(0.1)
    retry_at_most: Seconds = Seconds(2)
    #: The first and the longest back-off of the connection to the Autoscaler.
    reconnect_after: Seconds = Seconds(0.05)
    reconnect_at_most: Seconds = Seconds(1)
    #: A wake-up whose last call is older is buried as expired.
    max_age: Seconds = Seconds(300)
    #: The reports that all workers together make in a second, and how many at once after a quiet time.
    rate_limit: Count = 20_000
    rate_burst: Count = 20_000
    #: The same for the Revisions of one namespace: less than for all, so that a noisy one leaves room for the others.
    namespace_rate_limit: Count = 10_000
    namespace_rate_burst: Count = 10_000
    #: How many dead letters are kept, and for how long; those beyond it are dropped, the oldest first, and counted.
    keep_dead_letters: Count = 10_000
    keep_dead_letters_for: Seconds = Seconds(7 * 24 * 3600)
    #: How many entries of the audit trail are kept, roughly: the newest.
    keep_history: Count = 10_000
    #: A doorbell that nobody answered is rung again after this long.
    ring_again: Seconds = Seconds(1)
    #: No doorbell is rung while the queue holds this many tasks, two for each thread of a worker: the sweep rings later, and for
    #: many Revisions at once.
    ring_below: Count = 16
    #: A worker that asked for nothing for so long, while wake-ups are due, says on /livez that it is stuck.
    stuck_after: Seconds = Seconds(15)
    #: How often a worker looks for what is due.
    sweep_every: Seconds = Seconds(0.1)

    @property
    def rhythm(self) -> Rhythm:
        """The numbers of the rhythm, for `wakequeue.episode`."""
        return Rhythm(
            waking_for=self.waking_for,
            report_every=self.report_every,
            correct_after=self.correct_after,
            awake_concurrency=self.awake_concurrency,
            patience=self.patience,
            original_style=self.report_style == "original",
        )

    def __rich_repr__(self) -> list[tuple[str, object]]:
        return [(name, _shown(name, getattr(self, name))) for name in self.__struct_fields__]

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


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
            msg = f"{shown} = {_shown(name, value)!r}: {needs}"
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
    for name, value in table.items():
        _known(f"{name} (in {path})", value, name)
    return {name: (f"{name} (in {path})", value) for name, value in table.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    raw = {name: (variable, environ[variable]) for variable, name in ORIGINAL_NAMES.items() if environ.get(variable)}
    for variable, value in environ.items():
        if not variable.startswith(PREFIX) or variable == FILE_VARIABLE or SERVICE_LINK.fullmatch(variable):
            continue
        name = variable.removeprefix(PREFIX).lower()
        _known(variable, value, name)
        if value:
            raw[name] = (variable, value)
    return raw


def _known(shown: str, value: object, name: str) -> None:
    if name not in Settings.__struct_fields__:
        (meant,) = difflib.get_close_matches(name.lower(), Settings.__struct_fields__, 1) or [name]
        what = f"no such setting; allowed are {', '.join(Settings.__struct_fields__)}"
        msg = f"{_printable(shown)} = {_shown(meant, _shown(name, value))!r}: {what}"
        raise SettingsError(msg)


@functools.cache
def _field_types() -> dict[str, Any]:
    return {field.name: field.type for field in msgspec.structs.fields(Settings)}


def _convert(shown: str, name: str, value: object) -> object:
    kind = _field_types()[name]
    try:
        return kind.parse(value) if kind in Parsed else msgspec.convert(value, kind, strict=False)
    except (ValueError, OSError) as error:
        because = f" ({error.strerror})" if isinstance(error, OSError) else ""
        msg = f"{shown} = {_shown(name, value)!r}: allowed is {_allowed(kind)}{because}"
        raise SettingsError(msg) from error


def _allowed(kind: Any) -> str:  # noqa: ANN401  a type, as it is annotated
    if kind in Parsed:
        return str(kind.allowed)
    match msgspec.inspect.type_info(kind):
        case msgspec.inspect.LiteralType(values=values):
            return " or ".join(map(str, values))
        case msgspec.inspect.IntType(ge=least, le=most):
            return f"a whole number from {least} " + (f"to {most}" if most else "up")
        case msgspec.inspect.FloatType(gt=least, le=most):
            return f"a number above {least} and up to {most}"
        case msgspec.inspect.StrType(max_length=most):
            return "a text" + (f" of at most {most} characters" if most else "")
    raise AssertionError(kind)


def _printable(name: str) -> str:
    return repr(name)[1:-1]


def _shown(name: str, value: object) -> object:
    """The value as an error may show it: nothing of what may be a secret. A path is none, where it is one."""
    path = name.endswith("_file") and (not value or (str(value).startswith("/") and str(value).isprintable()))
    told = f"{name} {value}" if isinstance(value, dict | list) else name
    if re.search("pass|secret|token|credential|key|auth", told) and not path:
        return "***"
    return masked(str(value)) if re.search("redis|url|endpoint", name) or "@" in str(value) else value
