"""Certificates of a test's own: an authority, and what it signs, as PEM files."""

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

HERE: Final = ("localhost", "127.0.0.1")


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates; its own is in `certificate`. Files are written to `folder`."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signed = self._builder(self._name, self._key.public_key()).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.certificate = self._write(f"{name}.pem", signed.sign(self._key, SHA256()).public_bytes(Encoding.PEM))

    def issue(self, name: str, *, hosts: tuple[str, ...] = HERE, uris: tuple[str, ...] = (), days: float = 1) -> Pair:
        """A certificate for these hosts and these URIs, such as a SPIFFE id; again under the same name, another one.

        It is valid from yesterday, for so many days from now on.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        names = [
            *(x509.IPAddress(ipaddress.ip_address(one)) if one[-1].isdigit() else x509.DNSName(one) for one in hosts),
            *map(x509.UniformResourceIdentifier, uris),
        ]
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signed = self._builder(subject, key.public_key(), days).add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = signed.sign(self._key, SHA256()).public_bytes(Encoding.PEM)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Pair(self._write(f"{name}.pem", certificate), self._write(f"{name}.key", private))

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, days: float = 1) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        day = dt.timedelta(days=1)
        builder = x509.CertificateBuilder(self._name, subject, key, x509.random_serial_number(), now - day, now + days * day)
        own = x509.SubjectKeyIdentifier.from_public_key(key)
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        return builder.add_extension(own, critical=False).add_extension(signer, critical=False)

    def _write(self, name: str, content: bytes) -> Path:
        """Replace the file at once, as Kubernetes does: no reader sees half of it."""
        path = self._folder / name
        fresh = path.with_suffix(".new")
        fresh.write_bytes(content)
        fresh.replace(path)
        return path
