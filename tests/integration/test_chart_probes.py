"""What the chart's probes ask, asked of real processes as the kubelet asks it."""

import urllib.error
import urllib.request

from support.chart import needs_helm, pod
from support.installation import Installation, Running
from support.redis_server import RedisServer
from support.waiting import wait_until

pytestmark = needs_helm

#: So that there is a beat.
SCHEDULED = ("--set", "settings.schedules.a.every=1h,settings.schedules.a.wakes=shop/cart")

READY = {"startupProbe": 200, "readinessProbe": 200, "livenessProbe": 200}


def probed(component: str, running: Running) -> dict[str, int]:
    """What each probe of a component is answered: a status, or 0 where nothing answers."""
    addresses = {"admin": running.admin, "http": running.http_address}
    asked = {name: probe["httpGet"] for name, probe in pod(component, *SCHEDULED).container.items() if name.endswith("Probe")}
    return {name: _status(f"http://{addresses[get['port']]}{get['path']}") for name, get in asked.items()}


def _status(url: str) -> int:
    request = urllib.request.Request(url, headers={"User-Agent": "kube-probe/1.35"})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


def test_processes_are_found_ready(installation: Installation) -> None:
    """Front, worker and beat pass all their probes once they are ready."""
    for component, running in (("hook", installation.hook()), ("worker", installation.worker()), ("beat", installation.beat())):
        assert probed(component, running) == READY


def test_a_front_keeps_its_callers_while_redis_is_away(installation: Installation, redis_server: RedisServer) -> None:
    """A front that has been ready stays so without Redis, for it holds the calls; another one doesn't become so."""
    front = installation.hook()
    redis_server.kill()
    wait_until(lambda: probed("hook", front)["startupProbe"] == 503, what="the front to miss Redis")
    assert probed("hook", front) == READY | {"startupProbe": 503}
