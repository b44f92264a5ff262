"""Istio Mixer's out-of-process adapter protocol, in Istio 1.0 to 1.7: all of it, with nothing refused.

An operator's rule sends *instances* of a *template* to a *handler*, which is this adapter and what is configured for it. A request
of Mixer's carries one instance, or many (a report), and the handler's `Params`. Each instance is a call.

    templates      Mixer's templates: their services, and where each has what a call tells (pure)
    names          what an instance says, by name (pure)
    params         what a handler's operator configured: our `Params`, or the session that stands for them (pure)
    calls          the call that an instance is (pure)
    answers        what is answered: a check, a quota, a report (pure)
    adapter        takes requests, and answers them
    backend        Mixer's questions about a handler's configuration, and its sessions
    descriptors    our protos as Mixer's configuration has them (pure)
    manifests      the resources that have Mixer call this adapter (pure)
    command        prints them

The Revision comes from the `Params`, where they say it; else from the template's own fields, where it has any; else from what the
instance says under one of the names in the settings `mixer_namespace_names` and `mixer_service_names`.

| template | own fields |
|---|---|
| authorization | `action.namespace`, `action.service` |
| listentry | `value` is the service |
| apikey | `api` is the service |
| quota, metric, logentry | none: dimensions and variables |
| checknothing, reportnothing | none: only `Params` can say it |

Mixer turns every gRPC error into HTTP 500 for the user, so nothing here raises, and what can't be read is answered OK too. Envoy
keeps an answer for as long as it says, so only an awake Revision's answer may be used again.

Sessions keep no state: a session's id holds its `Params`, so that any front answers for it, also after all were restarted.
"""
