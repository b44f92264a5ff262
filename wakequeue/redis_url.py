"""Where Redis is, as one URL says it.

    redis://[USER:PASSWORD@]HOST[:PORT][/DB]                               rediss:// is the same over TLS
    unix://[USER:PASSWORD@]/PATH[?db=DB]
    sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/PRIMARY[/DB]    sentinels:// is the same over TLS

The hosts of a Sentinel URL are the Sentinels'; user, password and database are those of the Redis that they name as PRIMARY.
`db`, `username` and `password` may stand in the query too, as in redis-py's URLs; over TLS, `ssl_cert_reqs` and
`ssl_check_hostname` can turn verification off there.
"""

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from wakequeue.setting_shown import masked

#: The port that is meant where a URL names none.
PORTS: Final = {"redis": 6379, "rediss": 6379, "unix": 0, "sentinel": 26379, "sentinels": 26379}

QUERY: Final = {"db", "username", "password"}
TLS_QUERY: Final = {"ssl_cert_reqs": {"none", "optional", "required"}, "ssl_check_hostname": {"true", "false"}}


@dataclass(frozen=True, slots=True)
class Place:
    """A Redis: at one of the `nodes` (host and port), at the socket `path`, or where Sentinels at `nodes` say `primary` is."""

    nodes: tuple[tuple[str, int], ...]
    path: str
    primary: str
    db: int
    username: str = field(repr=False)
    password: str = field(repr=False)
    tls: bool
    certificate: str = "required"
    check_hostname: bool = True

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Read a URL. Raises ValueError for one that is not of the forms above."""
        url = urlsplit(text)
        if url.scheme not in PORTS or not text.startswith(f"{url.scheme}://") or url.fragment:
            raise ValueError(text)
        userinfo, _, hosts = url.netloc.rpartition("@")
        username, _, password = map(unquote, userinfo.partition(":"))
        tls = url.scheme in {"rediss", "sentinels"}
        query = _query(url.query, tls=tls)
        path, primary, db = _path(url.scheme, url.path)
        db = query.get("db", db)
        if not (db.isdecimal() and db.isascii() and int(db) < 1 << 16):
            raise ValueError(text)
        return cls(
            nodes=_nodes(url.scheme, hosts),
            path=path,
            primary=primary,
            db=int(db),
            username=username or query.get("username", ""),
            password=password or query.get("password", ""),
            tls=tls,
            certificate=query.get("ssl_cert_reqs", "required"),
            check_hostname=query.get("ssl_check_hostname") != "false",
        )


class RedisUrl(str):
    """Which Redis; empty for the embedded one in `data_dir`."""

    __slots__ = ()
    allowed = (
        "redis://[USER:PASSWORD@]HOST[:PORT][/DB], unix:///PATH or sentinel://[USER:PASSWORD@]HOST[:PORT][,HOST[:PORT]...]/PRIMARY[/DB],"
        " or rediss://... or sentinels://... for TLS"
    )

    @classmethod
    def parse(cls, text: object) -> "RedisUrl":
        """Read a URL. Raises ValueError for one that names no place."""
        if not isinstance(text, str):
            raise ValueError(text)  # noqa: TRY004  every parse raises ValueError, which becomes the SettingsError
        if text:
            Place.parse(text)
        return cls(text)

    @property
    def place(self) -> Place:
        """The place that it names."""
        return Place.parse(self)

    def __repr__(self) -> str:
        """Show no secret, whatever prints the settings."""
        return repr(masked(self))


def _query(text: str, *, tls: bool) -> dict[str, str]:
    query = dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True)) if text else {}
    known = QUERY | (TLS_QUERY.keys() if tls else set())
    wrong = [name for name, values in TLS_QUERY.items() if query.get(name) not in {None, *values}]
    if wrong or not query.keys() <= known:
        raise ValueError(text)
    return query


def _path(scheme: str, path: str) -> tuple[str, str, str]:
    """The socket, the primary and the database that a URL's path names."""
    parts = path.strip("/").split("/")
    match scheme, *parts:
        case "unix", *some if any(some):
            return unquote(path), "", "0"
        case "redis" | "rediss", db:
            return "", "", db or "0"
        case "sentinel" | "sentinels", primary, *db if primary and len(db) <= 1:
            return "", unquote(primary), "".join(db) or "0"
    raise ValueError(path)


def _nodes(scheme: str, hosts: str) -> tuple[tuple[str, int], ...]:
    if scheme == "unix":
        if hosts:
            raise ValueError(hosts)
        return ()
    nodes = [urlsplit(f"//{host}") for host in hosts.split(",")]
    if not all(node.hostname and not node.path for node in nodes) or (len(nodes) > 1 and "sentinel" not in scheme):
        raise ValueError(hosts)
    return tuple((node.hostname or "", node.port or PORTS[scheme]) for node in nodes)
