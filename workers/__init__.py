"""The workers: Celery workers that deliver what is due to the Autoscaler.

    app          the Celery application, and what its process owns: one sender, one sweep, one admin port
    command      `wakequeue worker`
    tasks        the two tasks: unpack, deliver or start, return
    deliver      take, decide, encode, send, settle; or release; or bury
    company      those that wake with what is delivered
    keeping      what keeps a Revision warm (pure)
    wakings      how a waking ended: told to the ledger, counted, logged
    spans        what was reported of calls that are traced
    autoscaler   the one WebSocket: all that waits in one frame, a ping after it, the pong confirms
    hastener     has what failed come first when the Autoscaler is back
    others       has what comes to it delivered by others, while it isn't connected
    mirroring    what is known of the cluster, in a thread of its own
    sweep        rings what is due and was not rung, and ends the leases of workers that died
    watchdog     knows when a worker takes nothing while wake-ups are due
    scheduled    one start of a schedule: which Revisions it means, told to the ledger
    beat         which starts of schedules are due; sends them, if no other beat does
    beating      `wakequeue beat`, and its process
    flower_command `wakequeue flower`
    flowerconfig Flower's configuration
    flower_door  who may look at Flower
    flower_end   what it leaves, and doesn't wait for
    flower_listener how it hears of tasks
    flower_tasks how its pages show the two tasks
    broker_page  Flower's page of the queues

A task finds what there is to do in the ledger, never in its message.
"""
