"""What a Kubernetes cluster with Knative knows of its Revisions, mirrored in the memory of front and worker.

    knowledge   the port: what can be asked; and a cluster of which nothing is known (pure)
    mirrored    what the objects of all collections have (pure)
    routes      Routes and DomainMappings: from a host or an application to Revisions (pure)
    scaled      PodAutoscalers: what a Revision is scaled by (pure)
    objects     the other collections, and which of all of them a front and a worker mirror (pure)
    view        what is known, and what follows from it: hosts, applications, readiness, complaints (pure)
    api         the Kubernetes API: lists in pages, and watches
    reflector   keeps the view of one collection as the API has it
    mirror      all of them: the port's real adapter
    access      whether there is a cluster, and the way to its API

A front mirrors Routes, DomainMappings, Revisions and the EndpointSlices of Revisions' private Services; a worker Routes,
PodAutoscalers, Revisions and EndpointSlices. They only read: deploy/kubernetes/rbac.yaml is what they may.

Without it (`kubernetes = off`) the front is told each Revision by its gateway, and the rhythm assumes how long a cold start takes.
"""
