"""Envoy's own protocols: the front hears of a request before it is routed on, or from the log of what became of it.

    ext_authz      external authorization v3: a check is answered OK, at once or held, and the wake-up that it means is recorded
    check_request  what a check tells of its request (pure)
    access_log     the access log service v3: entries that tell of a cold request are calls
    log_entry      what an entry tells of its request (pure)
    starts         requests whose beginning was logged (pure)
    streams        a stream's messages, until the front is told to stop
    naming         the words by which a gateway's configuration names a Revision (pure)

A client may send whatever headers it likes, Knative's and ours among them, so a Revision is read only from where clients have no
part: what the route or the log's configuration says, the cluster that the route chose, what filters say; last, from the host that
the request is for, by the operator's table or by what Kubernetes says of it. Knative's headers are believed in a log entry alone,
and there only once the router ran, for then they are as the route sets them. A gateway that logs them must set or remove them on
every route.

One request is one wake-up. A check is made once a request, whatever is tried for it after. Of a log's entries these are calls:

    a try that found no upstream (flags UH, UF, NC)    cold: its request's id tells further tries, and the entry at the request's
                                                       end, from other requests
    the beginning of a request                         not yet: what comes of it isn't known. If nothing more is heard of it for 50
                                                       ms, it is a call, for it may be waiting: a filter would have refused it by
                                                       then, and most upstreams answered. Later entries of it are no calls

Everything else is none: what an upstream answered, what a filter refused, what no route was found for. So warm requests, most of a
log, cost no more than the look at their entries.
"""
