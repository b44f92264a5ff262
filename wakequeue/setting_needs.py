"""Settings that mean something only beside another: each would else be ignored in silence."""

from collections.abc import Callable
from typing import Any, Final

from wakequeue.named import is_pattern
from wakequeue.setting_files import belongs

Settings = Any
"""`wakequeue.settings.Settings`, whose module imports this one."""


def _redis_tls(settings: Settings) -> bool:
    return bool(settings.redis_url and settings.redis_url.place.tls)


def _redis_open(settings: Settings) -> bool:
    return bool(settings.redis_url and not settings.redis_url.place.password)


def _sentinel(settings: Settings) -> bool:
    return bool(settings.redis_url and settings.redis_url.place.primary)


def _autoscaler_tls(settings: Settings) -> bool:
    return bool(settings.autoscaler_endpoint.startswith("wss://"))


def _autoscaler_open(settings: Settings) -> bool:
    return bool(settings.autoscaler_endpoint and "@" not in settings.autoscaler_endpoint)


def _set(*names: str) -> Callable[[Settings], bool]:
    def holds(settings: Settings) -> bool:
        return any(getattr(settings, name) for name in names)

    return holds


def _pair(certificate: str, key: str) -> Callable[[Settings], bool]:
    def holds(settings: Settings) -> bool:
        return belongs(getattr(settings, certificate), getattr(settings, key))

    return holds


def _tls(link: str, over: Callable[[Settings], bool], needs: str) -> tuple[tuple[str, Callable[[Settings], bool], str], ...]:
    ca, certificate, key = f"{link}_ca_file", f"{link}_certificate_file", f"{link}_key_file"
    return (
        (ca, over, needs),
        (certificate, over, needs),
        (certificate, _set(key), f"{key} must be set too"),
        (key, _set(certificate), f"{certificate} must be set too"),
        (key, _pair(certificate, key), f"it must be the key, not encrypted, of the first certificate in {certificate}"),
    )


def _patient(settings: Settings) -> bool:
    """A request that still comes is told of in time to be known by then."""
    return bool(settings.patience >= 4 * settings.report_every)


def _any_pattern(settings: Settings) -> bool:
    return any(is_pattern(name) for schedule in settings.schedules.values() for name in schedule.wakes)


#: A setting's name, what must hold where it is set, and how a refusal says so.
NEEDS: Final = (
    ("grpc_certificate_file", _set("grpc_key_file"), "grpc_key_file must be set too"),
    ("grpc_key_file", _set("grpc_certificate_file"), "grpc_certificate_file must be set too"),
    ("grpc_client_ca_file", _set("grpc_certificate_file"), "grpc_certificate_file must be set too"),
    ("grpc_allowed_clients", _set("grpc_client_ca_file"), "grpc_client_ca_file must be set too"),
    ("grpc_token_header", _set("grpc_token", "grpc_token_file"), "grpc_token or grpc_token_file must be set too"),
    ("namespace_rate_burst", lambda settings: settings.limits.namespace_burst <= settings.limits.burst, "at most rate_burst"),
    ("patience", _patient, "at least four times report_every"),
    ("report_every", _patient, "at most a quarter of patience"),
    ("grpc_token", lambda settings: not settings.grpc_token_file, "grpc_token_file must not be set too"),
    ("flower_password", lambda settings: not settings.flower_password_file, "flower_password_file must not be set too"),
    ("mode", lambda settings: settings.mode == "notify" or settings.kubernetes != "off", "kubernetes must be auto or on"),
    (
        "schedules",
        lambda settings: settings.kubernetes != "off" or not _any_pattern(settings),
        "patterns need kubernetes auto or on",
    ),
    ("unwoken_after", lambda settings: settings.unwoken_after < settings.max_age, "shorter than max_age"),
    *_tls("redis", _redis_tls, "redis_url must be rediss://... or sentinels://..."),
    ("redis_password_file", _redis_open, "redis_url must be set, and have no password of its own"),
    ("redis_sentinel_password_file", _sentinel, "redis_url must be sentinel://... or sentinels://..."),
    *_tls("autoscaler", _autoscaler_tls, "autoscaler_endpoint must be wss://..."),
    ("autoscaler_token_file", _autoscaler_open, "autoscaler_endpoint must be set, and have no user and password"),
)
