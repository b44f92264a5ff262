"""Envoy's own protocols: external authorization, and the access log service.

    ext_authz      answers a check of a request that is about to be routed
    check_request  the call that a check means (pure)
    access_log     takes streams of log entries
    log_entry      what an entry says, and the call that it means (pure)
    started        the requests whose start was told, so that their end is no second call (pure)
    texts          what both read in the same way (pure)

Both read the Revision only where a client can't write: in the route's own configuration, in the cluster that the route chose, or in
the operator's table of hosts. The filters of a gateway, and its logs, see the headers `Knative-Serving-*` as the client sent them;
the router sets the route's own only afterwards.
"""
