"""The kinds of setting that name a file, and what a connection reads from such files.

Each file is looked at when the settings are loaded, so that a wrong one is refused before anything starts, and read again for each
connection, so that another certificate or password needs no restart.
"""

import ssl
from pathlib import Path
from typing import Self


class _File(str):
    """A file by its path; empty for none."""

    __slots__ = ()
    allowed = "a file that can be read"

    @classmethod
    def parse(cls, text: object) -> Self:
        """Look into the file. Raises OSError where it can't be read, ValueError where it holds something else."""
        if not isinstance(text, str):
            raise ValueError(text)  # noqa: TRY004  every parse raises ValueError, which becomes the SettingsError
        if text:
            cls.look(text)
        return cls(text)

    @classmethod
    def look(cls, path: str) -> None:
        """Raise what `parse` raises."""
        Path(path).read_bytes()


class CertificatesFile(_File):
    """One certificate or several, in PEM."""

    __slots__ = ()
    allowed = "a file of certificates in PEM"

    @classmethod
    def look(cls, path: str) -> None:
        """Raise ValueError where no certificate can be read from the file."""
        super().look(path)
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
        except ssl.SSLError as error:
            raise ValueError(path) from error


class KeyFile(_File):
    """The private key of a certificate, in PEM and not encrypted; see `belongs`."""

    __slots__ = ()
    allowed = "a file of a private key in PEM"

    @classmethod
    def look(cls, path: str) -> None:
        """Raise ValueError where the file has no private key."""
        if b"PRIVATE KEY-----" not in Path(path).read_bytes():
            raise ValueError(path)


class SecretFile(_File):
    """A password or a token: one line of text."""

    __slots__ = ()
    allowed = "a file of one line, the secret"

    @classmethod
    def look(cls, path: str) -> None:
        """Raise ValueError where the file is no line of text."""
        read_secret(path)


def read_secret(path: str) -> str:
    """The one line of a file. Raises OSError where it can't be read, ValueError, without the text, where it is something else."""
    try:
        secret = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        secret = ""
    if not secret.isprintable() or not secret:
        msg = f"{path} is not one line of text"
        raise ValueError(msg)
    return secret


def belongs(certificate: str, key: str) -> bool:
    """Whether a key is that of the file's first certificate, and can be read without a passphrase."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
    except ssl.SSLError:
        return False
    return True
