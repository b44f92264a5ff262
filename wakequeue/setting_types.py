"""The kinds of value that a setting can have beyond numbers and words.

Each reads its text with `parse`, which raises ValueError for anything else, and says in `allowed` what it takes.
"""

import json
import re
from typing import Final
from urllib.parse import urlsplit

DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)")
ADDRESS: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})")
SCHEME: Final = re.compile(r"(rediss?|unix|sentinels?|wss?)://")
SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
#: The ledger's unit, and a year.
SHORTEST: Final = 0.001
LONGEST: Final = 8784 * 3600.0


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


def masked(url: str) -> str:
    """A URL as it may be shown: nothing before its `@` and after its `?`, also where it is no URL but was meant as one."""
    credentials, at, place = url.rpartition("@")
    if re.search("[?#]", credentials):
        return "***"
    scheme = SCHEME.match(credentials)
    shown = re.sub(r"(?s)[?#].*", "?***", place)
    return f"{scheme[0] if scheme else ''}***@{shown}" if at else shown


def _list(text: str) -> object:
    """A JSON list of patterns, or the one pattern that the text is: both may begin with a bracket."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    return value if isinstance(value, list) else [text]
