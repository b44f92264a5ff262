"""What is made as a process starts is left alone by Python's collector, which works on afterwards."""

import gc

import pytest

from wakequeue.lasting import lasting


def looked_at(one: object) -> bool:
    """Whether the collector goes through it."""
    return any(other is one for other in gc.get_objects())


def test_is_not_looked_through() -> None:
    """Neither while it is made nor later; what is made later is."""
    try:
        with lasting():
            collects, made = gc.isenabled(), [[]]
        assert (collects, gc.isenabled()) == (False, True)
        assert not looked_at(made)
        assert looked_at(later := [[]]), later
    finally:
        gc.unfreeze()


def test_collects_after_a_failure() -> None:
    """Where it can't be made, whatever goes on is collected all the same."""
    try:
        with pytest.raises(ImportError), lasting():
            raise ImportError
        assert gc.isenabled()
    finally:
        gc.unfreeze()
