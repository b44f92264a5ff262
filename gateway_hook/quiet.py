"""When a front that is told to stop may stop: once nobody calls it any more."""

import asyncio
from typing import Final

from gateway_hook.hook import Hook

#: A front is quiet when no call came for so long.
QUIET_SECONDS: Final = 0.2


async def until_quiet(hook: Hook, within: float) -> None:
    """Have held calls answered, and return once no other was for a while, or after so many seconds."""
    hook.let_go()
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within
    while (began := loop.time()) < deadline:
        answered = hook.answered
        await asyncio.sleep(QUIET_SECONDS)
        # Who was held up meanwhile may have calls still to take.
        if hook.answered == answered and loop.time() - began < 2 * QUIET_SECONDS:
            return
