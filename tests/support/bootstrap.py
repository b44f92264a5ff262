"""The files of `deploy/envoy/`, read for a test: with other ports, addresses and paths, and nothing else changed unless said."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[2] / "deploy" / "envoy"

#: The ports in the files, and what listens on them; on the last one nothing does, as it should be.
GATEWAY, ADMIN, WAITING_ROOM, APPLICATION, FRONT_GRPC, FRONT_HTTP, NOTHING = 8080, 9901, 8013, 8081, 6100, 8012, 1

#: What a front that hangs costs a request, in all files.
HASTY = {"0.2s", "0.25s"}

#: A change of what was read, in place.
Change = Callable[[object], None]


def read(file: str, ports: Mapping[int, int], folder: Path) -> dict[str, Any]:
    """A file with the port of each port, this machine's address, and the paths of other files in `folder` or where they are.

    Fails where it has a port or a file that isn't known.
    """
    found: dict[str, Any] = yaml.safe_load((DEPLOY / file).read_text())
    for node in nodes(found):
        if "port_value" in node:
            node |= {"address": "127.0.0.1", "port_value": ports[node["port_value"]]}
        elif "path_config_source" in node:
            source = node["path_config_source"]
            assert (DEPLOY / source["path"]).exists(), source
            source["path"] = str(folder / Path(source["path"]).name)
        elif "filename" in node:
            node["filename"] = str(DEPLOY / node["filename"])
            assert Path(node["filename"]).exists(), node
    return found


def used_ports(found: object) -> set[int]:
    """Every port that it names."""
    return {node["port_value"] for node in nodes(found) if "port_value" in node}


def nodes(found: object) -> Iterator[dict[str, Any]]:
    """Every mapping in it, from the outside in."""
    if isinstance(found, dict):
        yield found
    for part in found.values() if isinstance(found, dict) else found if isinstance(found, list) else ():
        yield from nodes(part)


def as_it_is(found: object) -> None:
    """Change nothing."""


def patient(found: object) -> None:
    """Have Envoy wait for a front on a busy machine too: a request goes on without it, and untold, once that takes too long."""
    for node in nodes(found):
        if node.get("timeout") in HASTY:
            node["timeout"] = "5s"


def all_of(*changes: Change) -> Change:
    """Make several changes, one after the other."""

    def change(found: object) -> None:
        for one in changes:
            one(found)

    return change


def without_filter(found: object) -> None:
    """Take our filter out, so that Envoy asks and tells nobody."""
    for node in nodes(found):
        if "http_filters" in node:
            node["http_filters"] = [one for one in node["http_filters"] if one["name"] != "wakequeue"]


def without_policies(found: object) -> None:
    """Give the routes no retry policy, and a timeout of a second."""
    for node in nodes(found):
        if node.pop("retry_policy", None):
            node["timeout"] = "1s"


def for_holding(found: object) -> None:
    """Have Envoy wait for the front's answer as long as a cold start may take, and try again soon after it."""
    for node in nodes(found):
        if node.get("timeout") in HASTY:
            node["timeout"] = "55s"
        if "base_interval" in node:
            node |= {"base_interval": "0.005s", "max_interval": "0.040s"}
