"""A StatMessage is what the Autoscaler is told of one Revision: the key and the numbers of one report."""

import math
from dataclasses import dataclass

from wakequeue.revision import Revision


@dataclass(frozen=True, slots=True)
class StatMessage:
    """One report on its way to the Autoscaler.

    `concurrency` is Knative's AverageConcurrentRequests: never negative, never NaN, and above 0 for any report that is to
    wake something. `requests` is RequestCount: the calls that no report named before. Raises ValueError for other numbers.
    """

    revision: Revision
    pod_name: str
    concurrency: float
    requests: int

    def __post_init__(self) -> None:
        if not (0 <= self.concurrency < math.inf and self.requests >= 0):
            msg = f"concurrency {self.concurrency} and {self.requests} requests are no numbers of a report"
            raise ValueError(msg)
