"""A Knative Serving release decides the frame format that its Autoscaler reads.

Read in knative.dev/serving, pkg/autoscaler/statserver (`server.go` of each release): gob up to 0.16, JSON text from 0.16 to
0.19, protobuf since 0.17. A frame in the wrong format is dropped in silence, so the release is configured, never guessed.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal, Self

Format = Literal["gob", "json", "protobuf"]

#: The first and last minor release of 0.x that reads each format; protobuf has no last.
READS: Final[dict[Format, range]] = {"protobuf": range(17, 10_000), "json": range(16, 20), "gob": range(1, 17)}

RELEASE: Final = re.compile(r"v?(?P<major>[01])\.(?P<minor>\d{1,3})(?:\.\d+)?(?:/(?P<format>gob|json|protobuf))?")


@dataclass(frozen=True, slots=True)
class Release:
    """A release with the frame format to use; `minor` is that of 0.x, and 9,999 for every 1.x.

    Written `0.9`, `1.23`, `v1.23.1`; where two formats are read, as an upgrade across them needs, `0.16/gob` chooses.
    """

    minor: int
    format: Format

    allowed = "a Knative Serving release from 0.1 to 1.x, such as 0.9 or 1.23, or with one of its formats: 0.16/gob, 0.18/json"

    @classmethod
    def parse(cls, text: object) -> Self:
        """Read a release. Raises ValueError for other text, and for a format that the release doesn't read."""
        match = RELEASE.fullmatch(text.strip()) if isinstance(text, str) else None
        if not match:
            raise ValueError(text)
        minor = 9_999 if match["major"] == "1" else int(match["minor"])
        formats = [name for name, minors in READS.items() if minor in minors and match["format"] in {None, name}]
        if not formats:
            raise ValueError(text)
        return cls(minor, formats[0])
