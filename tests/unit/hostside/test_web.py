"""Requests to the lab by TLS, to a real server with a certificate of an authority that only the lab has."""

from __future__ import annotations

import ssl
import subprocess
import threading
import urllib.error
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from commands import status
from hostside import health, web
from hostside.inspection import Inspected


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"in")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-keyout", "key.pem", "-out", "ca.pem", "-subj", "/CN=lab", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        cwd=directory, check=True, capture_output=True,
    )  # fmt: skip
    return directory / "ca.pem"


@pytest.fixture
def url(authority: Path) -> Iterator[str]:
    """Return the URL of a server that has the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority, authority.with_name("key.pem"))
    server = HTTPServer(("127.0.0.1", 0), _Answers)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"https://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(autouse=True)
def proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")


def test_the_lab_is_asked_by_its_own_authority_and_without_a_proxy(url: str, authority: Path) -> None:
    with web.opener(str(authority)).open(url) as answer:
        assert answer.read() == b"in"


def test_who_does_not_know_the_authority_asks_nothing(url: str) -> None:
    with pytest.raises(urllib.error.URLError, match="certificate verify failed"):
        web.opener().open(url)


def test_a_certificate_for_another_name_is_none(url: str, authority: Path) -> None:
    with pytest.raises(urllib.error.URLError, match="certificate is not valid for 'localhost'"):
        web.opener(str(authority)).open(url.replace("127.0.0.1", "localhost"))


def test_a_health_check_by_tls_verifies(url: str, authority: Path) -> None:
    check = {"kind": "http", "url": url, "status": [200]}
    assert health.failure(Inspected("haproxy1", "running", True), [{**check, "authority": str(authority)}]) is None
    assert "certificate verify failed" in str(health.failure(Inspected("haproxy1", "running", True), [check]))


def test_a_certificate_that_nobody_vouches_for_is_taken_where_that_is_said(url: str) -> None:
    check = {"kind": "http", "url": url, "status": [200], "unchecked": True}
    assert health.failure(Inspected("webui1", "running", True), [check]) is None
    assert list(status._endpoint("lab", "webui", url, "")) == []


def test_an_answer_has_to_contain_what_is_wanted(url: str, authority: Path) -> None:
    check = {"kind": "http", "url": url, "status": [200], "authority": str(authority)}
    assert health.failure(Inspected("config1", "running", True), [{**check, "contains": "in"}]) is None
    assert "answered without >Functional<" in str(
        health.failure(Inspected("config1", "running", True), [{**check, "contains": ">Functional<"}])
    )


def test_an_endpoint_is_looked_at_with_the_authority_and_the_puppet_servers_is_not(url: str, authority: Path) -> None:
    assert list(status._endpoint("lab", "keystone", url, str(authority))) == []
    assert [fault.subject for fault in status._endpoint("lab", "keystone", url, "")] == ["keystone"]
    assert list(status._endpoint("lab", "puppet", url, "")) == []
