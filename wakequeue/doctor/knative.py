"""The values that Knative's configuration has, as Go reads them. Pure.

Sources: Go's time.ParseDuration, strconv.ParseBool and ParseFloat; knative.dev/pkg configmap/parse.go.
"""

import re
from typing import Final

PART: Final = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
DURATION: Final = re.compile(rf"([-+]?)(0|(?:{PART.pattern})+)")
SECONDS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}

FALSE: Final = {"0", "f", "F", "false", "FALSE", "False"}


def duration(text: str) -> float | None:
    """The seconds of a duration such as `60s`, `1m30s` or `0`; None for other text."""
    match = DURATION.fullmatch(text)
    if not match:
        return None
    seconds = sum(float(number) * SECONDS[unit] for number, unit in PART.findall(match[2]))
    return -seconds if match[1] == "-" else seconds


def number(text: str) -> float | None:
    """A number; None for other text."""
    try:
        return float(text)
    except ValueError:
        return None


def is_false(text: str) -> bool:
    """Whether a text says no."""
    return text in FALSE
