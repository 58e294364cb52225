"""Clients keep a connection through the VIP: each answer says where it ends, and no connection ends without a word."""

from __future__ import annotations

import json
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import pytest

from components.services import ROLES
from tests.lab import cloud as clouds
from tests.lab.conftest import Lab
from tests.lab.connection import Connection, ConnectionFault
from tests.lab.harness import ALL_DRILLS, eventually, inside, long_drill, run

pytestmark = pytest.mark.lab

REQUESTS = 1000 if ALL_DRILLS else 60
"""How many each API is asked over one connection."""
IDLE_SECONDS = 11
"""Longer than haproxy waits for the head of a request, and than uwsgi by itself for the rest of one."""
UNREAD = b'"' + b"x" * 300_000 + b'"'
"""A body that nobody reads who has seen that there is no token."""
LONG = 8192
"""After a request with a longer body, haproxy announces the end."""
CLIENTS = 6
AWAY = 503
UP_SECONDS = 180
RESTARTED = ("keystone", "glance", "nova", "neutron", "cinder", "dashboard")


@dataclass(frozen=True)
class Api:
    """An API at the VIP."""

    name: str
    host: str
    port: int
    path: str
    authority: str = ""

    def connect(self) -> Connection:
        """Return a client of it."""
        return Connection(self.host, self.port, self.authority)


@dataclass(frozen=True)
class Request:
    """A request, and the statuses that it may be answered with."""

    method: str
    path: str
    expected: tuple[int, ...] = (200,)
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Access:
    """What the administrator's requests need."""

    token: str
    project: str
    user: str
    role: str
    key: str

    def request(self, method: str, path: str, *expected: int, body: object = None, **headers: str) -> Request:
        """Return a request of the administrator's."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        content = b"" if body is None else json.dumps(body).encode()
        return Request(
            method, path, expected, content, {"X-Auth-Token": self.token, "Content-Type": "application/json", **named}
        )


def nothing() -> str:
    """Return the id of nothing."""
    return str(uuid.uuid4())


def keystone(access: Access) -> list[Request]:
    mine = f"/v3/projects/{access.project}/users/{access.user}/roles/{access.role}"
    return [
        access.request("GET", "/v3/projects", 200),
        access.request("HEAD", "/v3/auth/tokens", 200, X_Subject_Token=access.token),
        access.request("HEAD", mine, 204),
        access.request("PUT", mine, 204),
        access.request("GET", f"/v3/projects/{nothing()}", 404),
        access.request("POST", "/v3/projects", 409, body={"project": {"name": "admin"}}),
        access.request("POST", "/v3/auth/tokens", 400, body={"auth": {}}),
    ]


def glance(access: Access) -> list[Request]:
    image = {"id": nothing(), "name": "connections", "disk_format": "raw", "container_format": "bare"}
    path = f"/v2/images/{image['id']}"
    return [
        access.request("POST", "/v2/images", 201, body=image),
        access.request("POST", "/v2/images", 409, body=image),
        access.request("GET", f"{path}/file", 204),
        access.request("PUT", f"{path}/tags/seen", 204),
        Request("HEAD", "/healthcheck", (204,)),
        access.request("PUT", f"{path}/file", 204, body="x" * 70_000, Content_Type="application/octet-stream"),
        access.request("GET", f"{path}/file", 200),
        access.request("DELETE", path, 204),
        access.request("GET", path, 404),
    ]


def placement(access: Access) -> list[Request]:
    name = f"CUSTOM_CONNECTIONS_{uuid.uuid4().hex.upper()}"
    version = "placement 1.39"
    return [
        access.request("PUT", f"/traits/{name}", 201, OpenStack_API_Version=version),
        access.request("PUT", f"/traits/{name}", 204, OpenStack_API_Version=version),
        access.request("DELETE", f"/traits/{name}", 204, OpenStack_API_Version=version),
        access.request("POST", "/resource_classes", 201, body={"name": name}, OpenStack_API_Version=version),
        access.request("POST", "/resource_classes", 409, body={"name": name}, OpenStack_API_Version=version),
        access.request("DELETE", f"/resource_classes/{name}", 204, OpenStack_API_Version=version),
        access.request("GET", f"/resource_providers/{nothing()}", 404),
        access.request("GET", "/resource_providers", 200),
    ]


def nova(access: Access) -> list[Request]:
    keypair = {"keypair": {"name": f"connections-{uuid.uuid4().hex}", "public_key": access.key}}
    path = f"/v2.1/os-keypairs/{keypair['keypair']['name']}"
    version = "compute 2.10"
    return [
        access.request("POST", "/v2.1/os-keypairs", 201, body=keypair, OpenStack_API_Version=version),
        access.request("POST", "/v2.1/os-keypairs", 409, body=keypair, OpenStack_API_Version=version),
        access.request("DELETE", path, 204, OpenStack_API_Version=version),
        access.request("GET", path, 404, OpenStack_API_Version=version),
        access.request("GET", "/v2.1/flavors", 200),
        access.request("HEAD", "/v2.1/", 200),
    ]


def neutron(access: Access) -> list[Request]:
    name = uuid.uuid4().hex
    return [
        access.request("POST", "/v2.0/security-groups", 409, body={"security_group": {"name": "default"}}),
        access.request("GET", f"/v2.0/security-groups?name={name}", 200),
        access.request("GET", f"/v2.0/networks/{nothing()}", 404),
        access.request("PUT", f"/v2.0/quotas/{name}", 200, body={"quota": {"router": 1}}),
        access.request("DELETE", f"/v2.0/quotas/{name}", 204),
        access.request("DELETE", f"/v2.0/quotas/{name}", 404),
    ]


def cinder(access: Access) -> list[Request]:
    return [
        Request("HEAD", "/healthcheck", (204,)),
        access.request("GET", f"/v3/{access.project}/volumes", 200),
        access.request("GET", f"/v3/{access.project}/volumes/{nothing()}", 404),
        access.request("POST", f"/v3/{access.project}/types", 409, body={"volume_type": {"name": "__DEFAULT__"}}),
        access.request("POST", f"/v3/{access.project}/volumes", 400, body={}),
    ]


def dashboard(_access: Access) -> list[Request]:
    static = "/horizon/static/dashboard/img/favicon.ico"
    return [
        Request("GET", "/horizon/auth/login/"),
        Request("POST", "/horizon/auth/login/", (302, 403)),
        Request("GET", static),
        Request("HEAD", static),
        Request("GET", static, (304,), headers={"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}),
    ]


def novncproxy(_access: Access) -> list[Request]:
    page = "/vnc_lite.html"
    return [
        Request("GET", page),
        Request("HEAD", page),
        Request("GET", page, (304,), headers={"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"}),
        Request("POST", page, (501,), b"{}"),
    ]


OWN: Mapping[str, Callable[[Access], list[Request]]] = {
    each.__name__: each for each in (keystone, glance, placement, nova, neutron, cinder, dashboard, novncproxy)
}


def harmless(api: Api) -> list[Request]:
    """Return requests that any API may be asked, which change nothing."""
    missing, refused = f"/{nothing()}", (*range(200, 500), 501)
    return [
        Request("GET", api.path, refused),
        Request("HEAD", api.path, refused),
        Request("GET", missing, refused),
        Request("HEAD", missing, refused),
        Request("POST", api.path, refused, b"{}"),
        Request("POST", missing, refused, UNREAD),
    ]


def own(api: Api, access: Access) -> list[Request]:
    """Return what an API is asked beside, such as what it answers 204, 304 and 409; a new API has nothing of it."""
    return OWN[api.name](access) if api.name in OWN else []


@pytest.fixture(scope="module")
def access(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Access:
    key: Path = tmp_path_factory.mktemp("key") / "key"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
    cloud = clouds.connect(lab.openrc)
    return Access(
        cloud.auth_token,
        cloud.current_project_id,
        cloud.current_user_id,
        cloud.identity.find_role("admin", ignore_missing=False).id,
        key.with_suffix(".pub").read_text(),
    )


def apis(lab: Lab) -> dict[str, Api]:
    """Return the lab's endpoints at the VIP that speak HTTP."""
    parts = {name: urlsplit(url) for name, url in lab.apis.items()}
    return {
        name: Api(
            name,
            str(url.hostname),
            url.port or 80,
            "/vnc_lite.html" if name == "novncproxy" else url.path or "/",
            lab.authority,
        )
        for name, url in parts.items()
    }


def test_each_api_answers_a_client_on_one_connection_whatever_it_is_asked(lab: Lab, access: Access) -> None:
    found = apis(lab)
    assert {"keystone"} <= found.keys()
    with ThreadPoolExecutor(len(found)) as pool:
        faults = dict(zip(found, pool.map(lambda api: _use(api, access), found.values()), strict=True))
    assert not any(faults.values()), faults


def _use(api: Api, access: Access) -> list[str]:
    """Ask an API many things over one connection, with pauses in the middle; return what went wrong."""
    faults: list[str] = []

    def ask(request: Request, pause: float = 0) -> None:
        try:
            answer = connection.ask(request.method, request.path, request.body, request.headers, pause=pause)
        except ConnectionFault as fault:
            faults.append(str(fault))
            return
        ended = answer.announced and len(request.body) <= LONG
        if answer.status not in request.expected or ended:
            end = ", and the end" if ended else ""
            faults.append(f"{request.method} {request.path}: {answer.status}{end} {answer.body[:200]!r}")

    with api.connect() as connection:
        asked = long = 0
        while asked < REQUESTS:
            batch = harmless(api) + own(api, access)
            for request in batch:
                ask(request)
            if asked == 0:
                connection.check(IDLE_SECONDS)
                ask(next(request for request in batch if request.body), pause=IDLE_SECONDS)
            asked += len(batch)
            long += sum(len(request.body) > LONG for request in batch)
        connection.check(0.5)
        if connection.opened > long + 1:
            faults.append(f"it took {connection.opened} connections")
    return faults


def test_a_server_itself_announces_the_end_of_each_connection_that_it_ends(lab: Lab) -> None:
    at_vip = apis(lab)
    served = {frontend.name: (role.name, frontend.port) for role in ROLES.values() for frontend in role.frontends}
    for name, api in at_vip.items():
        role, port = served[name]
        direct = replace(api, host=lab.addresses[lab.of_role(role)], port=port, authority="")
        with direct.connect() as connection:
            for request in harmless(direct):
                if request.body is not UNREAD:
                    connection.ask(request.method, request.path, request.body)
                    connection.check(0.5)


class Load:
    """Clients that ask APIs all the time, each over a connection of its own."""

    def __init__(self, served: Sequence[Api]) -> None:
        """Take what they ask."""
        self.statuses: Counter[int] = Counter()
        self.faults: list[str] = []
        self._answers = [0] * CLIENTS
        self._ended = threading.Event()
        self._clients = [
            threading.Thread(target=self._ask, args=(number, served[number % len(served)])) for number in range(CLIENTS)
        ]

    def __enter__(self) -> Load:
        for client in self._clients:
            client.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        for client in self._clients:
            client.join()

    def await_answers(self, when: str, seconds: float) -> None:
        """Wait until each client has had some more answers that came from the service."""
        wanted = [count + 3 for count in self._answers]
        eventually(
            f"answers {when} the restart",
            lambda: all(count >= goal for count, goal in zip(self._answers, wanted, strict=True)),
            seconds,
        )

    def _ask(self, number: int, api: Api) -> None:
        with api.connect() as connection:
            while not self._ended.is_set():
                for request in harmless(api):
                    try:
                        status = connection.ask(request.method, request.path, request.body, request.headers).status
                    except ConnectionFault as fault:
                        self.faults.append(str(fault))
                        continue
                    self.statuses[status] += 1
                    self._answers[number] += status != AWAY


def test_a_reload_of_haproxy_ends_no_connection_without_a_word(lab: Lab) -> None:
    haproxy, api = lab.of_role("haproxy"), apis(lab)["keystone"]
    with api.connect() as connection:
        assert not connection.ask("GET", api.path).announced
        inside(haproxy, "supervisorctl", "signal", "USR2", "haproxy")
        # The old process serves on until it hears of the new one.
        eventually("the end is announced", lambda: connection.ask("GET", api.path).announced)
        assert not connection.ask("GET", api.path).announced


@pytest.mark.parametrize("role", [
    "placement",
    *(pytest.param(role, marks=[long_drill, pytest.mark.drill]) for role in RESTARTED),
])  # fmt: skip
def test_who_asks_while_a_service_is_restarted_is_told_that_it_is_away_or_gets_his_answer(lab: Lab, role: str) -> None:
    served = {frontend.name for frontend in ROLES[role].frontends} & apis(lab).keys()
    if not served:
        pytest.skip(f"the lab has no {role}")
    try:
        with Load([apis(lab)[name] for name in served]) as load:
            load.await_answers("before", UP_SECONDS)
            inside(lab.of_role(role), "supervisorctl", "restart", "all")
            load.await_answers("after", UP_SECONDS)
    finally:
        lab.await_healthy()
    assert not load.faults, load.faults
    assert not {status for status in load.statuses if status >= 500} - {AWAY, 501}, load.statuses
