"""The kinds of value that a setting can have beyond numbers and words.

Each reads its text with `parse`, which raises ValueError for anything else, and says in `allowed` what it takes.
"""

import json
import re
from typing import Final
from urllib.parse import urlsplit

DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


class Seconds(float):
    """A length of time, written `500ms`, `2s`, `5m` or `1h`."""

    allowed = "a duration above zero such as 500ms, 2s or 5m"

    @classmethod
    def parse(cls, text: object) -> "Seconds":
        """Read a duration. Raises ValueError for any other text, a bare number included: it has no unit."""
        match = DURATION.fullmatch(text.strip()) if isinstance(text, str) else None
        if not match or not float(match[1]):
            raise ValueError(text)
        return cls(float(match[1]) * SECONDS[match[2]])


class Address(str):
    """Where to listen: `HOST:PORT`, with an IPv6 host in brackets."""

    __slots__ = ()
    allowed = "HOST:PORT, such as 127.0.0.1:6100 or [::]:6100"

    @classmethod
    def parse(cls, text: object) -> "Address":
        """Read an address. Raises ValueError where host or port is missing."""
        if not isinstance(text, str) or not (parts := urlsplit(f"//{text}")).hostname or parts.port is None or parts.path:
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


class RedisUrl(str):
    """Which Redis; empty for the embedded one in `data_dir`."""

    __slots__ = ()
    allowed = "redis://[USER:PASSWORD@]HOST[:PORT][/DB], rediss://... or unix:///PATH"

    @classmethod
    def parse(cls, text: object) -> "RedisUrl":
        """Read a URL. Raises ValueError for a scheme that Celery and redis-py don't share, or a malformed port or database."""
        if not isinstance(text, str):
            raise ValueError(text)  # noqa: TRY004  every parse raises ValueError, which becomes the SettingsError
        url = urlsplit(text)
        tcp = url.scheme in {"redis", "rediss"} and url.hostname and (url.port or 6379) and re.fullmatch(r"(/\d*)?", url.path)
        if text and not tcp and not (url.scheme == "unix" and url.path.strip("/")):
            raise ValueError(text)
        return cls(text)


class Endpoint(str):
    """The Autoscaler's stat server."""

    __slots__ = ()
    allowed = "ws://HOST[:PORT][/PATH] or wss://..., such as ws://autoscaler.knative-serving.svc.cluster.local:8080"

    @classmethod
    def parse(cls, text: object) -> "Endpoint":
        """Read an endpoint; a bare `HOST:PORT` means `ws://`. Raises ValueError for another scheme or no host."""
        if not isinstance(text, str):
            raise ValueError(text)  # noqa: TRY004  as above
        url = urlsplit(text if not text or "://" in text else f"ws://{text}")
        if text and (url.scheme not in {"ws", "wss"} or not url.hostname or url.port == 0):
            raise ValueError(text)
        return cls(url.geturl())


class ServicePatterns(tuple[re.Pattern[str], ...]):
    """Regular expressions over a call's service that name its Revision, with groups `name` and, if they can, `namespace`."""

    __slots__ = ()
    allowed = "a regular expression with a group (?P<name>...) and, if it can, (?P<namespace>...), or a list of such"

    @classmethod
    def parse(cls, value: object) -> "ServicePatterns":
        """Compile one pattern, or a list: in the environment, a JSON list. Raises ValueError where one has no group `name`."""
        if isinstance(value, str):
            value = json.loads(value) if value.lstrip().startswith('["') else [value]
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise ValueError(value)
        try:
            patterns = cls(re.compile(one) for one in value)
        except re.error as error:
            raise ValueError(value) from error
        if not all("name" in pattern.groupindex for pattern in patterns):
            raise ValueError(value)
        return patterns
