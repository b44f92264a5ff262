"""What Mixer is answered. Pure.

Source: istio.io/api mixer/adapter/model/v1beta1. `seconds` is for how long an answer may be used again, 0 for never. An answer that
says nothing of it would be used for a minute and 10,000 times.
"""

from datetime import timedelta
from functools import lru_cache
from typing import Final

from google.protobuf.duration_pb2 import Duration
from google.rpc.code_pb2 import OK
from google.rpc.status_pb2 import Status

from gateway_hook.wire.check_pb2 import CheckResult
from gateway_hook.wire.quota_model_pb2 import QuotaResult
from gateway_hook.wire.quota_pb2 import HandleQuotaRequest
from gateway_hook.wire.report_pb2 import ReportResult

#: How often one cached answer may be used: as good as always, for its time limits it first.
USES: Final = 1_000_000

#: A grant that must not be kept still has to last for some time: a proxy takes one of no time for none.
SHORTEST_GRANT: Final = 0.001

MOST: Final = (1 << 63) - 1

REPORTED: Final = ReportResult().SerializeToString()


@lru_cache(maxsize=256)
def checked(seconds: float) -> bytes:
    """A CheckResult that lets the request pass. With a duration, 0 uses mean that it is never used again."""
    if not seconds:
        return CheckResult(status=Status(code=OK), valid_duration=_duration(1), valid_use_count=0).SerializeToString()
    return CheckResult(status=Status(code=OK), valid_duration=_duration(seconds), valid_use_count=USES).SerializeToString()


def granted(request: HandleQuotaRequest | None, seconds: float) -> bytes:
    """A QuotaResult that grants what is asked, in full: by the name of the instance, which Mixer looks for, and any other asked."""
    if request is None:
        return b""
    amounts = {one.key: one.value.amount for one in request.quota_request.quotas}
    amounts.setdefault(request.instance.name, sum(amounts.values()))
    duration, status = _duration(seconds or SHORTEST_GRANT), Status(code=OK)
    return QuotaResult(
        quotas=[
            QuotaResult.QuotasEntry(
                key=name,
                # Nothing granted is a refusal.
                value=QuotaResult.Result(valid_duration=duration, granted_amount=min(max(amount, 1), MOST), status=status),
            )
            for name, amount in amounts.items()
        ]
    ).SerializeToString()


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromTimedelta(timedelta(seconds=seconds))
    return duration
