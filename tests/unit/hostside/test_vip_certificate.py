"""The VIP's certificate in haproxy's container: the real OpenSSL signs, the way to the authority is played."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from components import paths
from hostside import authority, certificate, certificate_authority, containers, docker_api, vip_certificate
from hostside.errors import StepError
from hostside.grant import Grant
from hostside.inspection import Inspection
from hostside.operations.authority_publish import AuthorityPublish
from hostside.process import CommandFailed

SCRIPT = paths.DOCKERVOLUMES / "haproxy/bin/vip-certificate"
NAME, SERVER = "vip.haproxy1.lab", "puppet1.lab"
NAMES = ("DNS:vip.lab", "IP:10.87.0.250")


def openssl(*arguments: str | Path) -> str:
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True).stdout


class Container:
    """haproxy's container, with its files below a directory and the real program that keeps the certificate."""

    def __init__(self, root: Path) -> None:
        self.root, self.days = root, 365
        self.ssl, self.served = root / "ssl", root / "haproxy/vip.pem"
        self.asked: list[str] = []
        self.reloads = root / "reloads"
        self.refusal = ""
        for name in ("ssl/certs", "ssl/private_keys", "haproxy", "bin"):
            (root / name).mkdir(parents=True)
        text = SCRIPT.read_text().replace("/etc/haproxy", str(root / "haproxy"))
        self._program = root / "vip-certificate"
        self._program.write_text(text.replace("/var/lib/puppet/ssl", str(self.ssl)))
        self._program.chmod(0o755)
        supervisor = root / "bin/supervisorctl"
        supervisor.write_text(
            f'#!/bin/sh\n[ "$1" = status ] && echo "haproxy RUNNING" || echo "$*" >> {self.reloads}\n'
        )
        supervisor.chmod(0o755)
        self.new_authority()

    def new_authority(self) -> None:
        """Have another authority, which the container trusts."""
        key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.root / "ca.key")
        openssl("req", "-x509", *key, "-subj", "/CN=CA", "-out", self.ssl / "certs/ca.pem")

    def execute(self, _container: str, arguments: Sequence[str], **options: Any) -> str:
        words = list(arguments)
        if words[0] == certificate.REQUEST:
            self._sign(words, options["stdin"])
            return ""
        if words[0] == vip_certificate.PROGRAM:
            words[0] = str(self._program)
        elif words[0] == "sh" and "nc -z" in words[2]:
            return ""
        environment = {"PATH": f"{self.root}/bin:/usr/bin:/bin"}
        return subprocess.run(words, capture_output=True, text=True, check=True, env=environment).stdout

    def _sign(self, words: list[str], secret: str) -> None:
        assert words[1:4] == [SERVER, NAME, vip_certificate.ROLE]
        if self.refusal:
            raise CommandFailed(self.refusal)
        self.asked.append(f"{secret.strip()}: {' '.join(words[4:])}")
        key, made = self.ssl / f"private_keys/{NAME}.pem", self.ssl / f"certs/{NAME}.pem"
        assert not key.exists() and not made.exists()
        request = self.root / "request.pem"
        openssl(
            "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
            "-subj", f"/CN={NAME}", "-out", request,
        )  # fmt: skip
        openssl(
            "x509", "-req", "-in", request, "-CA", self.ssl / "certs/ca.pem", "-CAkey", self.root / "ca.key",
            "-days", str(self.days), "-out", made,
        )  # fmt: skip

    def reloaded(self) -> int:
        return len(self.reloads.read_text().splitlines()) if self.reloads.exists() else 0


@pytest.fixture
def haproxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Container:
    made = Container(tmp_path)
    monkeypatch.setattr(certificate, "SSL", str(made.ssl))
    monkeypatch.setattr(containers, "execute", made.execute)
    monkeypatch.setattr(certificate_authority, "answers", lambda _server: False)
    monkeypatch.setattr(certificate_authority, "clean", lambda _server, name: made.asked.append(f"cleaned {name}"))
    monkeypatch.setattr(docker_api, "inspect", lambda _name: {"State": {"Running": True, "Paused": False}})
    return made


def issue(secret: str = "one", names: Sequence[str] = NAMES) -> str:
    return vip_certificate.issue("haproxy1", fqdn=NAME, server=SERVER, secret=secret, names=names)


def test_it_is_asked_for_once_and_haproxy_is_told(haproxy: Container) -> None:
    assert (issue(), issue()) == ("issued", "present")
    assert haproxy.asked == ["one: DNS:vip.lab IP:10.87.0.250"]
    assert haproxy.reloads.read_text() == "signal USR2 haproxy\n"


def test_haproxy_has_certificate_chain_and_key_in_a_file_of_roots_alone(haproxy: Container) -> None:
    issue()
    text = haproxy.served.read_text()
    assert text.count("BEGIN CERTIFICATE") == 2 and text.count("PRIVATE KEY") == 2
    # The first one is the server's own.
    assert openssl("x509", "-in", haproxy.served, "-noout", "-subject").strip().endswith(NAME)
    assert haproxy.served.stat().st_mode & 0o777 == 0o600
    assert "one" not in Path(f"{haproxy.served}.mark").read_text()


@pytest.mark.parametrize("words", [{"secret": "two"}, {"names": ("DNS:vip.other", "IP:10.87.0.251")}])
def test_another_secret_and_other_names_make_another_certificate_with_another_key(
    haproxy: Container, words: dict[str, Any]
) -> None:
    issue()
    before = openssl("pkey", "-in", haproxy.served, "-pubout")
    assert (issue(**words), issue(**words)) == ("issued", "present")
    key = openssl("pkey", "-in", haproxy.served, "-pubout")
    assert key == openssl("x509", "-in", haproxy.served, "-noout", "-pubkey") != before
    assert haproxy.asked[1] == f"cleaned {NAME}" and len(haproxy.asked) == 3
    assert haproxy.reloaded() == 2


def test_one_of_another_authority_and_one_that_ends_soon_are_replaced(haproxy: Container) -> None:
    haproxy.days = 29
    issue()
    haproxy.days = 365
    assert (issue(), issue()) == ("issued", "present")
    haproxy.new_authority()
    assert (issue(), issue()) == ("issued", "present")


def test_one_that_was_dropped_is_asked_for_again(haproxy: Container) -> None:
    issue()
    certificate.drop("haproxy1", fqdn=NAME, server=SERVER)
    assert (issue(), issue()) == ("issued", "present")


@pytest.mark.parametrize("lacking", ["haproxy/vip.pem.mark", "haproxy/vip.pem", f"ssl/certs/{NAME}.pem"])
def test_what_a_run_that_was_cut_off_got_is_asked_for_again(haproxy: Container, lacking: str) -> None:
    issue()
    (haproxy.root / lacking).unlink()
    assert (issue(), issue()) == ("issued", "present")
    assert f"cleaned {NAME}" in haproxy.asked


def test_a_refusal_says_why(haproxy: Container) -> None:
    haproxy.refusal = "autosign: wrong secret"
    with pytest.raises(StepError, match="wrong secret"):
        issue()
    haproxy.refusal = ""
    assert issue() == "issued"


def test_a_withdrawn_one_leaves_nothing_behind(haproxy: Container) -> None:
    before = sorted(haproxy.root.rglob("*"))
    issue()
    for _ in range(2):
        vip_certificate.withdraw("haproxy1", fqdn=NAME)
    left = set(haproxy.root.rglob("*")) - set(before)
    assert {path.name for path in left} == {"reloads", "request.pem"}


def test_a_container_that_is_stopped_takes_its_key_along(haproxy: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    issue()
    for found in (None, {"State": {"Running": False, "Paused": False}}, {"State": {"Running": True, "Paused": True}}):
        monkeypatch.setattr(docker_api, "inspect", lambda _name, found=found: found)
        vip_certificate.withdraw("haproxy1", fqdn=NAME)
    assert haproxy.served.exists()


# What the authority is to know, and what it tells.


@pytest.fixture
def server(haproxy: Container, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("os.chown", lambda *_arguments: None)
    monkeypatch.setattr("shutil.chown", lambda *_arguments, **_options: None)
    monkeypatch.setattr(certificate_authority, "answers", lambda _server: True)
    return haproxy.root / "volumes/puppet1"


def grant(server: Path, owner: str = "first") -> Grant:
    return Grant(NAME, owner, "puppet1", str(server), 8140, "0123\nvip\nDNS:vip.lab\n")


def test_a_grant_cleans_the_certificate_of_another_owner(haproxy: Container, server: Path) -> None:
    for owner in ("first", "first", "second"):
        grant(server, owner).write()
    assert haproxy.asked == [f"cleaned {NAME}"] * 2
    assert (server / "autosign" / NAME).read_text() == "0123\nvip\nDNS:vip.lab\n"
    assert (server / "autosign" / NAME).stat().st_mode & 0o777 == 0o640


def test_a_withdrawn_grant_leaves_nothing_behind(haproxy: Container, server: Path) -> None:
    grant(server).write()
    grant(server).withdraw()
    assert not [path for path in server.parent.rglob("*") if path.is_file()]
    assert haproxy.asked == [f"cleaned {NAME}"] * 2


def test_the_authority_is_asked_once_and_told_to_other_hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "ca.pem"
    monkeypatch.setattr(certificate_authority, "certificate", lambda server: f"of {server}\n" if server else "")
    assert authority.publish(path, "puppet1", "") == path.read_text() == "of puppet1\n"
    assert authority.publish(path, "elsewhere", "given\n") == path.read_text() == "given\n"
    with pytest.raises(StepError, match="does not run"):
        authority.publish(path, "", "")


def test_an_authoritys_file_that_is_gone_or_edited_is_found(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    record = AuthorityPublish(path=str(path), server="puppet1", id="1", certificate="").record()

    def found(told: set[str] | None) -> str:
        inspection = cast("Inspection", SimpleNamespace(authority=lambda server: told if server == "puppet1" else None))
        return AuthorityPublish.drift(inspection, record)

    assert found({"a", "b"}) == f"{path} is gone"
    path.write_text("a\nb\n")
    assert (found({"a", "b"}), found(None)) == ("", "")
    assert found({"a", "c"}) == f"{path} was edited"
