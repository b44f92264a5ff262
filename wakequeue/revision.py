"""A Revision is the one application version that a wake-up is for: a namespace and a name.

Kubernetes limits both to a DNS label (RFC 1123: at most 63 characters of a-z, 0-9 and '-'), which is also what Knative's
Autoscaler uses as the key of a StatMessage.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

LABEL: Final = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
KEY: Final = re.compile(f"{LABEL.pattern}/{LABEL.pattern}")


@dataclass(frozen=True, slots=True, order=True)
class Revision:
    """A valid namespace and Revision name; its text form, `namespace/name`, is its key everywhere.

    Raises ValueError where either is no DNS label.
    """

    namespace: str
    name: str

    def __post_init__(self) -> None:
        for part, text in (("namespace", self.namespace), ("name", self.name)):
            if not LABEL.fullmatch(text):
                msg = f"{part} {text[:70]!r} is not a DNS label (at most 63 of a-z, 0-9 and '-')"
                raise ValueError(msg)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, key: str) -> Self:
        """Read `namespace/name`. Raises ValueError for any other text."""
        namespace, slash, name = key.partition("/")
        if not slash:
            msg = f"{key[:140]!r} is not NAMESPACE/REVISION"
            raise ValueError(msg)
        return cls(namespace, name)
