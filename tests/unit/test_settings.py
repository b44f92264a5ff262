"""Settings: from the environment over a file over the defaults, each wrong one refused in one line."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from wakequeue.episode import Rhythm
from wakequeue.errors import SettingsError
from wakequeue.release import Release
from wakequeue.setting_types import (
    Address,
    ClientGlobs,
    Endpoint,
    File,
    Header,
    NamespaceGlobs,
    RedisUrl,
    Seconds,
    Secret,
    ServicePatterns,
)
from wakequeue.settings import Settings, load

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
    "namespaces": (("shop", ("shop",)), ('["team-*", "[a-c]?"]', ("team-*", "[a-c]?"))),
    "admin_address": (("localhost:7002", "localhost:7002"), ("127.0.0.1:0", "127.0.0.1:0")),
    "flower_address": (("127.0.0.1:7003", "127.0.0.1:7003"), ("[::1]:65535", "[::1]:65535")),
    "redis_url": (("redis://one:6379/0", "redis://one:6379/0"), ("rediss://u:p@two", "rediss://u:p@two")),
    "data_dir": (("/tmp/one", "/tmp/one"), ("two", "two")),
    "autoscaler_endpoint": (("ws://one:8080", "ws://one:8080"), ("two:8080", "ws://two:8080")),
    "knative_release": (("0.9", Release(9, "gob")), ("0.16/gob", Release(16, "gob"))),
    "pod_name": (("activator-1", "activator-1"), ("p" * 253, "p" * 253)),
    "service_patterns": (("(?P<name>.+)", (re.compile("(?P<name>.+)"),)), ("x(?P<name>.+)", (re.compile("x(?P<name>.+)"),))),
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
    "linger_above": (("1", 1), ("5000", 5000)),
    "buffer_revisions": (("1", 1), ("5000", 5000)),
    "drain_within": (("1m", 60.0), ("10s", 10.0)),
    "idle_after": (("5.5s", 5.5), ("4s", 4.0)),
    "waking_for": (("10s", 10.0), ("1m", 60.0)),
    "report_every": (("2s", 2.0), ("1.5s", 1.5)),
    "correct_after": (("100ms", 0.1), ("0.3s", 0.3)),
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
#: What else has to be set with a setting.
TLS: Final = {"WAKEQUEUE_GRPC_CERTIFICATE_FILE": "/tls/crt", "WAKEQUEUE_GRPC_KEY_FILE": "/tls/key"}
NEEDED: Final[dict[str, dict[str, str]]] = {
    "grpc_certificate_file": {"WAKEQUEUE_GRPC_KEY_FILE": "/tls/key"},
    "grpc_key_file": {"WAKEQUEUE_GRPC_CERTIFICATE_FILE": "/tls/crt"},
    "grpc_client_ca_file": TLS,
    "grpc_allowed_clients": TLS | {"WAKEQUEUE_GRPC_CLIENT_CA_FILE": "/tls/ca"},
    "grpc_token_header": {"WAKEQUEUE_GRPC_TOKEN": "hunter2"},
}
KINDS: Final = (Seconds, Address, RedisUrl, Endpoint, ServicePatterns, Release, NamespaceGlobs, ClientGlobs, File, Header)


def variable(name: str) -> str:
    """Return the environment's name of a setting."""
    return f"WAKEQUEUE_{name.upper()}"


def needed(name: str) -> dict[str, str]:
    """Return an environment in which a setting may stand."""
    return NEEDED.get(name, {})


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
    environ = needed(name) | file_of(tmp_path, f"{name} = {json.dumps(in_file)}")
    assert getattr(load(environ), name) == from_file != getattr(load({}), name)
    assert getattr(load(environ | {variable(name): str(in_environment)}), name) == from_environment != from_file


@pytest.mark.parametrize("name", GOOD)
def test_an_empty_variable_is_an_unset_one(name: str, tmp_path: Path) -> None:
    """Charts set a variable to nothing: then the file's value holds, or the default."""
    (text, value), _ = GOOD[name]
    assert getattr(load({variable(name): ""}), name) == getattr(load({}), name)
    environ = needed(name) | file_of(tmp_path, f"{name} = {json.dumps(text)}")
    assert getattr(load(environ | {variable(name): ""}), name) == value


def test_a_file_may_write_numbers_and_lists(tmp_path: Path) -> None:
    """What has a type of its own in TOML needs no quotes."""
    environ = file_of(tmp_path, "linger_above = 7\nawake_concurrency = 0.5\nservice_patterns = ['a(?P<name>.)', 'b(?P<name>.)']\n")
    settings = load(environ)
    assert (settings.linger_above, settings.awake_concurrency) == (7, 0.5)
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
    environ = {**needed(name), original: text, **file_of(tmp_path, f"{name} = {json.dumps(in_file)}")}
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
    assert load({}).rhythm == Rhythm(3.0, 1.0, 0.2, 0.001, 15.0, original_style=False)
    environ = {
        "WAKING_FOR": "8s",
        "REPORT_EVERY": "2s",
        "CORRECT_AFTER": "500ms",
        "AWAKE_CONCURRENCY": "0.5",
        "REPORT_STYLE": "original",
    }
    settings = load({variable(name): text for name, text in environ.items()})
    assert settings.rhythm == Rhythm(8.0, 2.0, 0.5, 0.5, 15.0, original_style=True)


# What is refused: names.


@pytest.mark.parametrize("name", ["IDLE", "IDLE_AFTER_", "SERVICE_PATTERN", "REDIS_HOST", "HOOK_ADDRESS", "PORTS", ""])
@pytest.mark.parametrize("value", ["5s", ""])
def test_an_unknown_variable_is_refused(name: str, value: str) -> None:
    """A misspelt variable is named with its value, even an empty one, and all allowed names."""
    line = refusal({f"WAKEQUEUE_{name}": value})
    assert line.startswith(f"WAKEQUEUE_{name} = {value!r}: ")
    assert all(known in line for known in Settings.__struct_fields__)


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("idle = '5s'", "idle", "'5s'"),
        ("IDLE_AFTER = '5s'", "IDLE_AFTER", "'5s'"),
        ("[front]\nidle_after = '5s'", "front", "{'idle_after': '5s'}"),
        ("WAKEQUEUE_IDLE_AFTER = '5s'", "WAKEQUEUE_IDLE_AFTER", "'5s'"),
    ],
)
def test_an_unknown_name_in_the_file_is_refused(text: str, name: str, value: str, tmp_path: Path) -> None:
    """A misspelt name in the file is named with its value, the file, and all allowed names."""
    line = refusal(file_of(tmp_path, text))
    assert line.startswith(f"{name} (in {tmp_path}/settings.toml) = {value}: ")
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
    ],
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
    "linger_above": ["0", "-1", "1.5", "many", "true", "1_000", " 1", "9" * 5000],
    "awake_concurrency": ["0", "-0.1", "1.001", "nan", "inf", "-inf", "little", "1e-400"],
    "report_style": ["Activator", "knative", " original"],
    "pod_name": ["p" * 254],
    "grpc_allowed_clients": ["*", "istio-system/*", "spiffe://a b", "spiffe://a,spiffe://b", "[]", '["spiffe://a", ""]', "spiffe:"],
    "grpc_message_bytes": ["0", "1023", "1073741825", "1MiB"],
    "grpc_calls_in_flight": ["0", "1073741825"],
    "namespaces": ["Shop", "shop,cart", "shop cart", "shop/cart", "[]", '["shop", ""]', "n" * 254, " "],
}
#: What the line says is allowed.
ALLOWED: Final = {
    "idle_after": "a duration from 1ms to 8784h, such as 500ms, 2s or 5m",
    "grpc_address": "HOST:PORT, such as 127.0.0.1:6100 or [::]:6100",
    "redis_url": "redis://[USER:PASSWORD@]HOST[:PORT][/DB], rediss://... or unix:///PATH",
    "autoscaler_endpoint": "ws://HOST[:PORT][/PATH] or wss://...",
    "knative_release": "0.16/gob, 0.18/json",
    "service_patterns": "a group (?P<name>...)",
    "linger_above": "a whole number from 1 up",
    "awake_concurrency": "a number above 0 and up to 1",
    "report_style": "activator or original",
    "pod_name": "at most 253 characters",
    "grpc_allowed_clients": "such as spiffe://cluster.local/ns/*/sa/mixer, or a list of such",
    "grpc_message_bytes": "a whole number from 1024 to 1073741824",
    "grpc_calls_in_flight": "a whole number from 1 to 1073741824",
    "namespaces": "such as shop or team-*, or a list of such",
}


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in BAD.items() for text in texts])
def test_a_bad_value_is_refused(name: str, text: str, tmp_path: Path) -> None:
    """The one line has the name, the value, and what is allowed, wherever the value came from."""
    line = refusal({variable(name): text})
    assert line.startswith(f"{variable(name)} = {text!r}: ")
    assert ALLOWED[name] in line
    line = refusal(file_of(tmp_path, f"{name} = {json.dumps(text)}"))
    assert line.startswith(f"{name} (in {tmp_path}/settings.toml) = {text!r}: ")
    assert ALLOWED[name] in line


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
        ("linger_above", "true"),
        ("linger_above", "0"),
        ("awake_concurrency", "nan"),
        ("awake_concurrency", "false"),
        ("report_style", "1"),
        ("pod_name", "5"),
        ("pod_name", "''"),
        ("data_dir", "''"),
        ("data_dir", "1979-05-27"),
        ("namespaces", "''"),
        ("namespaces", "[]"),
        ("namespaces", "['shop', 5]"),
        ("grpc_allowed_clients", "[]"),
        ("grpc_message_bytes", "true"),
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
        ("confirm_within", "4s", "confirm_within must be shorter than lease_for (4s)"),
        ("lease_for", "2500ms", "confirm_within must be shorter than lease_for (2.5s)"),
        ("linger", "100ms", "linger must be shorter than answer_within (0.1s)"),
        ("answer_within", "1ms", "linger must be shorter than answer_within (0.001s)"),
        ("namespace_rate_limit", "20000", "namespace_rate_limit must be less than rate_limit (20000)"),
        ("rate_limit", "10000", "namespace_rate_limit must be less than rate_limit (10000)"),
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
        ({"GRPC_CERTIFICATE_FILE": "/c"}, "GRPC_CERTIFICATE_FILE = '/c': allowed only together with grpc_key_file"),
        ({"GRPC_KEY_FILE": "/k"}, "GRPC_KEY_FILE = '/k': allowed only together with grpc_certificate_file"),
        ({"GRPC_CLIENT_CA_FILE": "/a"}, "GRPC_CLIENT_CA_FILE = '/a': allowed only together with grpc_certificate_file"),
        (
            {"GRPC_CERTIFICATE_FILE": "/c", "GRPC_KEY_FILE": "/k", "GRPC_ALLOWED_CLIENTS": "spiffe://x"},
            "GRPC_ALLOWED_CLIENTS = 'spiffe://x': allowed only together with grpc_client_ca_file",
        ),
        ({"GRPC_TOKEN_HEADER": "x"}, "GRPC_TOKEN_HEADER = '***': allowed only together with grpc_token or grpc_token_file"),
        (
            {"GRPC_TOKEN": TOKEN, "GRPC_TOKEN_FILE": "/t"},
            "GRPC_TOKEN = '***': allowed is either grpc_token or grpc_token_file, not both",
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
        TLS | {"WAKEQUEUE_GRPC_TOKEN": TOKEN, "WAKEQUEUE_REDIS_URL": f"redis://:{TOKEN}@host", "WAKEQUEUE_IDLE_AFTER": "4s"}
    )
    shown = [repr(settings), str(settings), f"{settings}", f"{settings!r:>9}", pretty_repr(settings), repr([settings])]
    shown += [f"{settings.grpc_token}", f"{settings.grpc_token!r:>5}", repr([settings.grpc_token])]
    for text in shown:
        assert "hunter2" not in text
        assert "***" in text
    assert "idle_after=4.0" in shown[0]
    assert "grpc_key_file='/tls/key'" in shown[0]
    assert settings.grpc_token.reveal() == TOKEN


texts = (
    st.text(max_size=20)
    | st.text("0123456789.smh:/[]@#? redisunxw", max_size=20)
    | st.sampled_from([text for bad in BAD.values() for text in bad])
)


@given(st.sampled_from(sorted(set(GOOD) - {"service_patterns"})), texts)
def test_any_text_loads_or_is_refused_in_one_line(name: str, text: str) -> None:
    """Whatever a variable holds, the outcome is settings, or one line that begins with its name."""
    line = f"{variable(name)} = "
    try:
        load((needed(name) if text else {}) | {variable(name): text})
    except SettingsError as error:
        line = str(error)
    assert line.startswith(f"{variable(name)} = ")
    assert len(line.splitlines()) == 1


# The kinds.


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("value", [None, 5, 5.0, True, {}, [5], b"5s"])
def test_every_kind_refuses_what_is_no_text(kind: type[Seconds | Address | RedisUrl | Endpoint | Release], value: object) -> None:
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
    ],
)
def test_redis_urls(text: str) -> None:
    """What both Celery and redis-py can reach is kept as it is; nothing means the embedded one."""
    assert RedisUrl.parse(text) == text


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
