"""What patterns allow; and in which namespaces Revisions may be woken, by a call or without one. Pure."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from wakequeue.settings import Settings


def may_wake(namespace: str, settings: Settings) -> bool:
    """Whether `namespaces` have it, and `denied_namespaces` don't."""
    return passes(namespace, settings.namespaces, settings.denied_namespaces)


def passes(text: str, allowed: Sequence[str], denied: Sequence[str]) -> bool:
    """Whether a text matches one of the allowed patterns, and none of the denied ones."""
    return matches(text, allowed) and not matches(text, denied)


def matches(text: str, patterns: Sequence[str]) -> bool:
    """Whether a text matches one of the patterns."""
    return any(fnmatchcase(text, pattern) for pattern in patterns)
