"""What is served at the VIP speaks TLS and nothing else, under a certificate of the lab's own authority."""

from __future__ import annotations

import json
import re
import socket
import ssl
import warnings
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from components.secrets import VIP_CERTIFICATE
from tests.lab import cloud as clouds
from tests.lab.conftest import Lab
from tests.lab.connection import Connection, opened
from tests.lab.harness import inside, run
from tests.lab.secrets_of_lab import generated

pytestmark = [pytest.mark.lab, pytest.mark.shares]

SECONDS = 20
SERVED = "/etc/haproxy/vip.pem"
POLICY = "/etc/dockstack/bin/autosign"
ROLE_EXTENSION = "1.3.6.1.4.1.34380.1.1.13"


@pytest.fixture(autouse=True)
def tls(lab: Lab) -> None:
    if not lab.authority:
        pytest.skip("this lab has no TLS")


def places(lab: Lab) -> dict[str, tuple[str, int]]:
    """Return name and port at the VIP of each API."""
    parts = {name: urlsplit(url) for name, url in lab.apis.items()}
    return {name: (str(url.hostname), int(url.port or 443)) for name, url in parts.items()}


def version(place: tuple[str, int], authority: str, highest: ssl.TLSVersion) -> str | None:
    """Return the version of TLS that a server agrees to, if it is to be none above another; None where it refuses."""
    context = ssl.create_default_context(cafile=authority)
    # What of its own accord says no more than this would refuse the old versions before the server could.
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, highest
    try:
        with (
            socket.create_connection(place, timeout=SECONDS) as plain,
            context.wrap_socket(plain, server_hostname=place[0]) as connection,
        ):
            return connection.version()
    except (ssl.SSLError, ConnectionResetError):
        return None


def certificate(place: tuple[str, int], authority: str) -> Mapping[str, Any]:
    """Return a server's certificate, which is one of the authority's for the name that it was asked by."""
    with opened(*place, authority, SECONDS) as connection:
        assert isinstance(connection, ssl.SSLSocket)
        return connection.getpeercert() or {}


def revoked(lab: Lab) -> set[str]:
    """Return the serial numbers of the certificates that the authority has revoked."""
    text = inside(lab.of_role("puppet"), "openssl", "crl", "-in", "/var/lib/puppet/ca/ca_crl.pem", "-noout", "-text")
    return {f"{int(serial, 16):X}" for serial in re.findall(r"Serial Number: ([0-9A-F]+)", text)}


def serial(lab: Lab) -> str:
    """Return the serial number of the certificate that Keystone has at the VIP."""
    return str(certificate(places(lab)["keystone"], lab.authority)["serialNumber"]).lstrip("0")


def said_in_clear(place: tuple[str, int]) -> bytes:
    """Return what a server answers to who speaks without TLS."""
    with socket.create_connection(place, timeout=SECONDS) as connection:
        connection.sendall(f"GET / HTTP/1.1\r\nHost: {place[0]}\r\n\r\n".encode())
        said = b""
        try:
            while piece := connection.recv(4096):
                said += piece
        except ConnectionResetError:
            pass
        return said


def test_every_api_takes_the_versions_from_1_2_on_and_no_others(lab: Lab) -> None:
    assert {"keystone", "dashboard", "novncproxy"} & lab.services.keys() <= places(lab).keys()
    for name, place in places(lab).items():
        agreed = [version(place, lab.authority, highest) for highest in list(ssl.TLSVersion)[2:-1]]
        assert agreed == [None, None, "TLSv1.2", "TLSv1.3"], name


def test_every_api_has_a_certificate_for_name_and_address_and_says_nothing_in_clear(lab: Lab) -> None:
    vip = str(lab.settings()["config"]["dockstack:common"]["vip"])
    for name, place in places(lab).items():
        found = certificate(place, lab.authority)
        # The authority adds the name that it signs by.
        (own,) = [value for field in found["subject"] for key, value in field if key == "commonName"]
        assert set(found["subjectAltName"]) == {("DNS", place[0]), ("IP Address", vip), ("DNS", own)}, name
        assert certificate((vip, place[1]), lab.authority) == found
        assert b"HTTP/" not in said_in_clear(place), name


def test_the_links_of_version_documents_and_redirections_lead_to_where_they_are_served(lab: Lab) -> None:
    linked = 0
    for name, place in places(lab).items():
        path = urlsplit(lab.apis[name]).path or "/"
        for asked in {"/", path}:
            with Connection(*place, lab.authority) as connection:
                answer = connection.ask("GET", asked)
            assert "Strict-Transport-Security" not in answer.headers, name
            text = answer.body.decode(errors="replace")
            links = re.findall(rf"https?://{re.escape(place[0])}[^\s\"'<>]*", text + str(answer.headers["Location"]))
            assert not [link for link in links if not link.startswith("https://")], (name, asked)
            linked += len(links)
    assert linked > 4


def test_the_whole_catalogue_says_https(lab: Lab) -> None:
    env = clouds.environment(lab.openrc)
    assert (env["OS_CACERT"], env["OS_AUTH_URL"][:8]) == (lab.authority, "https://")
    listed = json.loads(run("openstack", "endpoint", "list", "-f", "json", env=env).stdout)
    assert listed and {urlsplit(row["URL"]).scheme for row in listed} == {"https"}


def test_who_does_not_trust_the_authority_gets_no_token(lab: Lab) -> None:
    env = {name: value for name, value in clouds.environment(lab.openrc).items() if name != "OS_CACERT"}
    done = run("openstack", "token", "issue", env=env, check=False)
    assert done.returncode != 0 and "certificate verify failed" in done.stdout + done.stderr


def test_the_key_is_in_haproxys_container_alone_and_for_root_alone(lab: Lab) -> None:
    haproxy = lab.of_role("haproxy")
    modes = inside(haproxy, "sh", "-c", f"stat -c '%a %U' {SERVED} /var/lib/puppet/ssl/private_keys/vip.*")
    assert modes.split("\n")[:-1] == ["600 root"] * 2
    key = inside(haproxy, "sed", "-n", "/PRIVATE KEY/{n;p;q}", SERVED).strip()
    assert len(key) > 32
    assert key not in run("pulumi", "stack", "export", "--show-secrets", "--stack", lab.stack).stdout


def test_the_policy_signs_no_names_but_those_of_the_vip(lab: Lab) -> None:
    haproxy, puppet = lab.of_role("haproxy"), lab.of_role("puppet")
    vip, address = places(lab)["keystone"][0], str(lab.settings()["config"]["dockstack:common"]["vip"])
    certname = f"vip.{haproxy}.{vip.partition('.')[2]}"
    secret = generated(lab.stack)[VIP_CERTIFICATE]
    request = "openssl req -new -newkey rsa:2048 -nodes -keyout /dev/null -config /dev/stdin"

    def verdict(names: str, role: str = "vip", password: str = secret) -> bool:
        asked = (
            "[req]\nprompt=no\ndistinguished_name=d\nattributes=a\nreq_extensions=e\n"
            f"[d]\nCN={certname}\n[a]\nchallengePassword={password}\n"
            f"[e]\n{ROLE_EXTENSION}=ASN1:UTF8String:{role}\n{names and f'subjectAltName={names}'}\n"
        )
        text = inside(haproxy, "sh", "-c", request, stdin=asked)
        done = run("docker", "exec", "-i", "-u", "puppet", puppet, POLICY, certname, stdin=text, check=False)
        return done.returncode == 0

    right = f"DNS:{vip},IP:{address}"
    assert verdict(right)
    assert not any(map(verdict, ("", f"DNS:{vip}", f"{right},DNS:puppet", f"{right},email:a@b", f"IP:{address}")))
    assert not verdict(right, role="haproxy")
    assert not verdict(right, password="of nobody")


def test_a_container_can_have_no_names_besides_its_own(lab: Lab) -> None:
    """The server's own name in another container's certificate would make that one the server."""
    name, puppet = lab.of_role("memcached"), lab.of_role("puppet")
    fqdn = f"{name}.{places(lab)['keystone'][0].partition('.')[2]}"
    asked = (
        "[req]\nprompt=no\ndistinguished_name=d\nreq_extensions=e\n"
        f"[d]\nCN={fqdn}\n[e]\n{ROLE_EXTENSION}=ASN1:UTF8String:memcached\nsubjectAltName=DNS:{puppet}\n"
    )
    request = "openssl req -new -newkey rsa:2048 -nodes -keyout /dev/null -config /dev/stdin"
    text = inside(name, "sh", "-c", request, stdin=asked)
    done = run("docker", "exec", "-i", "-u", "puppet", puppet, POLICY, fqdn, stdin=text, check=False)
    assert done.returncode != 0
