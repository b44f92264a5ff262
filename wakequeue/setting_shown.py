"""What of a setting may be shown: in an error, a log, or wherever the settings as a whole are printed."""

import re
from typing import Final

SCHEME: Final = re.compile(r"(rediss?|unix|sentinels?|wss?)://")


def shown(name: str, value: object) -> object:
    """The value as an error may show it: nothing of what may be a secret. A path is none, where it is one."""
    path = name.endswith("_file") and (not value or (str(value).startswith("/") and str(value).isprintable()))
    told = f"{name} {value}" if isinstance(value, dict | list) else name
    if re.search("pass|secret|token|credential|key|auth", told) and not path:
        return "***"
    return masked(str(value)) if re.search("redis|url|endpoint", name) or "@" in str(value) else value


def masked(url: str) -> str:
    """A URL as it may be shown: nothing before its `@` and after its `?`, also where it is no URL but was meant as one."""
    credentials, at, place = url.rpartition("@")
    if re.search("[?#]", credentials):
        return "***"
    scheme = SCHEME.match(credentials)
    shown = re.sub(r"(?s)[?#].*", "?***", place)
    return f"{scheme[0] if scheme else ''}***@{shown}" if at else shown
