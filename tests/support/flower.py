"""Flower as a visitor sees it."""

import base64
import json
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from flower.urls import handlers

from support.installation import Installation, Running
from support.processes import BIN, Process, free_port
from support.waiting import wait_until

PASSWORD = "let-me-look"


def asked(url: str, password: str = PASSWORD) -> urllib.request.Request:
    """A request of one who knows the password."""
    shown = base64.b64encode(f"wakequeue:{password}".encode()).decode()
    return urllib.request.Request(url, headers={"Authorization": f"Basic {shown}"})


def page(url: str, password: str = PASSWORD) -> str:
    """A page's text, empty where nothing answers, or with an error."""
    try:
        with urllib.request.urlopen(asked(url, password), timeout=10) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def page_whatever(url: str, password: str = PASSWORD) -> str:
    """A page's text, or an error's."""
    try:
        answer = page(url, password)
        return answer or str(urllib.request.urlopen(asked(url, password), timeout=30).read().decode(errors="replace"))
    except urllib.error.HTTPError as error:
        return str(error.read().decode(errors="replace"))
    except OSError as error:
        return str(error)


def paths(*names: str) -> Iterator[str]:
    """Every path that Flower serves, of each of these workers and tasks."""
    for handler in handlers:
        path = handler[0] if isinstance(handler, tuple) else handler.regex.pattern
        for one in names if "(" in path else ("",):
            yield re.sub(r"\(.*\)", one, path).rstrip("$").replace("/?", "").replace(".*", "/nowhere")


def shown_by_flower(started: Installation, worker: Running, password: str = PASSWORD) -> tuple[Process, str]:
    """Flower and its URL, once it has shown the worker, what that tells of itself, and the queue."""
    address = f"127.0.0.1:{free_port()}"
    env = {"WAKEQUEUE_FLOWER_ADDRESS": address, "WAKEQUEUE_FLOWER_PASSWORD": password}
    flower = started.start([str(BIN / "wakequeue"), "flower"], **env)
    url = f"http://{address}"
    wait_until(lambda: f"worker-{worker.process.pid}@" in page(f"{url}/workers", password), 20, "Flower to show the worker")

    def answers() -> dict[str, Any] | None:
        """What the worker tells of itself; a busy one may answer too late, and then it is left out."""
        workers = json.loads(page(f"{url}/api/workers?refresh=1", password) or "{}").values()
        assert len(workers) <= 1
        return next((one for one in workers if {"stats", "active_queues"} <= one.keys()), None)

    told = wait_until(answers, 20, "the worker's answers")
    assert told["stats"]["broker"]["transport"] in {"redis", "sentinel"}
    assert told["active_queues"][0]["name"] == "wakequeue"
    wait_until(lambda: '"messages": 0' in page(f"{url}/api/queues/length", password), 20, "an empty queue")
    assert "<td>wakequeue</td>" in "".join(page(f"{url}/broker", password).split())
    assert "Unable to get queues" not in flower.output
    return flower, url
