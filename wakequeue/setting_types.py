"""The kinds of value that a setting can have beyond numbers and words.

Each reads its text with `parse`, which raises ValueError for anything else, and says in `allowed` what it takes.
"""

import json
import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import ClassVar, Final, Self
from urllib.parse import urlsplit

from wakequeue.revision import Revision
from wakequeue.setting_shown import masked

DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
USER: Final = re.compile(r"[A-Za-z0-9._@-]{1,64}")
HEADER: Final = re.compile(r"(?!grpc-)(?!.*-bin$)[a-z0-9_.-]+")
WORD: Final = re.compile(r"[!-~]+")
SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
#: The ledger's unit, and a year.
SHORTEST: Final = 0.001
LONGEST: Final = 8784 * 3600.0


class Refused(ValueError):  # noqa: N818  it names what happened
    """A value can't be: why, and what of it, is its text, for which what the whole kind allows would say too little."""


class Seconds(float):
    """A length of time, written `500ms`, `2s`, `5m` or `1h`."""

    allowed = "a duration from 1ms to 8784h, such as 500ms, 2s or 5m"

    @classmethod
    def parse(cls, text: object) -> "Seconds":
        """Read a duration. Raises ValueError for any other text, a bare number included: it has no unit."""
        match = DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
        seconds = float(match[1]) * SECONDS[match[2]] if match else 0.0
        if not SHORTEST <= seconds <= LONGEST:
            raise ValueError(text)
        return cls(seconds)


class Address(str):
    """Where to listen: `HOST:PORT`, with an IPv6 host in brackets."""

    __slots__ = ()
    allowed = "HOST:PORT, such as 127.0.0.1:6100 or [::]:6100"

    @classmethod
    def parse(cls, text: object) -> "Address":
        """Read an address. Raises ValueError where host or port is missing."""
        if not isinstance(text, str) or not (match := ADDRESS.fullmatch(text)) or int(match[2]) >= 1 << 16:
            raise ValueError(text)
        return cls(text)

    @property
    def host(self) -> str:
        """The host, without brackets."""
        return urlsplit(f"//{self}").hostname or ""

    @property
    def port(self) -> int:
        """The port; 0 lets the system choose."""
        return urlsplit(f"//{self}").port or 0


def is_loopback(host: str) -> bool:
    """Whether a host, by its address or as `localhost`, is this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Endpoint(str):
    """The Autoscaler's stat server."""

    __slots__ = ()
    allowed = "ws://[USER:PASSWORD@]HOST[:PORT][/PATH] or wss://..., such as ws://autoscaler.knative-serving.svc.cluster.local:8080"

    @classmethod
    def parse(cls, text: object) -> "Endpoint":
        """Read an endpoint; a bare `HOST:PORT` means `ws://`. Raises ValueError for another scheme, no host, half a credential."""
        if not isinstance(text, str):
            raise ValueError(text)  # noqa: TRY004  every parse raises ValueError, which becomes the SettingsError
        url = urlsplit(text if not text or "://" in text else f"ws://{text}")
        (url.hostname or "").encode("idna")
        plain = text.isprintable() and " " not in text and not url.fragment
        if text and (url.scheme not in {"ws", "wss"} or not url.hostname or url.port == 0 or not plain):
            raise ValueError(text)
        if "@" in url.netloc and not (url.username and url.password):
            raise ValueError(text)
        return cls(url.geturl())

    def __repr__(self) -> str:
        """Show no secret, whatever prints the settings."""
        return repr(masked(self))


class ServicePatterns(tuple[re.Pattern[str], ...]):
    """Regular expressions over a call's service that name its Revision, with groups `name` and, if they can, `namespace`."""

    __slots__ = ()
    allowed = "a regular expression with a group (?P<name>...) and, if it can, (?P<namespace>...), or a list of such"

    @classmethod
    def parse(cls, value: object) -> "ServicePatterns":
        """Compile one pattern, or a list: in the environment, a JSON list. Raises ValueError where one has no group `name`."""
        if isinstance(value, str):
            value = _list(value)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise ValueError(value)
        try:
            patterns = cls(re.compile(one) for one in value)
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(value) from error
        if not all("name" in pattern.groupindex for pattern in patterns):
            raise ValueError(value)
        return patterns


class Globs(tuple[str, ...]):
    """Patterns as a shell has them, of which a text must match one."""

    __slots__ = ()
    allowed: ClassVar[str]
    form: ClassVar[re.Pattern[str]]

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read one pattern, or a list: in the environment, a JSON list. Raises ValueError for an empty one, which means nobody."""
        if isinstance(value, str):
            value = _list(value)
        if not (isinstance(value, list) and value and all(isinstance(one, str) and cls.form.fullmatch(one) for one in value)):
            raise ValueError(value)
        if any(one.count("[") != one.count("]") for one in value):
            raise ValueError(value)
        return cls(value)


class NamespaceGlobs(Globs):
    """Which namespaces a call may name."""

    __slots__ = ()
    allowed = "a namespace, in which *, ? and [...] stand for others, such as shop or team-*, or a list of such"
    form = re.compile(r"[-a-z0-9*?!\[\]]{1,253}")


class PathGlobs(Globs):
    """Which paths a request may have, without its query; `*` stands for slashes too. None has a comma: it is a list, mistaken."""

    __slots__ = ()
    allowed = "a path, in which *, ? and [...] stand for others, such as /api/* or *.php, or a list of such"
    form = re.compile(r"[/*?\[][!-+\--~]*")


class HostGlobs(Globs):
    """Which hosts a request may be for, without their ports; `*` stands for dots too."""

    __slots__ = ()
    allowed = "a host in lower case, in which *, ? and [...] stand for others, such as *.example.com, or a list of such"
    form = re.compile(r"[-a-z0-9._*?!\[\]]{1,253}")


class UserAgentGlobs(Globs):
    """Which user agents a request may have, in lower case: they are compared without regard to case.

    A comma beside a `*` is refused: it is a list, mistaken.
    """

    __slots__ = ()
    allowed = "a user agent, in which *, ? and [...] stand for others, such as *bot*, or a list of such"
    form = re.compile(r"(?!.*(\*,|,\*))[ -~]{1,1024}")

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read patterns as any others are, in lower case."""
        return cls(one.lower() for one in super().parse(value))


class Methods(Globs):
    """Which methods a request may have, in upper case."""

    __slots__ = ()
    allowed = "a method, such as GET, or a list of such"
    form = re.compile(r"[A-Z]{1,32}")


class HostTable(dict[str, Revision]):
    """Revisions by host: an exact one, `*.` before a domain for all below it, or `*`."""

    __slots__ = ()
    allowed = (
        "a table of hosts in lower case and their Revisions, such as "
        '{"shop.example.com": "shop/cart-00001", "*.example.org": "demo/hello-00001"}'
    )
    form = re.compile(r"(\*|(\*\.)?[a-z0-9]([-a-z0-9_.]{0,251}[a-z0-9])?)")

    @classmethod
    def parse(cls, value: object) -> "HostTable":
        """Read a table: in the environment, a JSON object. Raises ValueError for an empty one, or where an entry can't be."""
        if isinstance(value, str):
            value = json.loads(value)
        if not (value and isinstance(value, dict) and all(map(cls.form.fullmatch, value))):
            raise ValueError(value)
        if not all(isinstance(one, str) for one in value.values()):
            raise ValueError(value)
        return cls({host: Revision.parse(key) for host, key in value.items()})


class Names(Globs):
    """What Mixer's instances call a thing, the first choice first: compared without regard to case and to `_`, `-` and `.`."""

    __slots__ = ()
    allowed = "a name, such as destination_service_name, or a list of such"
    form = re.compile(r"(?=.*[A-Za-z0-9])[-A-Za-z0-9_.]{1,253}")


class ClientGlobs(Globs):
    """Which URIs a client's certificate may carry; `*` stands for anything but a slash."""

    __slots__ = ()
    allowed = "a URI, in which *, ? and [...] may stand for parts, such as spiffe://cluster.local/ns/*/sa/mixer, or a list of such"
    form = re.compile(r"[a-z][-+.a-z0-9]*:[!-+\--~]{1,2048}")


class File(str):
    """Which file to read, when it is needed; empty for none. Only a path is ever shown: what a file should hold may stand here."""

    __slots__ = ()
    allowed = "the absolute path of a file, such as /etc/wakequeue/tls.crt"

    @classmethod
    def parse(cls, text: object) -> "File":
        """Read a path. Raises ValueError where it isn't absolute, or can't be one."""
        if not (isinstance(text, str) and text.startswith("/") and text.isprintable()):
            raise ValueError(text)
        return cls(text)


class User(str):
    """A user's name, as basic authentication carries it."""

    __slots__ = ()
    allowed = "a name of up to 64 letters, digits and ._@-"

    @classmethod
    def parse(cls, text: object) -> "User":
        """Read a name. Raises ValueError for what would not be told from a password."""
        if not isinstance(text, str) or not USER.fullmatch(text):
            raise ValueError(text)
        return cls(text)


class Header(str):
    """The name of a request header, in lower case as HTTP/2 has it."""

    __slots__ = ()
    allowed = "the name of a header, such as x-wakequeue-token, that doesn't begin with grpc- or end with -bin"

    @classmethod
    def parse(cls, text: object) -> "Header":
        """Read a name. Raises ValueError for what gRPC keeps to itself or would not carry as text."""
        if not isinstance(text, str) or not HEADER.fullmatch(text.lower()):
            raise ValueError(text)
        return cls(text.lower())


@dataclass(frozen=True, slots=True, repr=False)
class Secret:
    """A word that only `reveal` shows: no text made of it, or of what holds it, says more than `***`. Empty for none."""

    _word: str = ""
    allowed: ClassVar[str] = "a word of printable ASCII characters, without spaces"

    @classmethod
    def parse(cls, text: object) -> "Secret":
        """Read a word, without the white space around it. Raises ValueError, which doesn't show it, where it isn't one."""
        word = text.strip() if isinstance(text, str) else ""
        if not WORD.fullmatch(word):
            raise ValueError("***")
        return cls(word)

    def reveal(self) -> str:
        """The word."""
        return self._word

    def __bool__(self) -> bool:
        return bool(self._word)

    def __repr__(self) -> str:
        return "***"


def _list(text: str) -> object:
    """A JSON list of patterns, or the one pattern that the text is: both may begin with a bracket."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    return value if isinstance(value, list) else [text]
