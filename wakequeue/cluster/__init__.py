"""What a Kubernetes cluster with Knative knows of its Revisions, kept in memory by front and worker.

    knowledge   the port: what can be asked; and a cluster of which nothing is known

Without it (`kubernetes = off`) the front is told each Revision by its gateway, and the rhythm assumes how long a cold start takes.
"""
