"""The front: answers a gateway's call, and records the wake-up that it means.

    server     listens, serves health and reflection, drains
    mixer      Istio Mixer's out-of-process adapter protocol
    resolve    which Revision a call means
    recorder   answers awake Revisions from memory; makes the others durable, many in one commit
    doorbell   publishes the Celery message for those that are due
    call       the other side: makes calls as Mixer makes them

The user's request never fails because of this package: whatever goes wrong, the answer is OK.
"""
