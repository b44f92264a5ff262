"""Whether a call is let in: by the URIs of its client's certificate, by its token, or by both. Pure."""

import hmac
from collections.abc import Iterable, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import quote, unquote

#: The header in which a token follows the word `Bearer` (RFC 6750, section 2.1).
AUTHORIZATION: Final = "authorization"

#: The longest identity, and the characters that it has besides letters and digits.
LONGEST_IDENTITY: Final = 256
PRINTED: Final = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


class Refusal(StrEnum):
    """Why a call is not let in."""

    #: It needs a certificate with another URI.
    CLIENT_NOT_ALLOWED = "client_not_allowed"
    #: It carries no token.
    NO_TOKEN = "no_token"  # noqa: S105  a word, no secret
    #: It carries a token that is not, or no longer, one of those that will do.
    WRONG_TOKEN = "wrong_token"  # noqa: S105  as above


def refused_client(uris: Iterable[str], allowed: Sequence[str]) -> Refusal | None:
    """Why a client with these URIs may not come in, if only those that match one of `allowed` may; none means all may."""
    if not allowed or any(_matches(uri, pattern) for uri in uris for pattern in allowed):
        return None
    return Refusal.CLIENT_NOT_ALLOWED


def refused_token(shown: Sequence[bytes], expected: Sequence[bytes]) -> Refusal | None:
    """Why none of the tokens shown will do, if one is expected.

    Every pair is compared, each in a time that doesn't tell how much of it is right.
    """
    if not expected:
        return None
    if not shown:
        return Refusal.NO_TOKEN
    equal = [hmac.compare_digest(one, other) for one in shown for other in expected]
    return None if any(equal) else Refusal.WRONG_TOKEN


def tokens_shown(metadata: Iterable[tuple[str, str | bytes]], header: str) -> list[bytes]:
    """The tokens that a call's metadata carry, without the white space around them: Mixer's can end with its file's new line."""
    values = [value.encode(errors="replace") if isinstance(value, str) else value for key, value in metadata if key == header]
    if header != AUTHORIZATION:
        return [value.strip() for value in values]
    parts = [value.strip().partition(b" ") for value in values]
    return [token.strip() for scheme, _, token in parts if scheme.lower() == b"bearer"]


def name_of(uris: Iterable[str], peer: str) -> str:
    """Who calls: its first SPIFFE id, else its first URI, else its IP address, or `unix`.

    `peer` is gRPC's name: `ipv4:ADDRESS:PORT`, `ipv6:[ADDRESS]:PORT` with the brackets percent-encoded, or `unix:PATH`. The name
    has at most 256 printable ASCII characters and no spaces; others are percent-encoded.
    """
    kind, _, place = peer.partition(":")
    address = unquote(place).rpartition(":")[0].strip("[]") if kind in {"ipv4", "ipv6"} else kind
    names = sorted(filter(None, uris), key=lambda uri: not uri.startswith("spiffe://"))
    return quote([*names, address or "unknown"][0], safe=PRINTED)[:LONGEST_IDENTITY]


def _matches(uri: str, pattern: str) -> bool:
    """Part by part, so that `*` stops at a slash, as in a shell."""
    parts, wanted = uri.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(map(fnmatchcase, parts, wanted))
