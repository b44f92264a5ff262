"""wakequeue tells Knative's Autoscaler, once and in time, that a sleeping application was called.

This package is what both sides mean by a wake-up; `gateway_hook` and `workers` import it, and it imports neither.

    revision, stat            the key, and the numbers that are reported
    episode                   the rhythm of reports for one Revision
    schedule                  when Revisions are to be awake before anybody calls them
    by_hand                   what is asked for by hand: when to wake, and for how long to be kept warm
    allowed                   what patterns allow, and in which namespaces Revisions may be woken
    release, codecs           Knative's releases, and the frames that they read
    opening                   what a connection to the Autoscaler is opened with
    settings, setting_*       what an operator can set; where it is read, in which form, and what of it may be shown
    redis_url, reach          which Redis, and every kind of client of it
    asyncio_redis             what redis-py's own asyncio classes leave undone
    ledger                    the truth about every wake-up, in Redis
    broker                    the Celery configuration, and the doorbell
    telemetry, admin          metrics, and the port that serves them
    events, logs              log events, and how they are written
    traces, otel              spans, which continue what gateways trace; made by OpenTelemetry, or not at all
    present, alike            that a process is there; which settings all must have alike
    errors                    every error, by what its catcher does next
    cluster                   what Kubernetes knows of Revisions and applications, where there is access to it
    named, groups             which Revisions names mean, and which wake with one that wakes
    embedded, stopping        the Redis for one machine; how a process is told to stop
    cli, arguments            the command line, and what its commands share
    lasting                   what Python's collector leaves alone
    up, child, merged         everything on one machine: it keeps each child, and serves their admin ports as one
    wake                      Revisions woken by hand, now or at a time, and that taken back
    status, history, dead     what the ledger holds, what became of each wake-up, and those that were given up
    schedule_command, outlook when each schedule starts next, and what is planned
    standin                   the stand-in Autoscaler
    alive                     whether what runs here is well, for a container's health check
    doctor                    what is well in an installation, and what isn't
"""

__version__ = "0.1.0"
