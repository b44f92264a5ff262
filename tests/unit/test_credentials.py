"""The front's certificate, key and clients' authorities: what is wrong with them is said before gRPC sees them."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from support.certificates import Authority, Pair

from gateway_hook.credentials import Pem, read_pem, server_credentials
from wakequeue.errors import SettingsError
from wakequeue.setting_sources import load
from wakequeue.settings import Settings


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority of this test's own."""
    return Authority(tmp_path)


@pytest.fixture
def front(authority: Authority) -> Pair:
    """The front's certificate and key."""
    return authority.issue("front")


def settings_for(certificate: Path, key: Path, client_ca: Path | None = None) -> Settings:
    """Return settings with these files."""
    files = {"CERTIFICATE": certificate, "KEY": key} | ({"CLIENT_CA": client_ca} if client_ca else {})
    return load({f"WAKEQUEUE_GRPC_{name}_FILE": str(path) for name, path in files.items()})


def refusal(certificate: Path, key: Path, client_ca: Path | None = None) -> str:
    """Return the one line with which files are refused, which shows nothing of their content."""
    with pytest.raises(SettingsError) as caught:
        server_credentials(settings_for(certificate, key, client_ca))
    line = str(caught.value)
    assert len(line.splitlines()) == 1
    assert "BEGIN" not in line
    return line


def written(folder: Path, content: bytes) -> Path:
    """Write a file."""
    path = folder / "written"
    path.write_bytes(content)
    return path


def test_without_files_there_is_no_tls() -> None:
    """Plain gRPC is what is asked for then."""
    assert server_credentials(load({})) is None


def test_what_belongs_together_is_read(authority: Authority, front: Pair, tmp_path: Path) -> None:
    """A certificate and its key; with those that lead to its authority; both in one file, among other text."""
    certificate, key, ca = front.certificate.read_bytes(), front.key.read_bytes(), authority.certificate.read_bytes()
    assert read_pem(settings_for(front.certificate, front.key)) == Pem(certificate, key, None)
    assert read_pem(settings_for(front.certificate, front.key, authority.certificate)) == Pem(certificate, key, ca)
    chain = written(tmp_path, certificate + ca)
    assert read_pem(settings_for(chain, front.key)).certificate == certificate + ca
    both = written(tmp_path, "# gr\u00f6\u00dfe\r\n".encode() + key + certificate)
    assert read_pem(settings_for(both, both)).key == both.read_bytes()
    assert server_credentials(settings_for(front.certificate, front.key)) is not None


@pytest.mark.parametrize("content", ["", "half", "key", "hello", "\x00\xff"])
def test_a_file_without_a_certificate_is_refused(authority: Authority, front: Pair, tmp_path: Path, content: str) -> None:
    """Empty, cut short, or something else: the line names the setting, the file, and what is allowed."""
    pems = {"half": front.certificate.read_bytes()[:200], "key": front.key.read_bytes()}
    bad = written(tmp_path, pems.get(content, content.encode("latin-1")))
    line = refusal(bad, front.key)
    assert line.startswith(f"WAKEQUEUE_GRPC_CERTIFICATE_FILE = '{bad}': holds none; allowed is a readable file with the front's")
    line = refusal(front.certificate, front.key, bad)
    assert line.startswith(f"WAKEQUEUE_GRPC_CLIENT_CA_FILE = '{bad}': holds none; allowed is a readable file with the certificates")
    assert server_credentials(settings_for(front.certificate, front.key, authority.certificate)) is not None


def test_a_chain_that_is_cut_short_is_refused(authority: Authority, front: Pair, tmp_path: Path) -> None:
    """A half-written file can begin well."""
    chain = front.certificate.read_bytes() + authority.certificate.read_bytes()
    assert ": holds none; " in refusal(written(tmp_path, chain[:-100]), front.key)


@pytest.mark.parametrize("content", ["", "half", "certificate", "encrypted"])
def test_a_file_without_a_key_is_refused(front: Pair, tmp_path: Path, content: str) -> None:
    """An encrypted key too: nobody is there to type its password, and nobody is asked."""
    encrypted = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
    )
    pems = {"half": front.key.read_bytes()[:100], "certificate": front.certificate.read_bytes(), "encrypted": encrypted}
    bad = written(tmp_path, pems.get(content, b""))
    line = refusal(front.certificate, bad)
    assert line.startswith(f"WAKEQUEUE_GRPC_KEY_FILE = '{bad}': holds no such key; allowed is a readable file with the key of that")


def test_another_key_is_refused(authority: Authority, front: Pair, tmp_path: Path) -> None:
    """The key must be that of the certificate, and the first certificate be the front's own."""
    other = authority.issue("other")
    assert ": holds the key of another one; " in refusal(front.certificate, other.key)
    reversed_chain = written(tmp_path, authority.certificate.read_bytes() + front.certificate.read_bytes())
    assert ": holds the key of another one; " in refusal(reversed_chain, front.key)


def test_a_missing_file_is_refused(front: Pair, tmp_path: Path) -> None:
    """Each by its own name."""
    missing = tmp_path / "missing"
    assert refusal(missing, front.key).startswith(f"WAKEQUEUE_GRPC_CERTIFICATE_FILE = '{missing}': No such file")
    assert refusal(front.certificate, missing).startswith(f"WAKEQUEUE_GRPC_KEY_FILE = '{missing}': No such file")
    assert refusal(front.certificate, front.key, missing).startswith(f"WAKEQUEUE_GRPC_CLIENT_CA_FILE = '{missing}': No such file")


def test_a_file_that_is_replaced_between_two_looks_is_refused(
    authority: Authority, front: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was checked by its path is what was read from it, or is not used."""
    settings = settings_for(front.certificate, front.key)
    monkeypatch.setattr("gateway_hook.credentials._check_key", lambda _: authority.issue("front"))
    with pytest.raises(SettingsError, match=": is being replaced; "):
        read_pem(settings)


def test_a_key_is_never_shown(front: Pair) -> None:
    """Not by what holds it."""
    pem = read_pem(settings_for(front.certificate, front.key))
    assert front.key.read_text().splitlines()[1] not in repr(pem)
