"""The front as a caller on its machine reaches it: everything is in the settings that both share.

With TLS the caller trusts the front's own certificate, and shows the same where clients must show one; a caller that is to be
somebody else, or is elsewhere, brings files of its own. A token is only ever in the settings, for `ps` would show it.
"""

from dataclasses import dataclass

import grpc

from gateway_hook.admission import AUTHORIZATION
from gateway_hook.door import tokens
from gateway_hook.files import read
from wakequeue.settings import Settings


@dataclass(frozen=True, slots=True)
class Own:
    """A caller's own files, in PEM, and the host that the front's certificate names where it isn't that of its address."""

    ca: bytes | None = None
    certificate: bytes | None = None
    key: bytes | None = None
    server_name: str | None = None


@dataclass(frozen=True, slots=True)
class Front:
    """Where it is, and what it wants to see; `credentials` are None where it doesn't use TLS."""

    address: str
    credentials: grpc.ChannelCredentials | None
    server_name: str | None
    metadata: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, settings: Settings, own: Own) -> "Front":
        """The front of these settings. Raises SettingsError where a file of theirs can't be used."""
        return cls(settings.grpc_address, _credentials(settings, own), own.server_name, _metadata(settings))

    def channel(self) -> grpc.aio.Channel:
        """A connection to it, on the running event loop."""
        if self.credentials is None:
            return grpc.aio.insecure_channel(self.address)
        options = [("grpc.ssl_target_name_override", self.server_name)] if self.server_name else []
        return grpc.aio.secure_channel(self.address, self.credentials, options)


def _credentials(settings: Settings, own: Own) -> grpc.ChannelCredentials | None:
    certificate, key = own.certificate, own.key
    if not settings.grpc_certificate_file:
        return None if own.ca is None else grpc.ssl_channel_credentials(own.ca, key, certificate)
    shared = read(settings, "grpc_certificate_file")
    if certificate is None:
        certificate, key = shared, read(settings, "grpc_key_file")
    return grpc.ssl_channel_credentials(shared if own.ca is None else own.ca, key, certificate)


def _metadata(settings: Settings) -> tuple[tuple[str, str], ...]:
    header = settings.grpc_token_header
    scheme = "Bearer " if header == AUTHORIZATION else ""
    return tuple((header, scheme + token.decode()) for token in tokens(settings).value[:1])
