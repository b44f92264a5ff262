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


def is_pattern(name: str) -> bool:
    """Whether a name may mean several applications."""
    return not WILD.isdisjoint(name)


def revisions_named(names: Iterable[str], cluster: Cluster, *, largest: bool) -> list[Revision]:
    """The Revisions that names mean, in order: of an application all that have a share, or the one with the `largest` alone.

    Before the cluster's applications are listed a pattern means none, and a key a Revision. Raises ValueError for a name that is
    neither.
    """
    keys, patterns = _sorted_out(names)
    meant = {revision for key in keys for revision in revisions_of(key, cluster, largest=largest)}
    for application in (cluster.applications() or ()) if patterns else ():
        everyone = matches(application.key, patterns)
        meant.update(one for one in _shares(application, largest=largest) if everyone or matches(str(one), patterns))
    return sorted(meant)


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
        (patterns if is_pattern(name) else keys).append(name)
    return keys, patterns
