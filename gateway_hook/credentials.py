"""The front's TLS: its certificate, its key and the authorities of its clients, from PEM files.

They are looked at again for each new connection, and read again when they have changed; connections that are there go on as
they began. Whatever can't be used is never given to gRPC, which would tell it from a port in use at the start, and not at all
later.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import grpc

from gateway_hook.files import Renewed, read, unusable
from wakequeue.settings import Settings


@dataclass(frozen=True, slots=True)
class Pem:
    """What the files hold; without `client_ca` clients show no certificate."""

    certificate: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None


def server_credentials(settings: Settings) -> grpc.ServerCredentials | None:
    """What the front listens with; None where it doesn't use TLS. Raises SettingsError where a file can't be used."""
    if not settings.grpc_certificate_file:
        return None
    paths = [settings.grpc_certificate_file, settings.grpc_key_file, settings.grpc_client_ca_file]
    pem = Renewed([path for path in paths if path], lambda: read_pem(settings))

    def renewed() -> grpc.ServerCertificateConfiguration | None:
        return _configuration(pem.value) if pem.renew() else None

    # Its types lack the None that means no change.
    fetch = cast("Callable[[], grpc.ServerCertificateConfiguration]", renewed)
    return grpc.dynamic_ssl_server_credentials(_configuration(pem.value), fetch, bool(settings.grpc_client_ca_file))


def read_pem(settings: Settings) -> Pem:
    """Read the files, and check that they belong together. Raises SettingsError where they don't."""
    pem = _read(settings)
    _check_certificates(settings, "grpc_certificate_file", pem.certificate)
    if pem.client_ca is not None:
        _check_certificates(settings, "grpc_client_ca_file", pem.client_ca)
    _check_key(settings)
    if _read(settings) != pem:
        raise unusable(settings, "grpc_certificate_file", "is being replaced")
    return pem


def _configuration(pem: Pem) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pem.key, pem.certificate)], pem.client_ca)


def _read(settings: Settings) -> Pem:
    client_ca = read(settings, "grpc_client_ca_file") if settings.grpc_client_ca_file else None
    return Pem(read(settings, "grpc_certificate_file"), read(settings, "grpc_key_file"), client_ca)


def _check_certificates(settings: Settings, name: str, pem: bytes) -> None:
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=pem.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError) as error:
        raise unusable(settings, name, "holds none") from error


def _check_key(settings: Settings) -> None:
    """The key by its file, for the ssl module reads one from nowhere else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # A password given in advance: without one, an encrypted key would have it asked for on the terminal.
        context.load_cert_chain(settings.grpc_certificate_file, settings.grpc_key_file, password="")
    except (OSError, ValueError) as error:
        mismatch = getattr(error, "reason", "") == "KEY_VALUES_MISMATCH"
        raise unusable(settings, "grpc_key_file", "holds the key of another one" if mismatch else "holds no such key") from error
