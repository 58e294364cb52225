"""What the services' scripts learn from OpenStack's APIs: who has reported, and what fails for a moment only."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.unit.scripts import load

STARTED = datetime(2026, 5, 4, 12, 30, 15, 250_000, tzinfo=UTC)
AGENT = "neutron-openvswitch-agent"
PASSWORD = "of-this-test"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    return load("nova/bin/openstack_api.py", monkeypatch)


class Cloud:
    """Answers as Nova and Neutron do, of a compute that reported at one moment to both."""

    def __init__(self, moment: datetime | None, *, alive: bool = True) -> None:
        self.urls = {"compute": "", "network": ""}
        self._moment = moment
        self._alive = alive

    def ask(self, _method: str, service: str, path: str, **_: str) -> Any:
        if service == "volumev3":
            when = self._moment and self._moment.strftime("%Y-%m-%dT%H:%M:%S.000000")
            names = ("cinder-scheduler", "cinder-volume", "cinder-backup")[: 3 if self._alive else 1]
            hosts = {"cinder-volume": "cinder1.lab@rbd"}
            return {
                "services": [
                    {"binary": name, "host": hosts.get(name, "cinder1.lab"), "state": "up", "updated_at": when}
                    for name in names
                ]
            }
        if service == "network":
            when = self._moment and self._moment.strftime("%Y-%m-%d %H:%M:%S")
            return {"agents": [{"binary": AGENT, "alive": self._alive, "heartbeat_timestamp": when}]}
        if path.startswith("/os-services"):
            when = self._moment and self._moment.strftime("%Y-%m-%dT%H:%M:%S.000000")
            return {"services": [{"state": "up", "updated_at": when}]}
        return {"hypervisors": [{"service": {"host": "compute1"}}]}


def test_a_report_of_this_life_counts(script: Any) -> None:
    cloud = Cloud(STARTED + timedelta(seconds=1))
    assert script.missing(cloud, "compute1", STARTED) == ""
    assert script.silent_agents(cloud, "compute1", {AGENT}, STARTED) == ""


@pytest.mark.parametrize("moment", [STARTED - timedelta(seconds=20), None])
def test_a_report_of_an_earlier_life_does_not_count(script: Any, moment: datetime | None) -> None:
    cloud = Cloud(moment)
    assert script.missing(cloud, "compute1", STARTED) == "Nova has not heard of compute1 since it was started"
    assert script.silent_agents(cloud, "compute1", {AGENT}, STARTED) == f"Neutron does not hear of {AGENT} on compute1"


def test_any_report_counts_for_one_that_does_not_know_when_the_other_started(script: Any) -> None:
    assert script.missing(Cloud(STARTED), "compute1") == ""
    silent = script.silent_agents(Cloud(STARTED, alive=False), "compute1", {AGENT})
    assert silent == f"Neutron does not hear of {AGENT} on compute1"


def test_a_compute_is_mapped_once_nova_lists_its_hypervisor(script: Any) -> None:
    assert script.mapped(Cloud(STARTED), "compute1")
    assert not script.mapped(Cloud(STARTED), "compute2")


def test_cinder_is_ready_once_each_of_its_services_has_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = load("cinder/bin/cinder-ready", monkeypatch).silent_services
    since, before = STARTED + timedelta(seconds=1), STARTED - timedelta(seconds=20)
    all_three = "Cinder does not hear of cinder-backup, cinder-scheduler, cinder-volume"
    own = "cinder1.lab"
    assert silent(Cloud(since), own, STARTED) == ""
    assert silent(Cloud(since, alive=False), own, STARTED) == "Cinder does not hear of cinder-backup, cinder-volume"
    assert silent(Cloud(before), own, STARTED) == all_three
    # Another member's are none of its own.
    assert silent(Cloud(since), "cinder2.lab", STARTED) == all_three


class Service(BaseHTTPRequestHandler):
    """Keystone, and a service beside it that gives answers one after the other, the last again and again."""

    answers: ClassVar[list[int]]

    def do_POST(self) -> None:
        """Give a token to who has the password."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["auth"]
        assert asked["scope"]["project"]["name"] and "domain" in asked["scope"]["project"]
        if asked["identity"]["password"]["user"]["password"] != PASSWORD:
            self.send_error(401)
            return
        self.send_response(201)
        self.send_header("X-Subject-Token", "token")
        self.end_headers()
        at = {"region_id": "RegionOne", "url": f"http://{self.headers['Host']}/"}
        catalog = [
            {"type": kind, "endpoints": [{"interface": interface, **at}]}
            for kind, interface in (("compute", "internal"), ("image", "public"))
        ]
        self.wfile.write(json.dumps({"token": {"catalog": catalog}}).encode())

    def do_GET(self) -> None:
        """Give the next answer."""
        self.send_response(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
        self.end_headers()
        self.wfile.write(b'{"services": []}')

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run the service, and return its URL; the environment names a proxy that there is not."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def section(file: Path, name: str, settings: Mapping[str, object]) -> str:
    """Write a configuration file of one section, and return its path."""
    file.write_text(f"[{name}]\n" + "".join(f"{key}={value}\n" for key, value in settings.items()))
    return str(file)


DOMAINS = {"user_domain_name": "Default", "project_domain_name": "Default"}


@pytest.fixture
def configuration(service: str, tmp_path: Path) -> str:
    """Return the configuration file of a user of the service."""
    user = {"username": "nova", "password": PASSWORD, "project_name": "services", "region_name": "RegionOne"}
    return section(tmp_path / "nova.conf", "keystone_authtoken", user | DOMAINS | {"auth_url": service})


def test_who_changes_something_asks_again_for_what_fails_for_a_moment(
    script: Any, configuration: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "PAUSE_SECONDS", 0.01)
    Service.answers = [500, 503, 200]
    assert script.Cloud(configuration, patience=30).ask("GET", "compute", "/os-services") == {"services": []}


@pytest.mark.parametrize(("patience", "answer"), [(0, 503), (0.05, 503), (30, 409)])
def test_neither_who_only_looks_nor_what_is_refused_for_good_is_waited_for(
    script: Any, configuration: str, patience: float, answer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "PAUSE_SECONDS", 0.1)
    Service.answers = [answer]
    cloud = script.Cloud(configuration, patience=patience)
    with pytest.raises(script.Refused, match=str(answer)):
        cloud.ask("GET", "compute", "/os-services")


def test_opensdns_config_api_is_asked_with_its_users_token(
    service: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registration = load("config/bin/registration", monkeypatch)
    user = {"admin_user": "opensdn", "admin_password": PASSWORD, "admin_tenant_name": "services"}
    settings = user | DOMAINS | {"auth_url": f"{service}/v3"}
    monkeypatch.setattr(registration, "LOGIN", section(tmp_path / "login", "KEYSTONE", settings))
    address, port = service.removeprefix("http://").split(":")
    given = {"WEB_SERVER": address, "WEB_PORT": port}
    monkeypatch.setattr(registration, "API", section(tmp_path / "api", "global", given))
    Service.answers = [200, 404]
    api = registration.Api()
    assert api.ask("GET", "/config-nodes") == {"services": []}
    with pytest.raises(registration.Refused, match="404"):
        api.ask("GET", "/config-nodes")


def test_keystones_check_tells_what_of_the_token_and_its_catalogue_is_missing(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap = load("keystone/bin/keystone-bootstrap", monkeypatch)
    monkeypatch.setattr(bootstrap, "LOCAL_URL", service)
    monkeypatch.setattr(bootstrap, "without_keys", list)
    settings = {"password": PASSWORD, "region": "RegionOne", "url": service}
    assert bootstrap.fault(settings).startswith("the catalogue lacks [('admin', 'RegionOne', ")
    assert bootstrap.fault(settings | {"password": "another"}).startswith("no token: 401 ")


def test_tempest_finds_the_services_at_their_public_endpoints(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    tempest = load("tempest/bin/tempest-smoke", monkeypatch)
    lab = tempest.Lab({"auth_url": f"{service}/v3", "password": PASSWORD, "region": "RegionOne"})
    assert lab.urls == {"image": service}
    Service.answers = [200]
    assert lab.list("image", "/os-services", "services") == []
