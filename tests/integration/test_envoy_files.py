"""The files of `deploy/envoy`, untouched: Envoy takes each, and each does what has our outage never be the user's."""

import subprocess

import pytest
import yaml
from support.bootstrap import DEPLOY, nodes
from support.envoy import BINARY, needs_envoy

FILES = sorted(path.name for path in DEPLOY.glob("*.yaml"))


@needs_envoy
@pytest.mark.parametrize("file", FILES)
def test_envoy_takes_it(file: str) -> None:
    """Envoy finds no fault with the file where it lies, nor with what it names, and warns of nothing that is deprecated."""
    done = subprocess.run(
        [BINARY, "--mode", "validate", "-c", file], cwd=DEPLOY, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "eprecated" not in done.stderr


@pytest.mark.parametrize("file", FILES)
def test_every_route_waits(file: str) -> None:
    """Every route to an application has the policy that holds a client through a cold start, and no timeout that would end it."""
    found = nodes(yaml.safe_load((DEPLOY / file).read_text()))
    routes = [node["route"] for node in found if "cluster" in node.get("route", ())]
    applications = [route for route in routes if route["cluster"] != "wakequeue"]
    assert len(applications) == 2
    for route in applications:
        policy = route["retry_policy"]
        assert policy["retry_on"] == "connect-failure,refused-stream,retriable-headers"
        assert policy["retriable_headers"] == [{"name": "x-wakequeue", "string_match": {"exact": "cold"}}]
        assert route["timeout"] == "0s"


def test_ext_authz_fails_open() -> None:
    """A front that doesn't answer forbids nothing."""
    (filter_,) = [
        node["typed_config"]
        for node in nodes(yaml.safe_load((DEPLOY / "ext-authz.yaml").read_text()))
        if node.get("name") == "wakequeue" and "typed_config" in node
    ]
    assert filter_["failure_mode_allow"] is True
