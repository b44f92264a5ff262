"""When a process is short of processor time."""

from gateway_hook.busy import Busy


def test_a_process_is_busy_that_uses_a_core() -> None:
    """By the last window alone, and until the end of the next one."""
    clock, used = 5.0, 1.0
    busy = Busy(lambda: clock, lambda: used)

    def after(seconds: float, share: float) -> bool:
        nonlocal clock, used
        clock += seconds
        used += share * seconds
        return busy()

    assert not busy()
    assert not after(0.05, 1.0), "no window has ended"
    assert after(0.06, 1.0)
    assert after(0.05, 0.0), "the next window has not ended"
    assert not after(0.06, 0.0)
    assert not after(10, 0.8)
    assert after(0.2, 0.9)
