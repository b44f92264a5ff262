"""The front: answers a gateway's call, and records the wake-up that it means.

    server         the process: it puts the parts together, and drains
    port           the gRPC port, with health and reflection
    credentials    its TLS: certificate, key, and the authorities of clients
    door           lets in the calls of those who may
    admission      who may: by certificate, by token (pure)
    files          certificates and tokens, read again when they change
    mixer          Istio Mixer's out-of-process adapter protocol: all of its templates
    envoy          Envoy's external authorization and access log service
    http           the HTTP port, which stands in the place of Knative's activator
    hook           what every protocol does with a call: rule, resolve, record, hold
    call, outcome  what a gateway told of one request, and what became of it (pure)
    rules          which calls wake (pure)
    knative        Knative's own headers, and what probes are known by
    resolve        which Revisions a call means (pure)
    recorder       answers calls of awake Revisions at once; makes the others durable, many in one commit
    passed         calls of ready Revisions, which nobody needs to hear of (pure)
    tallies        calls that are not yet recorded, counted by Revision (pure)
    waiting        requests that found no upstream, and come again (pure)
    busy           whether this process is short of processor time
    commits        sends what is to be durable, until it is
    hold           keeps calls without an answer until their Revisions are ready
    doorbell       publishes the Celery message for those that are due
    quiet          when a front that is told to stop may stop
    command, client  the other side: makes calls as Mixer makes them
    bench          makes them faster than any gateway, and measures what they take

The user's request never fails because of this package: whatever goes wrong, a call that was let in is answered so that its request
goes on, or is tried again. One that may not come in is refused, with an error.
"""
