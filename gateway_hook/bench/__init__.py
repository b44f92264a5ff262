"""Benchmarks: calls made faster than any gRPC client of Python's would, to see how fast a front answers them.

    command     `wakequeue bench`, which measures a running installation
    measured    what it measures
    compared    calls beside others that were made in turn with them (pure)
    revisions   which Revisions are called
    trail       whether every call was reported, by the audit trail
    load        calls in an open loop, which latency is measured in, or in a closed one; how many cores making them takes
    connection  one connection to a front
    figures     what was measured, and whether the aim is met: as a table, and as JSON
    http2       the frames of its calls, written and read (pure)

`make bench` in the repository measures a whole installation with them: see `benchmarks`.
"""
