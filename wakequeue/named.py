"""Which Revisions are meant by names that an operator gives: keys and patterns. Pure.

A key, `NAMESPACE/NAME`, is a Revision's where that is known to exist; else an application's, and means the Revisions that have a
share of its traffic; else it is read as a Revision's all the same. A pattern means Revisions that have a share of some
application: of one that it matches, or being matched themselves. So it never means old Revisions, and it needs the cluster.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from wakequeue.allowed import matches
from wakequeue.cluster.knowledge import Application, Cluster
from wakequeue.revision import Revision

WILD: Final = frozenset("*?[")


def revisions_named(names: Iterable[str], cluster: Cluster, *, largest: bool) -> list[Revision]:
    """The Revisions that names mean, in order: of an application all that have a share, or the one with the `largest` alone.

    Patterns that aren't `answerable` mean none. Raises ValueError for a name that is neither a key nor a pattern.
    """
    keys, patterns = _sorted_out(names)
    meant = {revision for key in keys for revision in revisions_of(key, cluster, largest=largest)}
    for application in (cluster.applications() or ()) if patterns else ():
        everyone = matches(application.key, patterns)
        meant.update(one for one in _shares(application, largest=largest) if everyone or matches(str(one), patterns))
    return sorted(meant)


def answerable(names: Iterable[str], cluster: Cluster) -> bool:
    """Whether it can be said what the names mean: of patterns, not before the cluster's applications were listed."""
    return not _sorted_out(names)[1] or cluster.applications() is not None


def revisions_of(key: str, cluster: Cluster, *, largest: bool) -> Sequence[Revision]:
    """The Revisions that a key means, the largest share first. Raises ValueError where it isn't one."""
    itself = Revision.parse(key)
    application = None if cluster.exists(itself) else cluster.application(key)
    return _shares(application, largest=largest) if application else (itself,)


def _shares(application: Application, *, largest: bool) -> Sequence[Revision]:
    return application.revisions[:1] if largest else application.revisions


def _sorted_out(names: Iterable[str]) -> tuple[list[str], list[str]]:
    """Keys, and patterns."""
    keys: list[str] = []
    patterns: list[str] = []
    for name in names:
        (keys if WILD.isdisjoint(name) else patterns).append(name)
    return keys, patterns
