"""`wakequeue alive`: whether what runs here is well, as the health check of a container that runs any one role asks."""

import sys
from http.client import HTTPConnection, HTTPException
from typing import Final

import click

from wakequeue.setting_sources import load
from wakequeue.setting_types import Address
from wakequeue.standin import ADDRESS as STANDIN

OK: Final = 200

#: For how long an answer is waited for.
SECONDS: Final = 3.0


@click.command()
def alive() -> None:
    """Ask what listens at the addresses of the settings whether it is well.

    Exit code 1 where something says that it isn't, or nothing listens.
    """
    settings = load()
    asked = ((settings.admin_address, "/livez"), (settings.flower_address, "/healthcheck"), (Address(STANDIN), "/livez"))
    answers = {f"http://{address}{path}": answer for address, path in asked if (answer := _answer(address, path))}
    for url, answer in answers.items():
        click.echo(f"{url}: {answer}")
    if not answers:
        click.echo(f"nothing listens at {', '.join(str(address) for address, _ in asked)}")
    sys.exit(not answers or any(answer != str(OK) for answer in answers.values()))


def _answer(address: Address, path: str) -> str:
    """The status of an answer, or why there was none; empty where nothing listens."""
    connection = HTTPConnection(address.host, address.port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        return str(connection.getresponse().status)
    except ConnectionRefusedError:
        return ""
    except (OSError, HTTPException) as error:
        return str(error) or type(error).__name__
    finally:
        connection.close()
