"""The ledger is the truth about every wake-up, kept in Redis; a Celery message is only a doorbell that says where to look.

What happens to one Revision:

                 record                    take
    (asleep) ------------> pending -----------------> leased
        ^                   ^   ^                      | | |
        |    expires after  |   |  release, or sweep   | | |
        |   `idle_after`    |   +--- of a dead lease --+ | |
        |                   |                            | |
        +------- (awake) <--|--- settle -----------------+ |
                            |                              |
                            +-- new calls, or repeat       +--- bury ---> dead letters

Each verb is one atomic script on Redis's own clock, so that no process's clock or death can leave a wake-up between two
states, and each has one caller: *record* the front's recorder; *take*, *settle*, *release* and *bury* the worker's deliver;
*sweep* the worker's sweep. *census* only reads. Settle, release and bury work under a live lease alone: the lease carries a
fencing token that only ever grows, and a worker that was too slow finds its token replaced.

Keys, all with the hash tag `{wakequeue}`; times are milliseconds since 1970:

    {wakequeue}:r:NAMESPACE/NAME   hash, one Revision; expires when it is asleep again
        calls                      calls that no report was made of
        taken                      calls in the hands of the lease's holder
        waiting                    calls of this episode that found the Revision not awake
        first_call, last_call      the oldest of `calls`, and the newest call of all
        taken_first_call           the oldest of `taken`
        due_at                     when it may be taken; only while pending
        ready_at                   the earliest next report, should new calls come
        token, attempts            of the last take
        first_report, last_report, concurrency   the Episode
    {wakequeue}:pending            zset: key -> when to ring its doorbell (again)
    {wakequeue}:leased             zset: key -> when its lease ends
    {wakequeue}:buried             zset: dead letter -> when it was buried
    {wakequeue}:dead               hash: dead letter -> JSON
    {wakequeue}:totals             hash of counters: recorded, settled, buried (calls), letters_dropped, and the last token
    {wakequeue}:front:STREAM       the number of a front's last commit, for an hour: one that is sent again counts once

Calls are conserved: recorded = settled + pending + leased + buried, at every moment.
"""

from wakequeue.ledger.front import Commit, Entry, FrontLedger, Recorded
from wakequeue.ledger.worker import Census, Lease, Settled, WorkerLedger

__all__ = ["Census", "Commit", "Entry", "FrontLedger", "Lease", "Recorded", "Settled", "WorkerLedger"]
