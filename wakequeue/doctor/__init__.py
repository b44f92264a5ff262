"""The doctor looks at an installation, and says what is well, what isn't, and what to do about it.

    command       `wakequeue doctor`: the settings, then each subject's examination
    finding       what is said of one thing (pure)
    cluster       the cluster's examination: whether there is one to look at
    reading       what is read of a cluster
    seen          what was read of it (pure)
    offers        what the cluster offers, and allows (pure)
    scaling       how the Autoscaler is configured, as a whole and for each Revision (pure)
    knative       the values that Knative's configuration has (pure)

An examination reads first, and then has each of its checks, a function from what was read and the settings to findings, decide. It
only reads, and raises nothing: what it can't read is a finding.
"""
