"""A whole way in: Envoy with one of our configurations, a front, a worker, Redis and a stat server, of a test's own."""

import signal
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

from support.bootstrap import FRONT_GRPC, FRONT_HTTP, Change, as_it_is
from support.envoy import Envoy
from support.processes import free_port
from support.site import Site
from support.visitor import Visitor
from support.waiting import wait_until

#: The applications of each configuration: host name, the name of their endpoints, their Revision. At the start the first sleeps.
HELLO = "hello.default.example.com", "hello-00001", "default/hello-00001"
CART = "cart.shop.example.com", "cart-00007", "shop/cart-00007"

#: A rhythm that is quick enough for a test to see all of it.
WAKING_FOR, IDLE_AFTER = 1.0, 2.0
RHYTHM = {"WAKEQUEUE_WAKING_FOR": "1s", "WAKEQUEUE_IDLE_AFTER": "2s", "WAKEQUEUE_AWAKE_CACHE": "500ms"}


class Entrance:
    """Everything ends with the stack that it was made on. Front and worker get `env`."""

    def __init__(self, stack: ExitStack, folder: Path, file: str, change: Change = as_it_is, **env: str) -> None:
        self.file = file
        self._stack, self._folder = stack, folder
        names = {FRONT_GRPC: "WAKEQUEUE_GRPC_ADDRESS", FRONT_HTTP: "WAKEQUEUE_HTTP_ADDRESS"}
        self.addresses = {port: f"127.0.0.1:{free_port()}" for port in names}
        self._env = {names[port]: address for port, address in self.addresses.items()}
        site = Site.on(stack, RHYTHM | env)
        self._installation, self.stats = site.installation, site.stats
        self.front = self._installation.hook(**self._env)
        self._installation.worker()
        self.envoy = self.gateway("first", file, change)
        self.hello, self.cart = (Visitor(self.envoy.port, host) for host, _, _ in (HELLO, CART))

    def gateway(self, name: str, file: str, change: Change = as_it_is) -> Envoy:
        """An Envoy before the same front."""
        folder = self._folder / name
        folder.mkdir()
        return self._stack.enter_context(Envoy(folder, file, self.addresses, change))

    def restart_front(self) -> None:
        """A new front where the old one was."""
        self.front = self._installation.hook(**self._env)

    def freeze_front(self) -> None:
        """Have it hang; its ports still take connections."""
        self.front.process.send_signal(signal.SIGSTOP)

    def thaw_front(self) -> None:
        """Have it go on."""
        self.front.process.send_signal(signal.SIGCONT)

    def reported(self, since: Counter[str] | None = None) -> Counter[str]:
        """The requests that the Autoscaler was told of."""
        return self.stats.requests() - (since or Counter())

    def wait_asleep(self, revision: str) -> None:
        """Wait until a Revision was not called for so long that it sleeps again."""
        wait_until(lambda: not (told := self.stats.of(revision)) or time.time() > told[-1].at + IDLE_AFTER + 0.2, what="sleep")

    def wait_reported(self, revision: str, requests: int, since: Counter[str]) -> None:
        """Wait until it was told of exactly so many more of a Revision."""
        try:
            wait_until(lambda: self.reported(since)[revision] >= requests, 10, "the report")
        finally:
            assert self.reported(since)[revision] == requests, (revision, self.reported(since), self.front.process.output)
