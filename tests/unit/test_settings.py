"""Settings: from the environment over a file over the defaults, each wrong one refused in one line."""

import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr
from support.certificates import Authority

from wakequeue.episode import Rhythm
from wakequeue.errors import SettingsError
from wakequeue.redis_url import Place, RedisUrl
from wakequeue.release import Release
from wakequeue.revision import Revision
from wakequeue.schedule import Schedule, next_start
from wakequeue.setting_files import CertificatesFile, KeyFile, SecretFile
from wakequeue.setting_sources import load
from wakequeue.setting_types import (
    Address,
    ClientGlobs,
    Endpoint,
    File,
    Header,
    HostGlobs,
    HostTable,
    Methods,
    Names,
    NamespaceGlobs,
    PathGlobs,
    Seconds,
    Secret,
    ServicePatterns,
    UserAgentGlobs,
)
from wakequeue.settings import Settings

_FOLDER = tempfile.TemporaryDirectory(prefix="wakequeue-")
FOLDER: Final = Path(_FOLDER.name)


def file(name: str, content: str) -> str:
    """Write a file; return its path."""
    (FOLDER / name).write_text(content, encoding="utf-8")
    return str(FOLDER / name)


AUTHORITY: Final = Authority(FOLDER)
PAIR, STRANGE = AUTHORITY.issue("pair"), AUTHORITY.issue("strange")
PEM_ONE, KEY_ONE = str(PAIR.certificate), str(PAIR.key)
PEM_TWO, KEY_TWO = file("again.pem", PAIR.certificate.read_text()), file("again.key", PAIR.key.read_text())
SECRET_ONE, SECRET_TWO = file("secret-one", "hunter2\n"), file("secret-two", "another")


def same(text: str) -> tuple[str, str]:
    """Return a value that is its own text."""
    return text, text


#: Two other values of each setting, with their texts. None contradicts a default, given what it needs.
GOOD: Final[dict[str, tuple[tuple[str, object], tuple[str, object]]]] = {
    "grpc_address": (("0.0.0.0:7000", "0.0.0.0:7000"), ("[::]:7001", "[::]:7001")),
    "grpc_certificate_file": (("/tls/1.crt", "/tls/1.crt"), ("/tls/2.crt", "/tls/2.crt")),
    "grpc_key_file": (("/tls/1.key", "/tls/1.key"), ("/tls/2.key", "/tls/2.key")),
    "grpc_client_ca_file": (("/tls/1.ca", "/tls/1.ca"), ("/tls/2.ca", "/tls/2.ca")),
    "grpc_allowed_clients": (("spiffe://one/*", ("spiffe://one/*",)), ('["https://two", "urn:3"]', ("https://two", "urn:3"))),
    "grpc_token": (("hunter2", Secret("hunter2")), (" hunter3\n", Secret("hunter3"))),
    "grpc_token_file": (("/run/1", "/run/1"), ("/run/2", "/run/2")),
    "grpc_token_header": (("x-token", "x-token"), ("X-Other", "x-other")),
    "grpc_message_bytes": (("1024", 1024), (1 << 30, 1 << 30)),
    "grpc_metadata_bytes": (("1024", 1024), (1 << 30, 1 << 30)),
    "grpc_calls_in_flight": (("1", 1), ("5000", 5000)),
    "http_address": (same("0.0.0.0:8012"), same("[::]:8012")),
    "page": (("true", True), ("0", False)),
    "namespaces": (("shop", ("shop",)), ('["team-*", "[a-c]?"]', ("team-*", "[a-c]?"))),
    "methods": (("GET", ("GET",)), ('["GET", "HEAD"]', ("GET", "HEAD"))),
    "denied_user_agents": (("*Bot*", ("*bot*",)), ('["Uptime Robot", "*bot*"]', ("uptime robot", "*bot*"))),
    "paths": (("/api/*", ("/api/*",)), ('["/a", "*.php"]', ("/a", "*.php"))),
    "denied_paths": (("/api/*", ("/api/*",)), ('["/a", "*.php"]', ("/a", "*.php"))),
    "hosts": (("*.example.com", ("*.example.com",)), ('["a", "[b]"]', ("a", "[b]"))),
    "denied_hosts": (("*.example.com", ("*.example.com",)), ('["a", "[b]"]', ("a", "[b]"))),
    "denied_namespaces": (("shop", ("shop",)), ('["team-*", "[a-c]?"]', ("team-*", "[a-c]?"))),
    "revisions_by_host": (
        ('{"a.example": "shop/cart"}', {"a.example": Revision("shop", "cart")}),
        ('{"*.b.example": "shop/b", "*": "shop/any"}', {"*.b.example": Revision("shop", "b"), "*": Revision("shop", "any")}),
    ),
    "kubernetes": (("off", "off"), ("on", "on")),
    "split": (("largest", "largest"), ("all", "all")),
    "mode": (("hold", "hold"), ("notify", "notify")),
    "hold_at_most": (("1", 1), ("5000", 5000)),
    "hold_for": (("5s", 5.0), ("2m", 120.0)),
    "unwoken_after": (("30s", 30.0), ("4m", 240.0)),
    "mixer_namespace_names": (("team", ("team",)), ('["a.b", "C_d-2"]', ("a.b", "C_d-2"))),
    "mixer_service_names": (("app", ("app",)), ('["a.b", "C_d-2"]', ("a.b", "C_d-2"))),
    "admin_address": (("localhost:7002", "localhost:7002"), ("127.0.0.1:0", "127.0.0.1:0")),
    "log_format": (("json", "json"), ("text", "text")),
    "traces": (("true", True), ("0", False)),
    "flower_user": (("ann", "ann"), ("ops@example.com", "ops@example.com")),
    "flower_password": (("hunter2", Secret("hunter2")), (" hunter3\n", Secret("hunter3"))),
    "flower_password_file": (same(SECRET_ONE), same(SECRET_TWO)),
    "flower_address": (("127.0.0.1:7003", "127.0.0.1:7003"), ("[::1]:65535", "[::1]:65535")),
    "redis_url": (("redis://one:6379/0", "redis://one:6379/0"), ("rediss://u:p@two", "rediss://u:p@two")),
    "redis_ca_file": (same(PEM_ONE), same(PEM_TWO)),
    "redis_certificate_file": (same(PEM_ONE), same(PEM_TWO)),
    "redis_key_file": (same(KEY_ONE), same(KEY_TWO)),
    "redis_password_file": (same(SECRET_ONE), same(SECRET_TWO)),
    "redis_sentinel_password_file": (same(SECRET_ONE), same(SECRET_TWO)),
    "data_dir": (("/tmp/one", "/tmp/one"), ("two", "two")),
    "autoscaler_endpoint": (("ws://one:8080", "ws://one:8080"), ("two:8080", "ws://two:8080")),
    "autoscaler_ca_file": (same(PEM_ONE), same(PEM_TWO)),
    "autoscaler_certificate_file": (same(PEM_ONE), same(PEM_TWO)),
    "autoscaler_key_file": (same(KEY_ONE), same(KEY_TWO)),
    "autoscaler_token_file": (same(SECRET_ONE), same(SECRET_TWO)),
    "knative_release": (("0.9", Release(9, "gob")), ("0.16/gob", Release(16, "gob"))),
    "pod_name": (("activator-1", "activator-1"), ("p" * 253, "p" * 253)),
    "service_patterns": (("(?P<name>.+)", (re.compile("(?P<name>.+)"),)), ("x(?P<name>.+)", (re.compile("x(?P<name>.+)"),))),
    "envoy_retry_headers": (("true", True), ("false", False)),
    "answer_within": (("50ms", 0.05), ("1s", 1.0)),
    "awake_cache": (("3s", 3.0), ("500ms", 0.5)),
    "stuck_after": (("10s", 10.0), ("20s", 20.0)),
    "patience": (("10s", 10.0), ("20s", 20.0)),
    "rate_limit": ((30_000, 30_000), ("40000", 40_000)),
    "rate_burst": ((5, 5), ("6", 6)),
    "namespace_rate_limit": ((5, 5), ("6", 6)),
    "namespace_rate_burst": ((5, 5), ("6", 6)),
    "keep_dead_letters": ((5, 5), ("6", 6)),
    "keep_dead_letters_for": (("24h", 86_400.0), ("5m", 300.0)),
    "keep_history": ((5, 5), ("6", 6)),
    "linger": (("3ms", 0.003), ("1.5ms", 0.0015)),
    "buffer_revisions": (("1", 1), ("5000", 5000)),
    "drain_within": (("1m", 60.0), ("10s", 10.0)),
    "idle_after": (("5.5s", 5.5), ("4s", 4.0)),
    "waking_for": (("10s", 10.0), ("1m", 60.0)),
    "report_every": (("2s", 2.0), ("1.5s", 1.5)),
    "correct_after": (("100ms", 0.1), ("0.3s", 0.3)),
    "schedules": (
        (
            '{"office": {"cron": "55 8 * * mon-fri", "zone": "Europe/Berlin", "wakes": "shop/*", "for": "9h", "pods": 2}}',
            {
                "office": Schedule(
                    "office", ("shop/*",), "55 8 * * mon-fri", zone=ZoneInfo("Europe/Berlin"), keep_for=32_400, pods=2
                )
            },
        ),
        (
            '{"often": {"every": "10m", "wakes": ["shop/web", "shop/cart-00001"], "jitter": "5s"}}',
            {"often": Schedule("often", ("shop/web", "shop/cart-00001"), every=600, jitter=5)},
        ),
    ),
    "zone": (same("Europe/Berlin"), same("UTC")),
    "make_up_within": (("10m", 600.0), ("1h", 3600.0)),
    "groups": (
        ('{"shop/web": ["shop/cart"]}', {"shop/web": ("shop/cart",)}),
        ('{"a/b": ["c/d", "e/f"], "c/d": ["a/b"]}', {"a/b": ("c/d", "e/f"), "c/d": ("a/b",)}),
    ),
    "group_depth": (("1", 1), ("5", 5)),
    "group_size": (("1", 1), ("5000", 5000)),
    "callers_per_pod": (("0.5", 0.5), ("100", 100.0)),
    "awake_concurrency": (("0.01", 0.01), ("1", 1.0)),
    "report_style": (("original", "original"), ("activator", "activator")),
    "lease_for": (("5s", 5.0), ("1h", 3600.0)),
    "confirm_within": (("1s", 1.0), ("500ms", 0.5)),
    "retry_after": (("200ms", 0.2), ("1s", 1.0)),
    "retry_at_most": (("5s", 5.0), ("1m", 60.0)),
    "reconnect_after": (("100ms", 0.1), ("200ms", 0.2)),
    "reconnect_at_most": (("5s", 5.0), ("2s", 2.0)),
    "max_age": (("10m", 600.0), ("1h", 3600.0)),
    "ring_again": (("5s", 5.0), ("30s", 30.0)),
    "ring_below": (("1", 1), ("5000", 5000)),
    "sweep_every": (("50ms", 0.05), ("1s", 1.0)),
}
TLS: Final = {"grpc_certificate_file": "/tls/crt", "grpc_key_file": "/tls/key"}
#: What those that mean nothing by themselves are set with.
BESIDE: Final[dict[str, dict[str, str]]] = {
    "grpc_certificate_file": {"grpc_key_file": "/tls/key"},
    "grpc_key_file": {"grpc_certificate_file": "/tls/crt"},
    "grpc_client_ca_file": TLS,
    "grpc_allowed_clients": TLS | {"grpc_client_ca_file": "/tls/ca"},
    "grpc_token_header": {"grpc_token": "hunter2"},
    "redis_ca_file": {"redis_url": "rediss://h"},
    "redis_certificate_file": {"redis_url": "sentinels://h/main", "redis_key_file": KEY_ONE},
    "redis_key_file": {"redis_url": "rediss://h", "redis_certificate_file": PEM_ONE},
    "redis_password_file": {"redis_url": "redis://ann@h"},
    "redis_sentinel_password_file": {"redis_url": "sentinel://ann:p@h/main"},
    "autoscaler_ca_file": {"autoscaler_endpoint": "wss://a"},
    "autoscaler_certificate_file": {"autoscaler_endpoint": "wss://a", "autoscaler_key_file": KEY_ONE},
    "autoscaler_key_file": {"autoscaler_endpoint": "wss://a", "autoscaler_certificate_file": PEM_ONE},
    "autoscaler_token_file": {"autoscaler_endpoint": "ws://a"},
}
KINDS: Final = (
    Seconds,
    Address,
    RedisUrl,
    Endpoint,
    ServicePatterns,
    Release,
    NamespaceGlobs,
    ClientGlobs,
    PathGlobs,
    HostGlobs,
    UserAgentGlobs,
    Methods,
    Names,
    HostTable,
    File,
    Header,
    CertificatesFile,
    KeyFile,
    SecretFile,
)


def variable(name: str) -> str:
    """Return the environment's name of a setting."""
    return f"WAKEQUEUE_{name.upper()}"


def beside(name: str) -> dict[str, str]:
    """Return the variables without which a setting means nothing."""
    return {variable(other): value for other, value in BESIDE.get(name, {}).items()}


def file_of(folder: Path, text: str) -> dict[str, str]:
    """Write a settings file; return the environment that names it."""
    path = folder / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return {"WAKEQUEUE_SETTINGS_FILE": str(path)}


def refusal(environ: Mapping[str, str]) -> str:
    """Return the one line with which settings are refused."""
    with pytest.raises(SettingsError) as caught:
        load(environ)
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    return line


# Where settings come from.


def test_every_default_loads() -> None:
    """With nothing set, all defaults hold, and none contradicts another."""
    assert load({}) == Settings()


def test_without_an_argument_it_is_this_process_that_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """`load()` reads the environment of the process."""
    monkeypatch.setenv("WAKEQUEUE_POD_NAME", "activator-of-this-process")
    assert load().pod_name == "activator-of-this-process"


def test_every_setting_is_tried_here() -> None:
    """The table above has all settings."""
    assert set(GOOD) == set(Settings.__struct_fields__)


@pytest.mark.parametrize("name", GOOD)
def test_the_environment_wins_over_the_file_and_the_file_over_the_default(name: str, tmp_path: Path) -> None:
    """Each setting can be set in both places, and the environment's value is taken."""
    (in_file, from_file), (in_environment, from_environment) = GOOD[name]
    environ = file_of(tmp_path, f"{name} = {json.dumps(in_file)}") | beside(name)
    assert getattr(load(environ), name) == from_file != getattr(load({}), name)
    assert getattr(load(environ | {variable(name): str(in_environment)}), name) == from_environment != from_file


@pytest.mark.parametrize("name", GOOD)
def test_an_empty_variable_is_an_unset_one(name: str, tmp_path: Path) -> None:
    """Charts set a variable to nothing: then the file's value holds, or the default."""
    (text, value), _ = GOOD[name]
    assert getattr(load({variable(name): ""}), name) == getattr(load({}), name)
    in_file = file_of(tmp_path, f"{name} = {json.dumps(text)}") | beside(name)
    assert getattr(load({variable(name): "", **in_file}), name) == value


def test_a_file_may_write_numbers_and_lists(tmp_path: Path) -> None:
    """What has a type of its own in TOML needs no quotes."""
    environ = file_of(
        tmp_path, "buffer_revisions = 7\nawake_concurrency = 0.5\nservice_patterns = ['a(?P<name>.)', 'b(?P<name>.)']\n"
    )
    settings = load(environ)
    assert (settings.buffer_revisions, settings.awake_concurrency) == (7, 0.5)
    assert [pattern.pattern for pattern in settings.service_patterns] == ["a(?P<name>.)", "b(?P<name>.)"]


def test_no_file_is_read_unless_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty name is no file, and a file that merely lies there is not read."""
    file_of(tmp_path, "idle_after = '9s'")
    monkeypatch.chdir(tmp_path)
    assert load({}) == load({"WAKEQUEUE_SETTINGS_FILE": ""}) == Settings()


@pytest.mark.parametrize(
    ("original", "name", "text", "value"),
    [
        ("AUTOSCALER_ENDPOINT", "autoscaler_endpoint", "ws://autoscaler:8080", "ws://autoscaler:8080"),
        ("AUTOSCALER_ENDPOINT", "autoscaler_endpoint", "autoscaler:8080", "ws://autoscaler:8080"),
        ("POD_NAME", "pod_name", "activator-0", "activator-0"),
        ("REDIS_URL", "redis_url", "redis://original:6379", "redis://original:6379"),
        ("GRPC_ADAPTER_CREDENTIAL", "grpc_certificate_file", "/etc/certs/cert.pem", "/etc/certs/cert.pem"),
        ("GRPC_ADAPTER_PRIVATE_KEY", "grpc_key_file", "/etc/certs/key.pem", "/etc/certs/key.pem"),
        ("GRPC_ADAPTER_CERTIFICATE", "grpc_client_ca_file", "/etc/certs/ca.pem", "/etc/certs/ca.pem"),
    ],
)
def test_the_original_names_go_on_working(original: str, name: str, text: str, value: str, tmp_path: Path) -> None:
    """The names of the adapter of 2019 are read, over the file's; wakequeue's own wins, unless it is empty."""
    (in_file, _), (own, from_own) = GOOD[name]
    environ = {**beside(name), original: text, **file_of(tmp_path, f"{name} = {json.dumps(in_file)}")}
    assert getattr(load(environ), name) == value
    assert getattr(load({**environ, variable(name): ""}), name) == value
    assert getattr(load({**environ, variable(name): own}), name) == from_own
    assert getattr(load({original: ""}), name) == getattr(load({}), name)


def test_an_original_name_is_named_in_its_refusal() -> None:
    """The line names the variable that is wrong, not the setting that it became."""
    assert refusal({"REDIS_URL": "localhost"}).startswith("REDIS_URL = 'localhost': allowed is redis://")


def test_variables_of_others_are_ignored() -> None:
    """Whatever else is in the environment, also what only looks alike, is no setting."""
    assert load({"PATH": "/bin", "IDLE_AFTER": "x", "GRPC_ADAPTER_PORT": "x", "WAKEQUEUES_X": "x", "WAKEQUEUE": "x"}) == Settings()


@pytest.mark.parametrize("service", ["WAKEQUEUE", "WAKEQUEUE_HOOK", "WAKEQUEUE_FLOWER_2"])
@pytest.mark.parametrize(
    "link",
    [
        "SERVICE_HOST",
        "SERVICE_PORT",
        "SERVICE_PORT_GRPC",
        "SERVICE_PORT_HTTP_METRICS",
        "PORT",
        "PORT_6100_TCP",
        "PORT_6100_TCP_PROTO",
        "PORT_6100_TCP_PORT",
        "PORT_6100_TCP_ADDR",
        "PORT_53_UDP_ADDR",
        "PORT_9_SCTP",
    ],
)
def test_kubernetes_service_links_are_ignored(service: str, link: str) -> None:
    """Kubernetes puts these into every pod of the namespace once a Service's name begins with `wakequeue`."""
    assert load({f"{service}_{link}": "tcp://10.0.0.1:6100"}) == Settings()


def test_the_data_dir_follows_the_xdg_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default is in XDG_STATE_HOME, or where that is unset, in the home folder."""
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert load({}).data_dir == "/state/wakequeue"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", "/home/ann")
    assert load({}).data_dir == "/home/ann/.local/state/wakequeue"


def test_the_rhythm_is_that_of_the_settings() -> None:
    """The episode gets the very numbers that were set."""
    assert load({}).rhythm == Rhythm(3.0, 1.0, 0.2, 0.001, 15.0, 120.0, original_style=False)
    environ = {
        "WAKING_FOR": "8s",
        "REPORT_EVERY": "2s",
        "CORRECT_AFTER": "500ms",
        "AWAKE_CONCURRENCY": "0.5",
        "UNWOKEN_AFTER": "1m",
        "REPORT_STYLE": "original",
    }
    settings = load({variable(name): text for name, text in environ.items()})
    assert settings.rhythm == Rhythm(8.0, 2.0, 0.5, 0.5, 15.0, 60.0, original_style=True)


# What is refused: names.


@pytest.mark.parametrize("name", ["IDLE", "IDLE_AFTER_", "SERVICE_PATTERN", "REDIS_HOST", "HOOK_ADDRESS", "PORTS", ""])
@pytest.mark.parametrize("value", ["5s", ""])
def test_an_unknown_variable_is_refused(name: str, value: str) -> None:
    """A misspelt variable is named, even an empty one, with all allowed names; its value may be a secret, and is not shown."""
    line = refusal({f"WAKEQUEUE_{name}": value})
    assert line.startswith(f"WAKEQUEUE_{name} = '***': ")
    assert all(known in line for known in Settings.__struct_fields__)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("idle = '5s'", "idle"),
        ("IDLE_AFTER = '5s'", "IDLE_AFTER"),
        ("[front]\nidle_after = '5s'", "front"),
        ("WAKEQUEUE_IDLE_AFTER = '5s'", "WAKEQUEUE_IDLE_AFTER"),
    ],
)
def test_an_unknown_name_in_the_file_is_refused(text: str, name: str, tmp_path: Path) -> None:
    """A misspelt name in the file is named with the file and all allowed names, and its value is not shown."""
    line = refusal(file_of(tmp_path, text))
    assert line.startswith(f"{name} (in {tmp_path}/settings.toml) = '***': ")
    assert all(known in line for known in Settings.__struct_fields__)


def test_an_unknown_name_in_the_file_is_refused_though_the_environment_is_right(tmp_path: Path) -> None:
    """The environment covers the file's values, not its mistakes."""
    assert "idle (in " in refusal({**file_of(tmp_path, "idle = '5s'"), "WAKEQUEUE_IDLE_AFTER": "6s"})


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"idle_after = ", "Invalid value"), (b"a = 1\na = 2", "Cannot overwrite"), (b"a = '\xff'", "can't decode byte 0xff")],
)
def test_a_file_that_is_no_toml_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    """The line names the file and says where it is wrong."""
    path = tmp_path / "settings.toml"
    path.write_bytes(content)
    line = refusal({"WAKEQUEUE_SETTINGS_FILE": str(path)})
    assert line.startswith(f"WAKEQUEUE_SETTINGS_FILE = '{path}': ")
    assert says in line


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """A named file must be there, and be a file."""
    assert "No such file" in refusal({"WAKEQUEUE_SETTINGS_FILE": str(tmp_path / "missing.toml")})
    assert "Is a directory" in refusal({"WAKEQUEUE_SETTINGS_FILE": str(tmp_path)})


# What is refused: values.

BAD: Final[dict[str, list[str]]] = {
    "idle_after": [
        "5",
        "0s",
        "0ms",
        "0.0s",
        "-1s",
        "+1s",
        "1 s",
        "5S",
        "5sec",
        "1m30s",
        "1e3s",
        ".5s",
        "5.s",
        "1,5s",
        "s",
        "inf",
        "nan",
        "d",
    ],
    "grpc_address": [
        "6100",
        ":6100",
        "localhost",
        "localhost:",
        "::1:6100",
        "[::1]",
        "[::1",
        "h:65536",
        "h:-1",
        "h:http",
        "h:1/x",
        "[x]:1",
    ],
    "redis_url": [
        "localhost",
        "localhost:6379",
        "http://localhost",
        "redis+socket:///redis.sock",
        "redis-sentinel://localhost",
        "redis://",
        "redis://:6379",
        "redis://localhost:http",
        "redis://localhost:65536",
        "redis://localhost/x",
        "redis://localhost/-1",
        "redis://localhost/0/1",
        "redis://[::1",
        "unix://",
        "unix:///",
        "unix://redis.sock",
        "unix://run/redis.sock",
        "redis://one,two",
        "redis://h#0",
        "redis://h?db=x",
        "redis://h?db=65536",
        "redis://h?socket_timeout=1",
        "redis://h?ssl_cert_reqs=none",
        "rediss://h?ssl_cert_reqs=perhaps",
        "rediss://h?ssl_check_hostname=0",
        "rediss://h?ssl_ca_certs=/ca.pem",
        "sentinel://h",
        "sentinel://h/",
        "sentinel:///main",
        "sentinel://one,/main",
        "sentinel://one:http,two/main",
        "sentinel://one/main/x",
        "sentinel://one/main/0/1",
        "sentinels+tls://one/main",
    ],
    "redis_ca_file": ["/nowhere/ca.pem", "/", KEY_ONE, SECRET_ONE],
    "redis_certificate_file": [KEY_ONE],
    "redis_key_file": [PEM_ONE],
    "redis_password_file": ["/nowhere/password", file("empty", ""), file("newline", "\n"), file("lines", "one\ntwo\n")],
    "autoscaler_ca_file": ["/nowhere/ca.pem"],
    "autoscaler_token_file": [file("tab", "to\tken")],
    "autoscaler_endpoint": [
        "http://a:8080",
        "https://a",
        "ws://",
        "ws://:8080",
        "a:http",
        "a:0",
        "ws://a:65536",
        "ws://[::1",
        "//a",
        "/a",
        "tcp://a:1",
    ],
    "knative_release": [
        "latest",
        "1",
        "2.0",
        "0.0",
        "0.17/gob",
        "0.15/json",
        "0.20/json",
        "1.23/gob",
        "0.16/protobuf",
        "0.16/",
        "0.16/xml",
    ],
    "service_patterns": [
        "hello",
        "(hello)",
        "(?P<namespace>x)",
        "(?P<name>",
        "(?P<name>x)(?P<name>y)",
        "*",
        '["(?P<name>x)", "y"]',
        '["(?P<name>x)"',
    ],
    "buffer_revisions": ["0", "-1", "1.5", "many", "true", "1_000", " 1", "9" * 5000],
    "awake_concurrency": ["0", "-0.1", "1.001", "nan", "inf", "-inf", "little", "1e-400"],
    "envoy_retry_headers": ["yes", "on", "2"],
    "report_style": ["Activator", "knative", " original"],
    "pod_name": ["p" * 254],
    "grpc_allowed_clients": ["*", "istio-system/*", "spiffe://a b", "spiffe://a,spiffe://b", "[]", '["spiffe://a", ""]', "spiffe:"],
    "grpc_message_bytes": ["0", "1023", "1073741825", "1MiB"],
    "grpc_calls_in_flight": ["0", "1073741825"],
    "page": ["yes", "2", "on"],
    "log_format": ["JSON", "logfmt"],
    "traces": ["yes", "on"],
    "flower_user": ["ann:b", "a b", "\u00e4nn", "a" * 65],
    "flower_password_file": ["/nowhere/password", file("flower-empty", ""), file("flower-lines", "one\ntwo\n")],
    "kubernetes": ["true", "On", "yes"],
    "split": ["none", "largest,all"],
    "mode": ["wait", "Hold"],
    "methods": ["get", "GET POST", "[]", '["GET", 5]', "G*"],
    "denied_user_agents": ["*a*,*b*", "[bot", "[]", "caf\u00e9", "a\nb"],
    "paths": ["api", "/a,/b", "/[a", "[]", "/a b", '["/a", ""]'],
    "hosts": ["Shop.example", "a/b", "a.example:80", "[a-", "[]", "h" * 254],
    "revisions_by_host": [
        "a.example=shop/cart",
        "[]",
        '{"a.example": 5}',
        '{"a.example": "cart"}',
        '{"A.example": "shop/cart"}',
        '{"a.*": "shop/cart"}',
        '{"a.example:80": "shop/cart"}',
        '{"": "shop/cart"}',
        '{"a.example": "Shop/cart"}',
    ],
    "mixer_service_names": ["a b", "*", "-", "[]", '["a", ""]', "n" * 254, "caf\u00e9"],
    "namespaces": ["Shop", "shop,cart", "shop cart", "shop/cart", "[]", '["shop", ""]', "n" * 254, " "],
    "schedules": ["office", "[]", "5", '{"office": {"every": "5m"', "null"],
    "zone": [
        "Berlin",
        "Europe/Atlantis",
        "europe",
        "Europe",
        "/etc/localtime",
        "../UTC",
        "+02:00",
        "UTC ",
        "z" * 5000,
        "localtime",
        "posixrules",
        "Factory",
    ],
    "groups": ["shop/web", "[]", "5", '{"shop/web": ["shop/cart"]', "null"],
    "callers_per_pod": ["0", "-1", "1000001", "nan", "many"],
}
#: What the line says is allowed.
ALLOWED: Final = {
    "idle_after": "a duration from 1ms to 8784h, such as 500ms, 2s or 5m",
    "grpc_address": "HOST:PORT, such as 127.0.0.1:6100 or [::]:6100",
    "redis_url": "redis://[USER:PASSWORD@]HOST[:PORT][/DB], unix:///PATH or sentinel://[USER:PASSWORD@]HOST[:PORT][,",
    "redis_ca_file": "a file of certificates in PEM",
    "redis_certificate_file": "a file of certificates in PEM",
    "redis_key_file": "a file of a private key in PEM",
    "redis_password_file": "a file of one line",
    "autoscaler_ca_file": "a file of certificates in PEM",
    "autoscaler_token_file": "a file of one line",
    "autoscaler_endpoint": "ws://[USER:PASSWORD@]HOST[:PORT][/PATH] or wss://...",
    "knative_release": "0.16/gob, 0.18/json",
    "service_patterns": "a group (?P<name>...)",
    "buffer_revisions": "a whole number from 1 up",
    "awake_concurrency": "a number above 0 and up to 1",
    "report_style": "activator or original",
    "envoy_retry_headers": "true or false",
    "pod_name": "at most 253 characters",
    "grpc_allowed_clients": "such as spiffe://cluster.local/ns/*/sa/mixer, or a list of such",
    "grpc_message_bytes": "a whole number from 1024 to 1073741824",
    "grpc_calls_in_flight": "a whole number from 1 to 1073741824",
    "page": "true or false",
    "log_format": "auto or json or text",
    "traces": "true or false",
    "flower_user": "a name of up to 64 letters, digits and ._@-",
    "flower_password_file": "a file of one line",
    "kubernetes": "auto or off or on",
    "split": "all or largest",
    "mode": "hold or notify",
    "methods": "a method, such as GET, or a list of such",
    "denied_user_agents": "a user agent, in which *, ? and [...] stand for others",
    "paths": "a path, in which *, ? and [...] stand for others",
    "hosts": "a host in lower case, in which *, ? and [...] stand for others",
    "revisions_by_host": "a table of hosts in lower case and their Revisions",
    "mixer_service_names": "a name, such as destination_service_name, or a list of such",
    "namespaces": "such as shop or team-*, or a list of such",
    "schedules": 'a table of schedules by name, such as {"office": {"cron": "55 8 * * mon-fri", ',
    "zone": "a time zone such as UTC or Europe/Berlin",
    "groups": 'a table of applications or Revisions, each with those that wake with it, such as {"shop/web": ["shop/cart"]}',
    "callers_per_pod": "a number above 0 and up to 1000000",
}


@pytest.mark.parametrize(
    ("name", "text"), [pytest.param(name, text, id=f"{name}-{i}") for name, texts in BAD.items() for i, text in enumerate(texts)]
)
def test_a_bad_value_is_refused(name: str, text: str, tmp_path: Path) -> None:
    """The one line has the name, the value, and what is allowed, wherever the value came from."""
    line = refusal({variable(name): text})
    shown = re.sub("[?#].*", "?***", text) if name == "redis_url" else text
    assert line.startswith(f"{variable(name)} = {shown!r}: ")
    assert ALLOWED[name] in line
    line = refusal(file_of(tmp_path, f"{name} = {json.dumps(text)}"))
    assert line.startswith(f"{name} (in {tmp_path}/settings.toml) = {shown!r}: ")
    assert ALLOWED[name] in line


FIELDS: Final = "; allowed is five fields: minute, hour, day of the month, month and day of the week, such as 55 8 * * mon-fri"
MEMBERS: Final = "allowed is an application or a Revision, NAMESPACE/NAME, such as shop/cart, or a list of such"
PATTERNS: Final = (
    "allowed is an application or a Revision, NAMESPACE/NAME, in which *, ? and [...] stand for other applications, such as "
    "shop/cart or shop/*, or a list of such"
)
DURATION: Final = "allowed is a duration from 1ms to 8784h, such as 500ms, 2s or 5m"
INTERVAL: Final = "allowed is a duration of whole seconds, from 1s to 8784h, such as 90s, 10m or 24h"
PODS: Final = "allowed is a whole number from 1 to 1000"
KEYS: Final = "cron, every, zone, wakes, for, pods, jitter"


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"cron": "61 * * * *"}, f".cron = '61 * * * *': bad minute{FIELDS}"),
        ({"cron": "0 8 * * mon-sun"}, f".cron = '0 8 * * mon-sun': bad day-of-week{FIELDS}"),
        ({"cron": "0 8 30 2 *"}, f".cron = '0 8 30 2 *': bad day-of-month{FIELDS}"),
        ({"cron": "0 8 */20 * mon#4"}, f".cron = '0 8 */20 * mon#4': there is no such day{FIELDS}"),
        ({"cron": "0 0 8 * * *"}, f".cron = '0 0 8 * * *': {FIELDS[2:]}"),
        ({"cron": "@daily"}, f".cron = '@daily': {FIELDS[2:]}"),
        ({"cron": "0 8 * *"}, f".cron = '0 8 * *': {FIELDS[2:]}"),
        ({"cron": ""}, f".cron = '': {FIELDS[2:]}"),
        ({"cron": 5}, f".cron = 5: {FIELDS[2:]}"),
        ({"cron": f"*/{'9' * 5000} * * * *"}, f".cron = '*/{'9' * 5000} * * * *': {FIELDS[2:]}"),
        ({"cron": None}, ": one of cron and every must be set, not both"),
        ({"every": "1h"}, ": one of cron and every must be set, not both"),
        ({"cron": None, "every": "0s"}, f".every = '0s': {INTERVAL}"),
        ({"cron": None, "every": "500ms"}, f".every = '500ms': {INTERVAL}"),
        ({"cron": None, "every": "1.5s"}, f".every = '1.5s': {INTERVAL}"),
        ({"cron": None, "every": "8785h"}, f".every = '8785h': {INTERVAL}"),
        ({"cron": None, "every": 60}, f".every = 60: {INTERVAL}"),
        ({"cron": None, "every": "1h", "zone": "UTC"}, ": zone may be set with cron only: an interval is the same in every zone"),
        ({"zone": "Berlin"}, ".zone = 'Berlin': allowed is a time zone such as UTC or Europe/Berlin"),
        ({"zone": 1}, ".zone = 1: allowed is a time zone such as UTC or Europe/Berlin"),
        ({"wakes": None}, ": wakes must be set"),
        *(
            ({"wakes": wakes}, f".wakes = {wakes!r}: {PATTERNS}")
            for wakes in ("", [], "web", "shop/", "*", "Shop/web", "shop/web/1", "shop/web-", f"shop/{'w' * 64}", "shop/[", [5], 5)
        ),
        ({"for": "9"}, f".for = '9': {DURATION}"),
        ({"for": "8785h"}, f".for = '8785h': {DURATION}"),
        *(({"for": "9h", "pods": pods}, f".pods = {pods!r}: {PODS}") for pods in (0, -1, 1001, 1.5, True, "2", 10**30)),
        ({"pods": 2}, ": pods may be set with for only"),
        ({"jitter": "24h"}, ".jitter = '24h': it must be shorter than the time between two starts (86400s)"),
        ({"cron": "0,5 8 * * *", "jitter": "5m"}, ".jitter = '5m': it must be shorter than the time between two starts (300s)"),
        ({"cron": None, "every": "5s", "jitter": "6s"}, ".jitter = '6s': it must be shorter than the time between two starts (5s)"),
        ({"keep_for": "9h"}, f": 'keep_for' is nothing that a schedule says; allowed are {KEYS}"),
        ({"a\nb": 1}, f": 'a\\nb' is nothing that a schedule says; allowed are {KEYS}"),
    ],
)
def test_a_wrong_schedule_says_which_and_what_of_it(changed: dict[str, object], says: str) -> None:
    """The line names the schedule, and what of it is wrong; what would mean nothing is refused as well."""
    row = {"cron": "55 8 * * *", "wakes": "shop/web"} | changed
    text = json.dumps({"night": GOOD_ROW, "office": {key: value for key, value in row.items() if value is not None}})
    assert refusal({"WAKEQUEUE_SCHEDULES": text}) == f"WAKEQUEUE_SCHEDULES: office{says}"


GOOD_ROW: Final = {"every": "1h", "wakes": "auth/token-*"}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"office": {}, "office": {}}', "'office' is there twice"),
        ('{"office": {"every": "1h", "every": "2h"}}', "'every' is there twice"),
        ('{"office": "55 8 * * *"}', f"office = '55 8 * * *': allowed is a table of {KEYS}"),
        ('{"of fice": {}}', "'of fice': allowed is a name of at most 63 letters, digits, '-', '_' and '.'"),
        ('{"": {}}', "'': allowed is a name of at most 63 letters, digits, '-', '_' and '.'"),
        (json.dumps({"o" * 64: {}}), f"'{'o' * 64}': allowed is a name of at most 63 letters, digits, '-', '_' and '.'"),
        (json.dumps(dict.fromkeys(map(str, range(1001)), GOOD_ROW)), "1001 schedules; allowed are at most 1000"),
    ],
)
def test_wrong_schedules_are_refused(text: str, says: str) -> None:
    """Neither a name nor a table may be what can't be one, be there twice, or be one too many."""
    assert refusal({"WAKEQUEUE_SCHEDULES": text}) == f"WAKEQUEUE_SCHEDULES: {says}"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"shop": ["shop/cart"]}', "'shop': allowed is an application or a Revision, NAMESPACE/NAME, such as shop/web"),
        ('{"shop/*": ["shop/cart"]}', "'shop/*': allowed is an application or a Revision, NAMESPACE/NAME, such as shop/web"),
        ('{"shop/web": ["shop/*"]}', f"shop/web = ['shop/*']: {MEMBERS}"),
        ('{"shop/web": ["cart"]}', f"shop/web = ['cart']: {MEMBERS}"),
        ('{"shop/web": []}', f"shop/web = []: {MEMBERS}"),
        ('{"shop/web": 5}', f"shop/web = 5: {MEMBERS}"),
        ('{"a/b": ["a/c"], "a/b": ["a/d"]}', "'a/b' is there twice"),
    ],
)
def test_a_wrong_group_says_which(text: str, says: str) -> None:
    """The line names the group, and what its members may be: keys, for a pattern would say too little of what wakes."""
    assert refusal({"WAKEQUEUE_GROUPS": text}) == f"WAKEQUEUE_GROUPS: {says}"


def test_patterns_need_a_cluster() -> None:
    """A schedule whose pattern could never mean anybody is refused; keys need no cluster."""
    for wakes, refused in (("shop/*", True), ("shop/web", False)):
        told = {"WAKEQUEUE_SCHEDULES": json.dumps({"office": {"every": "1h", "wakes": wakes}}), "WAKEQUEUE_KUBERNETES": "off"}
        if refused:
            assert refusal(told).endswith(": patterns need kubernetes auto or on")
        else:
            load(told)


def test_schedules_and_groups_are_tables_in_the_file(tmp_path: Path) -> None:
    """As TOML has them; what is wrong with one names the file, and whatever it is called, it is shown."""
    text = """
[schedules.office]
cron = "55 8 * * mon-fri"
wakes = ["shop/*", "auth/token"]
for = "9h"

[groups]
"shop/web" = "auth/token"
"""
    settings = load(file_of(tmp_path, text))
    assert settings.schedules == {"office": Schedule("office", ("shop/*", "auth/token"), "55 8 * * mon-fri", keep_for=32_400)}
    assert settings.groups == {"shop/web": ("auth/token",)}
    line = refusal(file_of(tmp_path, text.replace("55 8", "61 8")))
    assert line.startswith(f"schedules (in {tmp_path}/settings.toml): office.cron = '61 8 * * mon-fri': bad minute; allowed is ")


@given(st.from_regex(r"([0-9*/,#L\-]{1,6} ){3,5}([0-7*/,#L\-]|mon){1,6}", fullmatch=True))
def test_any_cron_expression_loads_and_starts_or_is_refused_in_one_line(cron: str) -> None:
    """Whatever `cronsim` makes of it: what loads has starts, and soon says so."""
    environ = {"WAKEQUEUE_SCHEDULES": json.dumps({"office": {"cron": cron, "wakes": "shop/web"}})}
    try:
        (schedule,) = load(environ).schedules.values()
    except SettingsError as error:
        assert str(error).startswith(f"WAKEQUEUE_SCHEDULES: office.cron = {cron!r}: ")  # noqa: PT017  what is drawn may load too
    else:
        assert next_start(schedule, 1.8e9, ZoneInfo("Europe/Berlin")) > 1.8e9


@pytest.mark.parametrize(
    ("name", "others", "says"),
    [
        ("redis_ca_file", {}, "redis_url must be rediss://... or sentinels://..."),
        ("redis_ca_file", {"redis_url": "redis://h"}, "redis_url must be rediss://... or sentinels://..."),
        ("redis_ca_file", {"redis_url": "sentinel://h/main"}, "redis_url must be rediss://... or sentinels://..."),
        ("redis_certificate_file", {"redis_url": "rediss://h"}, "redis_key_file must be set too"),
        ("redis_key_file", {"redis_url": "rediss://h"}, "redis_certificate_file must be set too"),
        ("redis_password_file", {}, "redis_url must be set, and have no password of its own"),
        ("redis_password_file", {"redis_url": "redis://:hunter2@h"}, "redis_url must be set, and have no password of its own"),
        (
            "redis_password_file",
            {"redis_url": "unix:///s?password=hunter2"},
            "redis_url must be set, and have no password of its own",
        ),
        ("redis_sentinel_password_file", {"redis_url": "redis://h"}, "redis_url must be sentinel://... or sentinels://..."),
        ("autoscaler_ca_file", {}, "autoscaler_endpoint must be wss://..."),
        ("autoscaler_ca_file", {"autoscaler_endpoint": "ws://a"}, "autoscaler_endpoint must be wss://..."),
        ("autoscaler_certificate_file", {"autoscaler_endpoint": "wss://a"}, "autoscaler_key_file must be set too"),
        ("autoscaler_key_file", {"autoscaler_endpoint": "wss://a"}, "autoscaler_certificate_file must be set too"),
        ("autoscaler_token_file", {}, "autoscaler_endpoint must be set, and have no user and password"),
        (
            "autoscaler_token_file",
            {"autoscaler_endpoint": "wss://ann:hunter2@a"},
            "autoscaler_endpoint must be set, and have no user and password",
        ),
    ],
)
def test_a_setting_that_would_be_ignored_is_refused(name: str, others: dict[str, str], says: str) -> None:
    """What means nothing beside the other settings is refused with what it needs: no one believes in a TLS that isn't there."""
    path = GOOD[name][0][0]
    environ = {variable(other): value for other, value in others.items()}
    assert refusal({variable(name): path, **environ}) == f"{variable(name)} = {path!r}: {says}"


def test_a_key_of_another_certificate_is_refused() -> None:
    """A certificate and a key that don't belong together are refused, as is a key that wants a passphrase."""
    environ = {"WAKEQUEUE_REDIS_URL": "rediss://h", "WAKEQUEUE_REDIS_CERTIFICATE_FILE": PEM_ONE}
    key = serialization.load_pem_private_key(PAIR.key.read_bytes(), None)
    kind, form = serialization.PrivateFormat.PKCS8, serialization.Encoding.PEM
    locked = key.private_bytes(form, kind, serialization.BestAvailableEncryption(b"hunter2"))
    for path in (str(STRANGE.key), file("locked.key", locked.decode())):
        assert "redis_certificate_file" in refusal({**environ, "WAKEQUEUE_REDIS_KEY_FILE": path})


@pytest.mark.parametrize("name", ["redis_password_file", "redis_sentinel_password_file", "redis_key_file", "autoscaler_token_file"])
def test_a_secret_in_the_place_of_its_file_is_not_shown(name: str) -> None:
    """Whoever takes the setting for the secret's own is told that it is a file, and the secret stays one."""
    line = refusal({variable(name): "hunter2"})
    assert line.startswith(f"{variable(name)} = '***': allowed is a file")
    assert line.endswith("(No such file or directory)")


@pytest.mark.parametrize(
    ("name", "toml"),
    [
        ("idle_after", "5"),
        ("idle_after", "5.0"),
        ("idle_after", "['5s']"),
        ("grpc_address", "6100"),
        ("redis_url", "6379"),
        ("autoscaler_endpoint", "true"),
        ("knative_release", "0.16"),
        ("knative_release", "{minor = 5, format = 'gob'}"),
        ("service_patterns", "5"),
        ("service_patterns", "['(?P<name>x)', 5]"),
        ("service_patterns", "{name = 'x'}"),
        ("buffer_revisions", "true"),
        ("buffer_revisions", "0"),
        ("awake_concurrency", "nan"),
        ("awake_concurrency", "false"),
        ("report_style", "1"),
        ("pod_name", "5"),
        ("pod_name", "''"),
        ("data_dir", "''"),
        ("data_dir", "1979-05-27"),
        ("revisions_by_host", "'shop/cart'"),
        ("revisions_by_host", "{'a.example' = 5}"),
        ("methods", "5"),
        ("namespaces", "''"),
        ("namespaces", "[]"),
        ("namespaces", "['shop', 5]"),
        ("grpc_allowed_clients", "[]"),
        ("grpc_message_bytes", "true"),
        ("page", "'perhaps'"),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, toml: str, tmp_path: Path) -> None:
    """What TOML reads as another type than the setting's is refused as a bad text is: a bare 0.10 would be release 0.1."""
    line = refusal(file_of(tmp_path, f"{name} = {toml}"))
    assert line.startswith(f"{name} (in {tmp_path}/settings.toml) = ")
    assert ALLOWED.get(name, "a text") in line


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("awake_cache", "5s", "awake_cache must be shorter than idle_after (5s)"),
        ("awake_cache", "6s", "awake_cache must be shorter than idle_after (5s)"),
        ("idle_after", "2s", "awake_cache must be shorter than idle_after (2s)"),
        ("report_every", "5s", "report_every must be shorter than idle_after (5s)"),
        ("correct_after", "1s", "correct_after must be shorter than report_every (1s)"),
        ("report_every", "200ms", "correct_after must be shorter than report_every (0.2s)"),
        ("confirm_within", "3500ms", "confirm_within must be shorter than lease_for (3.5s)"),
        ("lease_for", "2500ms", "confirm_within must be shorter than lease_for (2.5s)"),
        ("linger", "100ms", "linger must be shorter than answer_within (0.1s)"),
        ("answer_within", "1ms", "linger must be shorter than answer_within (0.001s)"),
        ("namespace_rate_limit", "20000", "namespace_rate_limit must be less than rate_limit (20000)"),
    ],
)
def test_settings_that_contradict_are_refused(name: str, text: str, says: str, tmp_path: Path) -> None:
    """The line names the one that was set, its value, and the pair; also where the other one is a default."""
    assert refusal({variable(name): text}) == f"{variable(name)} = {text!r}: {says}"
    assert refusal(file_of(tmp_path, f"{name} = {json.dumps(text)}")) == f"{name} (in {tmp_path}/settings.toml) = {text!r}: {says}"


def test_a_contradiction_between_file_and_environment_is_refused(tmp_path: Path) -> None:
    """It is the values taken that must agree, wherever each came from."""
    environ = {**file_of(tmp_path, "idle_after = '1500ms'"), "WAKEQUEUE_AWAKE_CACHE": "1600ms"}
    assert refusal(environ) == "WAKEQUEUE_AWAKE_CACHE = '1600ms': awake_cache must be shorter than idle_after (1.5s)"
    assert load({**environ, "WAKEQUEUE_IDLE_AFTER": "2s"}).idle_after == 2.0


@pytest.mark.parametrize(
    "url",
    [
        "redis://:hunter2@localhost:http",
        "redis://ann:hunter2@localhost/x",
        "redis://ann:hunter2@localhost:65536",
        "redis://ann:hunter2@localhost/x?password=hunter2",
        "rediss://:hunter2@",
        "http://:hunter2@localhost",
    ],
)
def test_an_error_never_shows_a_redis_password(url: str, tmp_path: Path) -> None:
    """A malformed URL is shown without its credentials, whichever name it was given under."""
    environments = {"WAKEQUEUE_REDIS_URL": url}, {"REDIS_URL": url}, file_of(tmp_path, f"redis_url = {json.dumps(url)}")
    for environ in environments:
        line = refusal(environ)
        assert "hunter2" not in line
        assert "ann" not in line
        assert "***@" in line


TOKEN: Final = "hunter2-and-more"
PRIVATE: Final = "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("grpc_token", f"{TOKEN} twice"),
        ("grpc_token", f"{TOKEN}\n{TOKEN}"),
        ("grpc_token", f"{TOKEN}\u20ac"),
        ("grpc_token_file", TOKEN),
        ("grpc_token_header", f"Bearer {TOKEN}"),
        ("grpc_key_file", PRIVATE),
        ("grpc_key_file", f"/tls/key\n{PRIVATE}"),
        ("grpc_tokn", TOKEN),
        ("grpc_tokens", TOKEN),
        ("token", TOKEN),
        ("GRPC_TOKEN", TOKEN),
    ],
)
def test_an_error_never_shows_a_secret(name: str, value: str, tmp_path: Path) -> None:
    """A secret that is malformed, or stands in the wrong place, or under a misspelt name, is not shown with it."""
    for environ in ({variable(name): value}, file_of(tmp_path, f"{name} = {json.dumps(value)}")):
        if name != "GRPC_TOKEN" or "WAKEQUEUE_SETTINGS_FILE" in environ:
            line = refusal(environ)
            assert "hunter2" not in line
            assert " = '***': " in line


@pytest.mark.parametrize("text", ["''", "' '", "5", "['x']", '"\\n"'])
def test_an_empty_token_is_refused(text: str, tmp_path: Path) -> None:
    """A token that is there and says nothing must not open the door."""
    assert "allowed is a word of printable ASCII characters" in refusal(file_of(tmp_path, f"grpc_token = {text}"))


@pytest.mark.parametrize("blank", [" ", "\n", "\t \n"])
def test_a_blank_token_is_refused(blank: str) -> None:
    """In the environment too, where nothing at all means that it is unset."""
    assert refusal({"WAKEQUEUE_GRPC_TOKEN": blank}).startswith("WAKEQUEUE_GRPC_TOKEN = '***': ")


@pytest.mark.parametrize("name", ["grpc_certificate_file", "grpc_key_file", "grpc_client_ca_file", "grpc_token_file"])
@pytest.mark.parametrize("text", ["tls.crt", "./tls.crt", "~/tls.crt", "/tls\n", "/tls\u202ecrt", " /tls.crt"])
def test_a_file_is_an_absolute_path(name: str, text: str) -> None:
    """A relative path would mean another file in each process's folder."""
    assert "allowed is the absolute path of a file" in refusal({variable(name): text})


@pytest.mark.parametrize("text", ["", "x y", "x:y", "grpc-token", "GRPC-TOKEN", "x-token-bin", "\u00e9", "x\n"])
def test_a_header_is_one_that_grpc_carries_as_text(text: str, tmp_path: Path) -> None:
    """GRPC's own headers and its binary ones can't carry the token."""
    assert "allowed is the name of a header" in refusal(file_of(tmp_path, f"grpc_token_header = {json.dumps(text)}"))


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        ({"GRPC_CERTIFICATE_FILE": "/c"}, "GRPC_CERTIFICATE_FILE = '/c': grpc_key_file must be set too"),
        ({"GRPC_KEY_FILE": "/k"}, "GRPC_KEY_FILE = '/k': grpc_certificate_file must be set too"),
        ({"GRPC_CLIENT_CA_FILE": "/a"}, "GRPC_CLIENT_CA_FILE = '/a': grpc_certificate_file must be set too"),
        (
            {"GRPC_CERTIFICATE_FILE": "/c", "GRPC_KEY_FILE": "/k", "GRPC_ALLOWED_CLIENTS": "spiffe://x"},
            "GRPC_ALLOWED_CLIENTS = 'spiffe://x': grpc_client_ca_file must be set too",
        ),
        ({"GRPC_TOKEN_HEADER": "x"}, "GRPC_TOKEN_HEADER = '***': grpc_token or grpc_token_file must be set too"),
        (
            {"GRPC_TOKEN": TOKEN, "GRPC_TOKEN_FILE": "/t"},
            "GRPC_TOKEN = '***': grpc_token_file must not be set too",
        ),
    ],
)
def test_a_door_that_is_half_shut_is_refused(environ: dict[str, str], says: str) -> None:
    """What protects nothing without another setting is refused without it: nobody is to think that the door is shut."""
    assert refusal({f"WAKEQUEUE_{name}": text for name, text in environ.items()}) == f"WAKEQUEUE_{says}"


def test_a_door_may_be_set_in_two_places(tmp_path: Path) -> None:
    """What one setting needs may come from the file, or under an original name."""
    environ = {"GRPC_ADAPTER_CREDENTIAL": "/c", **file_of(tmp_path, "grpc_key_file = '/k'")}
    assert load(environ).grpc_certificate_file == "/c"
    assert refusal({"GRPC_ADAPTER_PRIVATE_KEY": "/k"}).startswith("GRPC_ADAPTER_PRIVATE_KEY = '/k': ")


def test_settings_never_show_a_secret() -> None:
    """However settings are printed, tokens and passwords are not; where files are is."""
    settings = load(
        {variable(name): path for name, path in TLS.items()}
        | {"WAKEQUEUE_GRPC_TOKEN": TOKEN, "WAKEQUEUE_REDIS_URL": f"redis://:{TOKEN}@host", "WAKEQUEUE_IDLE_AFTER": "4s"}
    )
    shown = [repr(settings), str(settings), f"{settings}", f"{settings!r:>9}", pretty_repr(settings), repr([settings])]
    shown += [f"{settings.grpc_token}", f"{settings.grpc_token!r:>5}", repr([settings.grpc_token])]
    for text in shown:
        assert "hunter2" not in text
        assert "***" in text
    assert "idle_after=4.0" in shown[0]
    assert "grpc_key_file='/tls/key'" in shown[0]
    assert settings.grpc_token.reveal() == TOKEN


@pytest.mark.parametrize(
    "url",
    [
        "redis://h?password=hunter2&x=1",
        "redis://h?password=x@hunter2&x=1",
        "redis://:hun?ter2@h:http",
        "redis://:hun#ter2@h",
        "sentinel://ann:hunter2@one,two",
        "ann:hunter2@h",
    ],
)
def test_no_part_of_a_secret_is_shown(url: str) -> None:
    """Wherever it is in a URL that can't be read, and whatever it is made of."""
    for line in (refusal({"REDIS_URL": url}), refusal({"WAKEQUEUE_REDIS_ADDRESS": url})):
        assert not re.search("hun|ter2|ann", line.partition("allowed")[0])


@pytest.mark.parametrize("endpoint", ["ws://ann@a", "ws://ann:@a", "ws://:hunter2@a", "http://ann:hunter2@a", "ann:hunter2@a:0"])
def test_an_error_never_shows_an_autoscalers_password(endpoint: str) -> None:
    """An endpoint with half a credential is refused, and none is shown; nor is it where the setting's name is misspelt."""
    for name in ("AUTOSCALER_ENDPOINT", "WAKEQUEUE_AUTOSCALER_ENDPOINT", "WAKEQUEUE_AUTOSCALER"):
        line = refusal({name: endpoint})
        assert not re.search("ann|hunter2", line.partition("allowed")[0])
        assert ("= '***':" if name == "WAKEQUEUE_AUTOSCALER" else "***@a") in line


@pytest.mark.parametrize(
    "text",
    ["[redis]\npassword = 'hunter2'", "redis_pass = 'hunter2'", "autoscaler_auth = 'hunter2'", "links = [{token = 'hunter2'}]"],
)
def test_a_secret_under_an_unknown_name_is_not_shown(text: str, tmp_path: Path) -> None:
    """What looks like a secret is not shown by the refusal of a name that is no setting's, in a table or a list neither."""
    assert " = '***': no such setting" in refusal(file_of(tmp_path, text))


def test_settings_show_no_secret() -> None:
    """Whatever prints the settings as a whole prints no password."""
    environ = {"REDIS_URL": "rediss://ann:hunter2@h?db=1", "AUTOSCALER_ENDPOINT": "wss://ann:hunter2@a:1/x"}
    shown = repr(load(environ))
    assert "'rediss://***@h?***'" in shown
    assert "'wss://***@a:1/x'" in shown
    assert "hunter2" not in shown
    assert "hunter2" not in repr(load(environ).redis_url.place)


texts = (
    st.text(max_size=20)
    | st.text("0123456789.smh:/[]@#? redisunxw", max_size=20)
    | st.sampled_from([text for bad in BAD.values() for text in bad])
)


@given(st.sampled_from(sorted(set(GOOD) - {"service_patterns"})), texts)
def test_any_text_loads_or_is_refused_in_one_line(name: str, text: str) -> None:
    """Whatever a variable holds, the outcome is settings, or one line that begins with its name."""
    line = f"{variable(name)}: "
    try:
        load((beside(name) if text else {}) | {variable(name): text})
    except SettingsError as error:
        line = str(error)
    assert line.startswith((f"{variable(name)} = ", f"{variable(name)}: "))
    assert len(line.splitlines()) == 1


# The kinds.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [None, 5, 5.0, True, {}, [5], b"5s"])
def test_every_kind_refuses_what_is_no_text(
    kind: type[Seconds | Address | RedisUrl | Endpoint | Release | SecretFile], value: object
) -> None:
    """A kind raises ValueError for another type, as it does for a bad text, and says what it allows."""
    with pytest.raises(ValueError, match=re.escape(str(value))):
        kind.parse(value)
    assert kind.allowed


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("1ms", 0.001),
        ("1.5ms", 0.0015),
        ("2s", 2.0),
        ("1.25s", 1.25),
        ("5m", 300.0),
        ("1h", 3600.0),
        ("007s", 7.0),
        (" 2s\n", 2.0),
    ],
)
def test_durations(text: str, seconds: float) -> None:
    """A duration is read into seconds, and is a float from then on."""
    assert Seconds.parse(text) == pytest.approx(seconds, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:6100", "127.0.0.1", 6100),
        ("localhost:0", "localhost", 0),
        ("0.0.0.0:65535", "0.0.0.0", 65535),
        ("[::]:6100", "::", 6100),
        ("[2001:db8::1]:1", "2001:db8::1", 1),
    ],
)
def test_addresses(text: str, host: str, port: int) -> None:
    """An address keeps its text, and knows its host and its port."""
    address = Address.parse(text)
    assert (address, address.host, address.port) == (text, host, port)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "redis://h",
        "redis://h/",
        "redis://h:6380/15",
        "rediss://h",
        "redis://:p@h",
        "redis://u:p%2Fq@h",
        "redis://[::1]:6379/0",
        "unix:///run/redis.sock",
        "unix://u:p@/run/redis.sock?db=3",
        "rediss://h?ssl_cert_reqs=none",
        "sentinel://one,two:1/main",
        "sentinels://u:p@[::1]:26379/main/3",
    ],
)
def test_redis_urls(text: str) -> None:
    """What can be reached is kept as it is; nothing means the embedded one."""
    assert RedisUrl.parse(text) == text


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("redis://h", Place((("h", 6379),), "", "", 0, "", "", tls=False)),
        ("redis://u:p%2Fq@h:1/15", Place((("h", 1),), "", "", 15, "u", "p/q", tls=False)),
        ("redis://h/1?db=2&username=u&password=p%26q", Place((("h", 6379),), "", "", 2, "u", "p&q", tls=False)),
        ("rediss://:p@[::1]", Place((("::1", 6379),), "", "", 0, "", "p", tls=True)),
        ("rediss://h?ssl_cert_reqs=none", Place((("h", 6379),), "", "", 0, "", "", tls=True, certificate="none")),
        ("rediss://h?ssl_check_hostname=false", Place((("h", 6379),), "", "", 0, "", "", tls=True, check_hostname=False)),
        ("unix://u:p@/run/a%3Bb.sock?db=3", Place((), "/run/a;b.sock", "", 3, "u", "p", tls=False)),
        ("sentinel://one,two:1/main", Place((("one", 26379), ("two", 1)), "", "main", 0, "", "", tls=False)),
        ("sentinels://u:p@one/a%2Fb/3", Place((("one", 26379),), "", "a/b", 3, "u", "p", tls=True)),
    ],
)
def test_the_place_that_a_url_names(text: str, place: Place) -> None:
    """Each part of each form of a URL, with what holds where it is left out."""
    assert RedisUrl.parse(text).place == place


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("", ""),
        ("ws://a", "ws://a"),
        ("wss://a:443/path", "wss://a:443/path"),
        ("a:8080", "ws://a:8080"),
        ("autoscaler.knative-serving.svc.cluster.local:8080", "ws://autoscaler.knative-serving.svc.cluster.local:8080"),
        ("10.0.0.1", "ws://10.0.0.1"),
        ("[::1]:8080", "ws://[::1]:8080"),
        ("WS://a", "ws://a"),
        ("wss://u:p%40q@a", "wss://u:p%40q@a"),
    ],
)
def test_endpoints(text: str, endpoint: str) -> None:
    """A bare host and port means `ws://`; nothing means a stand-in."""
    assert Endpoint.parse(text) == endpoint


@pytest.mark.parametrize(
    ("value", "patterns"),
    [
        ("(?P<name>x)", ["(?P<name>x)"]),
        ("[a-z](?P<name>x)", ["[a-z](?P<name>x)"]),
        ('["(?P<name>x)", "(?P<namespace>y)(?P<name>x)"]', ["(?P<name>x)", "(?P<namespace>y)(?P<name>x)"]),
        (["(?P<name>x)"], ["(?P<name>x)"]),
        ([], []),
    ],
)
def test_service_patterns(value: str | list[str], patterns: list[str]) -> None:
    """One pattern, which may itself begin with a bracket, or a list: in the environment, JSON."""
    assert [pattern.pattern for pattern in ServicePatterns.parse(value)] == patterns
