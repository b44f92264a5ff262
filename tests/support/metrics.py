"""The metrics that wakequeue exports, and those that a query in PromQL names."""

import re

from wakequeue.telemetry import BEAT, FRONT, WORKER

#: What a family of each type has samples of.
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum"), "info": ("_info",), "gauge": ("",)}


def exported() -> set[str]:
    """The name of every sample that a front, a worker or a beat exports, or would."""
    families = [family for registry in (FRONT, WORKER, BEAT) for family in registry.collect()]
    return {family.name + suffix for family in families for suffix in SUFFIXES[family.type]}


def named(query: str) -> set[str]:
    """The metrics of a query, ours and those of every process."""
    return set(re.findall(r"\b(?:wakequeue|process|python)_[a-z_]+", query))
