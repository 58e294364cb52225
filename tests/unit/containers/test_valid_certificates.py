"""What the Puppet server's container tells of its authority, which the real OpenSSL plays here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from components import paths

SCRIPT = paths.DOCKERVOLUMES / "puppet/bin/valid-certificates"
SERIALS = {"a.lab": "01", "b.lab": "1A", "c.lab": "A1", "long.lab": "7F" + "0102030405060708" * 2, "d.lab": "10"}
CONFIGURATION = """
[ca]
default_ca = own
[own]
database = index.txt
serial = serial
new_certs_dir = .
certificate = ca.pem
private_key = ca.key
default_md = sha256
default_days = 60
default_crl_days = 30
policy = any
[any]
commonName = supplied
"""

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """Return an authority that has signed a certificate for each name."""
    (tmp_path / "ca.cnf").write_text(CONFIGURATION)
    (tmp_path / "index.txt").touch()
    (tmp_path / "signed").mkdir()
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key")
    openssl(tmp_path, "req", "-x509", *key, "-subj", "/CN=CA", "-out", "ca.pem")
    for name, serial in SERIALS.items():
        (tmp_path / "serial").write_text(serial)
        openssl(tmp_path, "req", "-new", "-key", "ca.key", "-subj", f"/CN={name}", "-out", "request.pem")
        signed = f"signed/{name}.pem"
        openssl(tmp_path, "ca", "-batch", "-config", "ca.cnf", "-in", "request.pem", "-out", signed, "-notext")
    return tmp_path


def openssl(directory: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def valid(directory: Path, *revoked: str) -> set[str]:
    for name in revoked:
        openssl(directory, "ca", "-config", "ca.cnf", "-revoke", f"signed/{name}.pem")
    openssl(directory, "ca", "-config", "ca.cnf", "-gencrl", "-out", "ca_crl.pem")
    done = subprocess.run([SCRIPT, directory], capture_output=True, text=True, check=True)
    listed = done.stdout.split()
    assert len(listed) == len(set(listed))
    return set(listed)


def test_all_that_were_signed_are_valid(authority: Path) -> None:
    assert valid(authority) == SERIALS.keys()


@pytest.mark.parametrize("revoked", SERIALS)
def test_what_was_revoked_is_not_valid_and_nothing_else_is_taken_for_it(authority: Path, revoked: str) -> None:
    assert valid(authority, revoked) == SERIALS.keys() - {revoked}


def test_what_was_removed_is_not_valid(authority: Path) -> None:
    (authority / "signed/b.lab.pem").unlink()
    assert valid(authority, "a.lab", "long.lab") == {"c.lab", "d.lab"}


def test_an_authority_that_has_signed_nothing_is_fine(authority: Path) -> None:
    for path in (authority / "signed").iterdir():
        path.unlink()
    assert valid(authority) == set()


@pytest.mark.parametrize(("days", "good"), [(29, False), (32, True)])
def test_what_ends_soon_is_not_valid(authority: Path, days: int, good: bool) -> None:
    (authority / "serial").write_text("B1")
    openssl(authority, "req", "-new", "-key", "ca.key", "-subj", "/CN=e.lab", "-out", "request.pem")
    given = ("-batch", "-config", "ca.cnf", "-days", str(days), "-in", "request.pem", "-notext")
    openssl(authority, "ca", *given, "-out", "signed/e.lab.pem")
    assert valid(authority) == SERIALS.keys() | ({"e.lab"} if good else set())
