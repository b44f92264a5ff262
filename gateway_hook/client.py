"""The front as a caller on its machine reaches it: everything is in the settings that both share.

With TLS the caller trusts the front's own certificate, and shows the same where clients must show one; a caller that is to be
somebody else, or is elsewhere, brings files of its own. A token is only ever in the settings, for `ps` would show it.
"""

import functools
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import BinaryIO, Final

import click
import grpc

from gateway_hook import admission
from gateway_hook.door import tokens
from gateway_hook.files import read
from gateway_hook.mixer.templates import AUTHORIZATION
from gateway_hook.wire.authorization_pb2 import ActionMsg, HandleAuthorizationRequest, InstanceMsg
from wakequeue.errors import NoFigure
from wakequeue.revision import Revision
from wakequeue.setting_types import Address
from wakequeue.settings import Settings

#: The method by which Mixer asks its adapter.
METHOD: Final = f"/{AUTHORIZATION.service}/{AUTHORIZATION.method}"


def request(revision: Revision) -> bytes:
    """What Mixer asks where a request arrives for a Revision."""
    action = ActionMsg(namespace=revision.namespace.encode(), service=revision.name.encode(), method=b"GET", path=b"/")
    instance = InstanceMsg(name=b"wakequeue.instance.istio-system", action=action)
    return HandleAuthorizationRequest(instance=instance).SerializeToString()


@dataclass(frozen=True, slots=True)
class Own:
    """A caller's own files, in PEM, and the host that the front's certificate names where it isn't that of its address."""

    ca: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = None
    server_name: str | None = None


def with_own(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a caller that has files of its own: `own` of them."""

    @click.option("--ca", type=click.File("rb"), help="Trust the authorities in this file, not the front's certificate alone.")
    @click.option(
        "--identity",
        type=(click.File("rb"), click.File("rb")),
        metavar="CERTIFICATE KEY",
        help="Show the certificate in these files, not the front's own.",
    )
    @click.option("--server-name", help="The host that the front's certificate names, where it isn't that of its address.")
    @functools.wraps(command)
    def taking_own(
        ca: BinaryIO | None, identity: tuple[BinaryIO, BinaryIO] | None, server_name: str | None, **others: object
    ) -> None:
        certificate, key = (file.read() for file in identity) if identity else (None, None)
        command(own=Own(ca.read() if ca else None, certificate, key, server_name), **others)

    return taking_own


@dataclass(frozen=True, slots=True)
class Tls:
    """Whom a caller trusts, and what it shows of itself, in PEM."""

    ca: bytes
    certificate: bytes | None
    key: bytes | None = field(repr=False)

    def credentials(self) -> grpc.ChannelCredentials:
        """The same for gRPC's own client."""
        return grpc.ssl_channel_credentials(self.ca, self.key, self.certificate)

    def context(self) -> ssl.SSLContext:
        """The same for a connection of Python's, of HTTP/2. Raises NoFigure where they can't be used."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        # A certificate that is trusted itself needs no authority, as with gRPC's own client.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.set_alpn_protocols(["h2"])
        try:
            context.load_verify_locations(cadata=self.ca.decode("ascii", "ignore"))
            if self.certificate and self.key:
                _show(context, self.certificate + b"\n" + self.key)
        except (OSError, ValueError) as error:
            msg = f"the certificates for the front can't be used: {error}"
            raise NoFigure(msg) from error
        return context


@dataclass(frozen=True, slots=True)
class Front:
    """Where it is, and what it wants to see; `tls` is None where it doesn't use TLS."""

    address: Address
    tls: Tls | None
    server_name: str | None
    metadata: tuple[tuple[str, str], ...] = field(repr=False)

    @classmethod
    def of(cls, settings: Settings, own: Own) -> "Front":
        """The front of these settings. Raises SettingsError where a file of theirs can't be used."""
        return cls(settings.grpc_address, _tls(settings, own), own.server_name, _metadata(settings))

    def channel(self) -> grpc.aio.Channel:
        """A connection to it, on the running event loop."""
        if self.tls is None:
            return grpc.aio.insecure_channel(self.address)
        options = [("grpc.ssl_target_name_override", self.server_name)] if self.server_name else []
        return grpc.aio.secure_channel(self.address, self.tls.credentials(), options)


def _show(context: ssl.SSLContext, pem: bytes) -> None:
    """By a file that is gone at once, for the ssl module reads a key from nowhere else."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(pem)
        file.flush()
        # A password given in advance: without one, an encrypted key would have it asked for on the terminal.
        context.load_cert_chain(file.name, password="")


def _tls(settings: Settings, own: Own) -> Tls | None:
    certificate, key = own.certificate, own.key
    if not settings.grpc_certificate_file:
        return None if own.ca is None else Tls(own.ca, certificate, key)
    shared = read(settings, "grpc_certificate_file")
    if certificate is None:
        certificate, key = shared, read(settings, "grpc_key_file")
    return Tls(shared if own.ca is None else own.ca, certificate, key)


def _metadata(settings: Settings) -> tuple[tuple[str, str], ...]:
    header = settings.grpc_token_header
    scheme = "Bearer " if header == admission.AUTHORIZATION else ""
    return tuple((header, scheme + token.decode()) for token in tokens(settings).value[:1])
