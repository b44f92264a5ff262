"""What a process makes as it starts lasts until it ends, and is never looked through for garbage."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting() -> Iterator[None]:
    """Have Python's collector leave alone what is made here.

    It would look through it again and again meanwhile, which is a tenth of the start, and later with each full pass: 70,000 objects
    of a front, none of which is garbage, while its calls wait for 30 ms.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
