"""Which settings must be the same in every process that reads them, and digests by which that is seen. Pure."""

from hashlib import sha256
from typing import Final, Literal

from wakequeue.setting_shown import masked
from wakequeue.setting_types import NamespaceGlobs
from wakequeue.settings import Settings

Role = Literal["hook", "worker", "beat"]
"""A process that stays, by the command that runs it."""

BOTH: Final[frozenset[Role]] = frozenset({"hook", "worker"})
WORKERS: Final[frozenset[Role]] = frozenset({"worker"})
STARTERS: Final[frozenset[Role]] = frozenset({"worker", "beat"})

#: By setting, who reads it. Redis and addresses are left out, for who says so has reached this Redis; so are those that are
#: each process's own affair, such as how long it drains.
ALIKE: Final[dict[str, frozenset[Role]]] = {
    # When a Revision is asleep, and how an episode goes on: each report of it may be another worker's.
    "idle_after": BOTH,
    "waking_for": BOTH,
    "report_every": BOTH,
    "correct_after": BOTH,
    "awake_concurrency": WORKERS,
    "patience": BOTH,
    "report_style": WORKERS,
    "unwoken_after": WORKERS,
    "callers_per_pod": WORKERS,
    # All keep to them together, by one count in the ledger.
    "rate_limit": WORKERS,
    "rate_burst": WORKERS,
    "namespace_rate_limit": BOTH,
    "namespace_rate_burst": BOTH,
    # The same Autoscaler, in the format that it reads.
    "autoscaler_endpoint": WORKERS,
    "knative_release": WORKERS,
    # What becomes of a wake-up, whoever has it.
    "lease_for": WORKERS,
    "max_age": WORKERS,
    "make_up_within": BOTH,
    "ring_again": BOTH,
    "ring_below": BOTH,
    # Who may wake, and who wakes with whom.
    "namespaces": BOTH,
    "denied_namespaces": BOTH,
    "groups": WORKERS,
    "group_depth": WORKERS,
    "group_size": WORKERS,
    # A beat sends what a worker must know; a beat that leads has the ledger forget the schedules that it doesn't have.
    "schedules": STARTERS,
    "zone": STARTERS,
}

#: These follow from each other, where they are 0; in the order of `Limits`.
LIMITS: Final = ("rate_limit", "rate_burst", "namespace_rate_limit", "namespace_rate_burst")

#: 32 bits tell values apart, and are few enough to be shown.
DIGITS: Final = 8


def digests(settings: Settings, role: Role) -> dict[str, str]:
    """A digest of each that this role reads, as it counts. None of a secret: credentials are left out before.

    Only those of one version can be compared: another one may hold the same setting in another shape.
    """
    limits = dict(zip(LIMITS, settings.limits, strict=True))
    return {name: _digest(limits.get(name, getattr(settings, name))) for name, roles in ALIKE.items() if role in roles}


def _digest(value: object) -> str:
    text = masked(value) if isinstance(value, str) else repr(_unordered(value))
    return sha256(text.encode()).hexdigest()[:DIGITS]


def _unordered(value: object) -> object:
    """Namespaces and tables without the order in which they are written. That of a schedule's or group's own list counts."""
    match value:
        case NamespaceGlobs():
            return sorted(set(value))
        case dict():
            return sorted(value.items())
    return value
