"""What a fault did to the wake-ups that were recorded: one row of the table that `make faults` prints."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One fault, made `times` times.

    `recorded`, `delivered`, `twice` and `lost` are calls: those that the front recorded, those that the Autoscaler was told of,
    those that it was told of again, and those that it never heard of. `worst_recovery` is the longest time, in seconds, from
    the end of a fault until all that was recorded had been delivered.
    """

    fault: str
    times: int
    recorded: int
    delivered: int
    twice: int
    lost: int
    worst_recovery: float

    @classmethod
    def of(
        cls, fault: str, times: int, *, recorded: Mapping[str, int], reported: Mapping[str, int], worst_recovery: float
    ) -> "Row":
        """Compare the calls that were recorded with those that were reported, both by Revision."""
        return cls(
            fault,
            times,
            sum(recorded.values()),
            sum(min(calls, reported.get(revision, 0)) for revision, calls in recorded.items()),
            sum(max(0, calls - recorded.get(revision, 0)) for revision, calls in reported.items()),
            sum(max(0, calls - reported.get(revision, 0)) for revision, calls in recorded.items()),
            worst_recovery,
        )
