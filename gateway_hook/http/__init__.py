"""The HTTP port, which stands where Knative's activator would: HTTP/1.1 and HTTP/2 in the clear (h2c), on one address.

    port         listens, and drains
    connections  what hypercorn leaves undone for a server that answers before it has read a body
    app          answers a request (ASGI)
    request      what kind of request it is, and the call that it means (pure)
    wake         what a caller of `/wake` wants (pure)
    door         who may wake without a gateway
    answers      every answer (pure)
    page         what a browser shows meanwhile

Knative copies the endpoints of `activator-service` into the public Service of every Revision that sleeps, so what comes here are
the requests that found no upstream, and probes. In this order a request is

1. a probe: answered as the activator would, and never a wake-up;
2. a cold one: it names its Revision by the headers that the router sets, or by a host of the operator's table or of Kubernetes. It
   is recorded, and answered 503 with `x-wakequeue: cold`, on which the gateway's retry policy tries again, until it finds the
   application; in `hold` mode not before the application is ready. Its attempts carry one `x-request-id`: the first is the call,
   the others say that it still waits. One that wakes nothing gets a 503 without that header, for it would be tried for ever;
3. `POST /wake/NAMESPACE/REVISION`, a call by anyone who would wake without traffic, and has the gRPC port's token; or `POST /wake`,
   several at once. One that says `for` or `at` is made durable as a start, at once or for later, before it is answered;
4. nothing that this port is for: 404.

No body is read: the answer never depends on one, and must not wait for it.
"""
