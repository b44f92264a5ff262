"""The doctor looks at an installation, and says what is well, what isn't, and what to do about it.

    command        `wakequeue doctor`: the settings, then each subject's examination, all at the same time
    finding        what is said of one thing (pure)
    aside          what blocks, in threads that nothing waits for
    causes         why something can't be reached, and what to do (pure)
    redis          the examination of Redis, and of what is in it
    redis_reading  what is read of it
    redis_seen     what was read of it (pure)
    durable        whether it keeps what is written, takes it, and answers soon (pure)
    queued         whether what is recorded is delivered (pure)
    processes      who runs: versions, settings, clocks (pure)
    autoscaler     the examination of the Autoscaler: opened and pinged, and told nothing
    ports          the examination of what listens on this machine
    grpc_port      that of a front's gRPC port
    places         where this machine reaches what listens (pure)
    cluster        the examination of the cluster: whether there is one to look at
    reading        what is read of a cluster
    seen           what was read of it (pure)
    offers         what the cluster offers, and allows (pure)
    scaling        how the Autoscaler is configured, as a whole and for each Revision (pure)
    knative        the values that Knative's configuration has (pure)

An examination reads first, and then has each of its checks, a function from what was read and the settings to findings, decide. It
only reads, wakes nothing, ends within a time, and raises nothing: what it can't read is a finding.
"""
