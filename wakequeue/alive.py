"""`wakequeue alive`: whether what runs here is well, as the health check of a container that runs any one role asks."""

import sys
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException
from typing import Final

import click

from wakequeue.arguments import STANDIN
from wakequeue.setting_sources import load
from wakequeue.setting_types import Address

OK: Final = 200

#: As the kubelet's own, which wakes nothing should a front listen there.
PROBE: Final = {"User-Agent": "kube-probe/wakequeue"}

#: For how long an answer is waited for.
SECONDS: Final = 3.0


@click.command()
def alive() -> None:
    """Ask what listens at the addresses of the settings whether it is well; where nothing does, the stand-in Autoscaler at its own.

    Exit code 1 where something says that it isn't, or nothing listens.
    """
    settings = load()
    ours, standin = ((settings.admin_address, "/livez"), (settings.flower_address, "/healthcheck")), ((Address(STANDIN), "/livez"),)
    answers = _answers(ours) or _answers(standin)
    for url, answer in answers.items():
        click.echo(f"{url}: {answer}")
    if not answers:
        click.echo(f"nothing listens at {', '.join(str(address) for address, _ in ours + standin)}")
    sys.exit(not answers or any(answer != str(OK) for answer in answers.values()))


def _answers(asked: Iterable[tuple[Address, str]]) -> dict[str, str]:
    """What each says that listens."""
    return {f"http://{address}{path}": answer for address, path in asked if (answer := _answer(address, path))}


def _answer(address: Address, path: str) -> str:
    """The status of an answer, or why there was none; empty where nothing listens."""
    connection = HTTPConnection(address.host, address.port, timeout=SECONDS)
    try:
        connection.request("GET", path, headers=PROBE)
        return str(connection.getresponse().status)
    except ConnectionRefusedError:
        return ""
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
