"""When a container asks for a certificate: its own files are real ones, the authority is played."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hostside import certificate, certificate_authority, containers

FQDN, SERVER = "web1.lab", "puppet1.lab"


class Authority:
    """An authority in the server's container, and what is asked of it."""

    def __init__(self, ssl: Path) -> None:
        self.own = "first authority\n"
        self.answers = True
        self.asked: list[str] = []
        self._ssl = ssl

    def execute(self, container: str, arguments: list[str], **_options: object) -> str:
        """Run a command in a container: Puppet and the wait are played, the rest runs on the files."""
        if container == "puppet1":
            assert arguments[0] == "cat"
            return self.own
        script = " ".join(arguments)
        if arguments[0] == certificate.REQUEST:
            self.asked.append("issued")
            trusted = self._ssl / "certs/ca.pem"
            # Puppet's agent takes the authority's certificate once, and asks nobody else from then on.
            assert not trusted.exists() or trusted.read_text() == self.own, "certificate verify failed"
            trusted.write_text(self.own)
            (self._ssl / f"certs/{FQDN}.pem").write_text(f"signed by the {self.own}")
            (self._ssl / f"private_keys/{FQDN}.pem").write_text("key")
            (self._ssl / "crl.pem").write_text(f"of the {self.own}")
        elif "nc -z" not in script:
            return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
        return ""

    def clean(self, _server: str, name: str) -> None:
        self.asked.append(f"cleaned {name}")


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Authority:
    for name in ("certs", "private_keys"):
        (tmp_path / name).mkdir()
    played = Authority(tmp_path)
    monkeypatch.setattr(certificate, "SSL", str(tmp_path))
    monkeypatch.setattr(containers, "execute", played.execute)
    monkeypatch.setattr(certificate_authority, "execute", played.execute)
    monkeypatch.setattr(certificate_authority, "answers", lambda _server: played.answers)
    monkeypatch.setattr(certificate_authority, "clean", played.clean)
    return played


def _issue() -> str:
    return certificate.issue("web1", fqdn=FQDN, server=SERVER, role="web", secret="secret")


def test_a_certificate_is_asked_for_once(authority: Authority) -> None:
    assert (_issue(), _issue()) == ("issued", "present")
    assert authority.asked == ["issued"]


def test_a_new_authority_has_everybody_ask_for_a_new_certificate(authority: Authority, tmp_path: Path) -> None:
    _issue()
    authority.own = "second authority\n"
    assert (_issue(), _issue()) == ("issued", "present")
    assert (tmp_path / "certs/ca.pem").read_text() == "second authority\n"
    assert (tmp_path / f"certs/{FQDN}.pem").read_text() == "signed by the second authority\n"
    assert (tmp_path / "crl.pem").read_text() == "of the second authority\n"


def test_a_certificate_that_is_dropped_goes_with_an_authority_that_is_gone(authority: Authority) -> None:
    _issue()
    authority.own = "second authority\n"
    certificate.drop("web1", fqdn=FQDN, server=SERVER)
    assert _issue() == "issued"
    assert authority.asked == ["issued", f"cleaned {FQDN}", "issued"]


def test_the_same_authority_is_trusted_when_a_certificate_is_dropped(authority: Authority, tmp_path: Path) -> None:
    _issue()
    certificate.drop("web1", fqdn=FQDN, server=SERVER)
    assert (tmp_path / "certs/ca.pem").exists()
    assert not (tmp_path / f"certs/{FQDN}.pem").exists()


def test_where_the_server_can_not_be_asked_the_certificate_stays(authority: Authority) -> None:
    _issue()
    authority.answers = False
    assert _issue() == "present"
