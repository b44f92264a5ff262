"""`wakequeue mixer manifests`: what an operator of Istio 1.1 to 1.7 applies."""

import click

from gateway_hook.mixer.manifests import manifests
from gateway_hook.mixer.templates import AUTHORIZATION, TEMPLATES
from wakequeue.revision import LABEL
from wakequeue.setting_types import Address


@click.group()
def mixer() -> None:
    """Have Istio's Mixer call the front."""


@mixer.command("manifests")
@click.option(
    "--template",
    "templates",
    type=click.Choice(list(TEMPLATES)),
    multiple=True,
    default=[AUTHORIZATION.name],
    show_default=True,
    help="What Mixer tells: one template, or several.",
)
@click.option(
    "--address",
    default="wakequeue-hook.wakequeue.svc.cluster.local:6100",
    show_default=True,
    metavar="HOST:PORT",
    help="Where Mixer reaches the front.",
)
@click.option("--namespace", default="istio-system", show_default=True, help="Where Mixer looks for its configuration.")
def print_manifests(templates: tuple[str, ...], address: str, namespace: str) -> None:
    """Print an adapter and its templates, and a handler, an instance and a rule, as YAML."""
    try:
        Address.parse(address)
    except ValueError as error:
        msg = f"allowed is {Address.allowed}"
        raise click.BadParameter(msg, param_hint="--address") from error
    if not LABEL.fullmatch(namespace):
        msg = "allowed is the name of a namespace, such as istio-system"
        raise click.BadParameter(msg, param_hint="--namespace")
    click.echo(manifests(list(dict.fromkeys(templates)), address, namespace), nl=False)
