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
                            +-- new calls, or repeat       +--- bury ---> dead letters -- purge, or the bounds --> discarded
                            |                                                 |
                            +---------------------- replay -------------------+

Each verb is one atomic script on Redis's own clock, so that no process's clock or death can leave a wake-up between two
states, and each has one caller: *record* the front's recorder; *take*, *settle*, *release* and *bury* the worker's deliver;
*sweep* the worker's sweep; *hasten* its hastener; *replay* and *purge* the operator's command. *census* only reads. *Begin* has
a Revision pending that nobody called: at once, or once it is *planned* and a sweep finds that its time has come. What comes too
late is buried from the first. It may be *kept* warm, until a time: then the Revision is pending again after each settle. *Cancel*
takes back both. Whoever is asked to start begins: a front, a worker, a command. *Lead* is the beat's, of which one leads; with
*present*, each front, worker and beat says that it is there. Settle, release and bury work under a live lease alone: the lease
carries a fencing token that only ever grows, and a worker that was too slow finds its token replaced.

A waking may end with a settle: *woken*, which the audit trail tells, or *unwoken*, which becomes a dead letter besides. The calls
of such a letter were settled when they were reported, so that it has none; its replay wakes one pod.

A wake-up whose lease ends with its holder is a *suspect*: it may be what ended the holder. From then on it is taken in trials
alone, few at a time and at last by itself; where a worker dies in one, only what it had on trial is blamed. What was blamed
three times in a row is buried as poisoned. *Take* also keeps the rate limits, which count over all workers: what a limit delays
is given a slot of its own, and is due then.

A wake-up has an id, made where a Revision that is asleep is first called or started. Its reports, their attempts, the end of its
waking and its dead letter carry it, and so does what a replay begins; the next one is made once the Revision was asleep again.

Keys, all with the hash tag `{wakequeue}`; times are milliseconds since 1970:

    {wakequeue}:r:NAMESPACE/NAME   hash, one Revision; expires when it is asleep again
        calls                      calls that no report was made of
        callers                    who made them: JSON, caller -> calls
        taken, taken_callers       the same of the calls in the hands of the lease's holder
        waiting                    calls of this episode that found the Revision not awake
        last_wait                  when a request was last known to wait
        wakeup                     the wake-up's id, from its first call until it is asleep again: 32 hex digits
        traces, taken_traces       trace contexts of gateways' calls: JSON; at most 8 of each, and none where none came
        style                      how to report it, where a call said so
        first_call, last_call      the oldest of `calls`, and the newest call of all
        taken_first_call           the oldest of `taken`
        due_at                     when it may be taken; only while pending
        ready_at                   the earliest next report, should new calls come
        passed                     how many rate limits it passed, when it is due at a slot of its own
        token, holder, attempts    of the last take
        tries                      the failed ones of these attempts: JSON, [when, why]
        crashes                    how many leases in a row ended with their holder, for which it was blamed
        first_report, last_report, concurrency, waking_since   the Episode
        keeps                      how long it is kept warm, and with how many pods: JSON, pods -> [since, until]
    {wakequeue}:w:NAMESPACE/NAME   zset, the requests that are known to wait: id -> when that was last said; each counts as one
                                   call, by whichever front it comes, until it was not heard of for `patience`
    {wakequeue}:pending            zset: key -> when to ring its doorbell (again)
    {wakequeue}:leased             zset: key -> when its lease ends
    {wakequeue}:buried             zset: dead letter -> when it was buried
    {wakequeue}:dead               hash: dead letter -> JSON
    {wakequeue}:planned            zset: NAMESPACE/NAME TIME -> that time, at which it starts
    {wakequeue}:plans              hash: the same -> how, JSON
    {wakequeue}:schedules          hash: schedule -> TIME NAME, how far its newest start is in the ledger; ~ stands for the whole
    {wakequeue}:beat               the beat that leads, while it does
    {wakequeue}:heard              zset: front, worker or beat -> when it was last heard of; gone 30 s after that, as is
    {wakequeue}:processes          hash: the same -> by how much its clock is ahead of Redis's, and what it says of itself, JSON
    {wakequeue}:totals             hash of counters: recorded, settled, buried, discarded (calls), letters_dropped, the last
                                   token, and the ledger's clock
    {wakequeue}:history            stream of outcomes, the newest `keep_history`
    {wakequeue}:rate[:NAMESPACE]   when the next report would come if all came evenly (µs); gone once that is past
    {wakequeue}:ring:NAMESPACE     the same of the doorbells that fronts ring
    {wakequeue}:trial:HOLDER       while this worker may have suspects on trial
    {wakequeue}:hastened           for a second after a worker has hastened
    {wakequeue}:connected          for a second, the worker that has swept while it was connected
    {wakequeue}:front:STREAM       the number of a front's last commit, for a day: one that is sent again counts once

Calls are conserved: recorded = settled + pending + leased + buried + discarded, at every moment. The clock is Redis's, and should
that be set back, the ledger's goes on from where it was: what is due stays due.
"""

from wakequeue.ledger.front import Commit, Entry, FrontLedger, Recorded
from wakequeue.ledger.history import History, Outcome
from wakequeue.ledger.leases import Lease, Settled
from wakequeue.ledger.letters import DeadLetter, DeadLetters
from wakequeue.ledger.presence import Presence, Presences
from wakequeue.ledger.starts import Begun, Cancelled, Kept, Led, Plan, Start, Starts
from wakequeue.ledger.worker import Census, Swept, Taken, WorkerLedger

__all__ = [
    "Begun",
    "Cancelled",
    "Census",
    "Commit",
    "DeadLetter",
    "DeadLetters",
    "Entry",
    "FrontLedger",
    "History",
    "Kept",
    "Lease",
    "Led",
    "Outcome",
    "Plan",
    "Presence",
    "Presences",
    "Recorded",
    "Settled",
    "Start",
    "Starts",
    "Swept",
    "Taken",
    "WorkerLedger",
]
