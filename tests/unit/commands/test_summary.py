"""What is said when a lab is up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from commands import summary
from components import login, paths
from hostside.demo import RECORD

MADE = {
    "image": {"name": "guest"},
    "flavors": [{"name": "tiny"}, {"name": "small"}],
    "network": {"name": "demo"},
    "security_group": {"name": "demo"},
    "key": {"name": "demo-key"},
    "router": {"name": "demo", "inside": "demo", "outside": "provider"},
}


@pytest.fixture
def record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(paths, "stack_directory", lambda stack: tmp_path / stack)
    (tmp_path / "lab").mkdir()
    return tmp_path / "lab" / RECORD


def test_the_dashboards_address_user_and_password_are_told() -> None:
    told = summary.pages({"endpoints": {"dashboard": "http://vip.lab/horizon/"}, "openrc": "/somewhere/openrc"})
    assert told == [
        "",
        "Horizon: http://vip.lab/horizon/, user admin; its password:",
        "  (. /somewhere/openrc && printenv OS_PASSWORD)",
    ]


def test_a_lab_without_dashboard_has_no_way_into_it() -> None:
    assert summary.pages({"endpoints": {"keystone": "http://vip.lab:5000/v3"}, "openrc": "/somewhere/openrc"}) == []


def test_other_peoples_clients_are_told_of_clouds_yaml_where_there_is_one() -> None:
    (told,) = summary.clouds("mine", {"clouds": "/somewhere/clouds.yaml"})
    assert "export OS_CLIENT_CONFIG_FILE=/somewhere/clouds.yaml OS_CLOUD=mine " in told
    assert summary.clouds("mine", {"clouds": None}) == summary.clouds("mine", {}) == []


def test_a_guest_is_booted_from_what_the_demo_made_last(record: Path) -> None:
    record.write_text(json.dumps({"image": "sha256:1", "made": [{}, MADE]}))
    create, address, ping = summary.guest("lab")
    assert create.strip() == (
        "openstack server create --image guest --flavor tiny --network demo --security-group demo "
        "--key-name demo-key --wait guest1"
    )
    assert address.endswith("floating_ip_address provider)")
    assert "ping" in ping


def test_without_a_router_nothing_is_said_of_floating_addresses(record: Path) -> None:
    record.write_text(json.dumps({"image": "sha256:1", "made": [{k: v for k, v in MADE.items() if k != "router"}]}))
    assert len(summary.guest("lab")) == 1


def test_without_a_demo_nothing_is_said_of_guests(record: Path) -> None:
    assert summary.guest("lab") == []
    record.write_text(json.dumps({"image": "sha256:1", "made": [{"image": {"name": "guest"}}]}))
    assert summary.guest("lab") == []


def test_a_lab_of_plain_containers_alone_has_addresses_and_no_endpoints(
    record: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(summary, "outputs_of", lambda _stack: {"addresses": {"web1": "10.87.0.60"}, "endpoints": {}})
    assert summary.main("lab") == 0
    told = capsys.readouterr().out
    assert "Addresses\n  web1  10.87.0.60\n" in told
    assert "Endpoints" not in told


@pytest.fixture
def keystone(tmp_path: Path) -> Iterator[tuple[str, list[int]]]:
    """Serve tokens, each by the next of some statuses; yield an openrc file for it, and the statuses."""
    statuses: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert asked["auth"]["identity"]["password"]["user"]["password"] == "a password"
            told = {"token": {"expires_at": "2026-11-29T06:17:46.000000Z", "methods": ["password"]}}
            body = json.dumps(told if (status := statuses.pop(0)) == 201 else {}).encode()
            self.send_response(status)
            self.send_header("X-Subject-Token", "a token")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    openrc = tmp_path / "openrc"
    url, names = (
        f"http://127.0.0.1:{server.server_port}/v3",
        ("USER_DOMAIN_NAME", "PROJECT_NAME", "PROJECT_DOMAIN_NAME"),
    )
    given = {"OS_AUTH_URL": url, "OS_USERNAME": "admin", "OS_PASSWORD": "a password"}
    openrc.write_text(login.text(given | {f"OS_{name}": "Default" for name in names}))
    yield str(openrc), statuses
    server.shutdown()
    server.server_close()


def test_a_token_is_waited_for_and_no_proxy_is_asked(
    keystone: tuple[str, list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    openrc, statuses = keystone
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    statuses += [503, 401, 201]
    assert summary._expiry(openrc) == "2026-11-29T06:17:46Z"
    assert statuses == []


def test_where_no_token_is_issued_it_is_told_why(
    keystone: tuple[str, list[int]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    openrc, statuses = keystone
    statuses.append(503)
    monkeypatch.setattr(summary, "TOKEN_SECONDS", 0.0)
    outputs = {"addresses": {"a": "b"}, "endpoints": {"a": "b"}, "openrc": openrc}
    monkeypatch.setattr(summary, "outputs_of", lambda _stack: outputs)
    assert summary.main("lab") == 1
    assert "Keystone issued no token through the VIP: " in capsys.readouterr().err
