"""The benchmarks of `make bench`: a whole installation on this machine, measured against what runs beside it in the same minute.

    __main__      runs the figures, one after the other; prints them, and writes results.json, the README's table and the plots
    installation  Redis, fronts, workers and Flower as `make up` runs them, each with what it uses of processor and memory
    receiver      the Autoscaler's place: when each stat was received
    handlers      what fronts are measured against: an empty grpc.aio handler, others that do little, and the front's own alone
    answers       F1 to F3: how many calls a front answers, and how fast
    parts         what F4 is measured against: a doorbell to the start of its task, a frame and its pong
    delivery      F4: from a call to its stat
    masses        F5, F7 and F10: many Revisions called at once
    busy          F6: one Revision that is called all the time
    footprint     F8 and F9: memory, and how soon a process is ready
    day           F11: a day in little
    report        the README's table
    plots         pictures of the results

A figure is refused where a call of it failed, or was lost. Load is made by `gateway_hook.bench`, in the process that measures.
"""
