"""Flower as a visitor sees it."""

import json
import urllib.error
import urllib.request

from support.installation import Installation, Running
from support.processes import BIN, Process, free_port
from support.waiting import wait_until


def page(url: str) -> str:
    """A page's text, empty where nothing answers, or with an error."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def page_whatever(url: str) -> str:
    """A page's text, or an error's."""
    try:
        return page(url) or str(urllib.request.urlopen(url, timeout=30).read().decode(errors="replace"))
    except urllib.error.HTTPError as error:
        return str(error.read().decode(errors="replace"))
    except OSError as error:
        return str(error)


def shown_by_flower(started: Installation, worker: Running) -> tuple[Process, str]:
    """Flower and its URL, once it has shown the worker, what that tells of itself, and the queue."""
    address = f"127.0.0.1:{free_port()}"
    env = {"WAKEQUEUE_FLOWER_ADDRESS": address, "FLOWER_UNAUTHENTICATED_API": "true"}
    flower = started.start([str(BIN / "wakequeue"), "flower"], **env)
    url = f"http://{address}"
    wait_until(lambda: f"worker-{worker.process.pid}@" in page(f"{url}/workers"), 20, "Flower to show the worker")
    (told,) = json.loads(wait_until(lambda: page(f"{url}/api/workers?refresh=1"), 20, "the worker's answers")).values()
    assert told["stats"]["broker"]["transport"] in {"redis", "sentinel"}
    assert told["active_queues"][0]["name"] == "wakequeue"
    assert '"messages": 0' in page(f"{url}/api/queues/length"), flower.output
    assert "<td>wakequeue</td>" in "".join(page(f"{url}/broker").split())
    assert "Unable to get queues" not in flower.output
    return flower, url
