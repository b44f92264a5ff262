"""One process that `wakequeue up` keeps running: started, listened to, restarted when it ends, stopped at last."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from wakequeue.errors import CannotStart

#: A process that ends is started again after this many seconds, twice as long each time it ends early, up to the longest.
RESTART_AFTER: Final = 0.25
RESTART_AT_MOST: Final = 5.0

#: The longest line that is printed whole.
LONGEST_LINE: Final = 1 << 20

#: A process that ran for this many seconds did not end early.
STEADY_SECONDS: Final = 10.0

#: How often a process is asked whether it is alive, and after how many refusals in a row it is ended, to be restarted.
ASK_EVERY: Final = 4.0
REFUSALS: Final = 3

PR_SET_PDEATHSIG: Final = 1
LIBC: Final = ctypes.CDLL(None) if sys.platform == "linux" else None

Say = Callable[[str, str], None]
"""Prints a line of a named process."""


class Child:
    """A process by name.

    `ready` is asked every 20 ms after the first start whether it does its work; `alive`, from then on, whether it still can.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        ready: Callable[[], bool],
        alive: Callable[[], bool],
        say: Say,
        env: Mapping[str, str],
    ) -> None:
        self.name = name
        self._command, self._ready, self._alive, self._say = command, ready, alive, say
        self._env = dict(os.environ) | dict(env)
        self._process: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._last_line = ""

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.returncode is None

    async def start(self, within: float) -> None:
        """Start, and wait until it is ready. Raises CannotStart where it ends first, or takes longer than `within` seconds."""
        await self._spawn()
        assert self._process is not None
        self._tasks.append(asyncio.create_task(self._keep(), name=f"keep {self.name}"))
        try:
            async with asyncio.timeout(within):
                while not await asyncio.to_thread(self._ready):
                    if not self.running:
                        await asyncio.sleep(0.05)  # its last words are still on their way
                        msg = f"{self.name} did not start: {self._last_line or 'it said nothing'}"
                        raise CannotStart(msg)
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            msg = f"{self.name} was not ready within {within:g} s"
            raise CannotStart(msg) from error
        self._tasks.append(asyncio.create_task(self._watch(), name=f"watch {self.name}"))

    async def stop(self, within: float) -> None:
        """Have it end by itself; after `within` seconds, end it."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._process is None or not self.running:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        reading = asyncio.create_task(self._listen(self._process))
        try:
            async with asyncio.timeout(within):
                await self._process.wait()
        except TimeoutError:
            self._say(self.name, f"did not stop within {within:g} s: killed")
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        await reading

    async def _spawn(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            env=self._env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            limit=LONGEST_LINE,
            start_new_session=True,  # the terminal's Ctrl-C is for the supervisor, which stops its processes in order
            preexec_fn=_end_with_parent,
        )

    async def _keep(self) -> None:
        back_off = RESTART_AFTER
        loop = asyncio.get_running_loop()
        while True:
            assert self._process is not None
            began = loop.time()
            await self._listen(self._process)
            code = await self._process.wait()
            back_off = RESTART_AFTER if loop.time() - began > STEADY_SECONDS else min(back_off * 2, RESTART_AT_MOST)
            self._say(self.name, f"ended ({_how(code)}): restarted in {back_off:g} s")
            await asyncio.sleep(back_off)
            await self._spawn()

    async def _watch(self) -> None:
        refusals = 0
        while True:
            await asyncio.sleep(ASK_EVERY)
            refusals = 0 if not self.running or await asyncio.to_thread(self._alive) else refusals + 1
            if refusals == REFUSALS and self._process is not None:
                self._say(self.name, "is stuck: killed")
                refusals = 0
                with contextlib.suppress(ProcessLookupError):
                    self._process.kill()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:  # it was longer, and is left out
                continue
            if not line:
                return
            if text := line.decode(errors="replace").rstrip():
                self._last_line = text
                self._say(self.name, text)


def _how(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name


def _end_with_parent() -> None:
    """On Linux, have the kernel end this process should its supervisor be killed."""
    if LIBC is not None:
        LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
