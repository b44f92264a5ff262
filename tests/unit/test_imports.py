"""A process imports what it needs: each module more is time until it is ready, and memory for as long as it runs."""

import subprocess
import sys

import pytest

#: What people are shown something with, and all that Celery's command line brings.
SHOWS = ("rich", "pygments", "prompt_toolkit", "flower", "tornado", "celery.bin")

#: What asks Kubernetes.
KUBERNETES = ("lightkube", "httpx2", "wakequeue.cluster.api")

#: By what a process imports as it starts, what it doesn't.
SPARED = {
    "gateway_hook.server": (*SHOWS, *KUBERNETES, "workers", "celery.worker", "celery.concurrency", "websockets"),
    "workers.command, workers.app": (*SHOWS, *KUBERNETES, "gateway_hook", "grpc", "hypercorn", "h2"),
    "workers.beating": (*SHOWS, *KUBERNETES, "gateway_hook", "grpc", "hypercorn", "h2", "celery.worker", "websockets"),
    "wakequeue.alive": (*SHOWS, *KUBERNETES, "asyncio", "celery", "grpc", "redis", "prometheus_client", "websockets", "zipfile"),
}


def printed(code: str) -> str:
    """What a fresh process prints that runs this."""
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60)
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize(("imports", "spared"), SPARED.items(), ids=SPARED)
def test_nobody_imports_what_others_need(imports: str, spared: tuple[str, ...]) -> None:
    """A front has no Celery worker, a worker no gRPC, neither has Flower, and the health check next to nothing."""
    assert printed(f"import sys, wakequeue.cli, {imports}; print(sorted(set({spared}) & set(sys.modules)))") == "[]\n"


def test_the_first_doorbell_finds_everything_made() -> None:
    """What Celery publishes with is imported before a front is ready: the first wake-up doesn't wait for it."""
    code = (
        "import sys; from kombu.exceptions import OperationalError; from wakequeue import broker;"
        "from wakequeue.reach import Reach; from wakequeue.revision import Revision; from wakequeue.setting_sources import load\n"
        "app = broker.make_app(Reach(load({'WAKEQUEUE_REDIS_URL': 'redis://127.0.0.1:1'})))\n"
        "broker.prepare(app)\n"
        "before = set(sys.modules)\n"
        "try: broker.ring(app, [Revision('shop', 'cart')])\n"
        "except OperationalError: print(sorted(name for name in set(sys.modules) - before if name.startswith(('celery', 'kombu'))))"
    )
    assert printed(code) == "[]\n"
