"""The config API: keeps what is registered, and tells it again; asks Keystone who may."""

from __future__ import annotations

import json
import threading
import time
import uuid
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from opensdn_standin import NOTICE, database
from opensdn_standin.keystone import Keystone
from opensdn_standin.neutron import Neutron, Refused
from opensdn_standin.node import Handler, Node, serve, wait_for_ever
from opensdn_standin.settings import Settings, end
from opensdn_standin.wire import Cassandra, Client, RabbitMQ, Stream, ZooKeeper, any_of

ROOTS: Mapping[str, list[list[str]]] = {
    "global-system-config": [["default-global-system-config"]],
    "global-vrouter-config": [["default-global-system-config", "default-global-vrouter-config"]],
    "domain": [["default-domain"]],
    "project": [["default-domain", "default-project"]],
    "virtual-network": [["default-domain", "default-project", "ip-fabric"]],
    "routing-instance": [["default-domain", "default-project", "ip-fabric", "__default__"]],
}
"""What the API makes of itself in an empty database, by type."""
TYPES = (
    *(*ROOTS, "config-node", "config-database-node", "analytics-node", "database-node", "bgp-router", "webui-node"),
    *("subnet", "virtual-machine-interface"),
)
CASSANDRA_SECONDS, ZOOKEEPER_SECONDS = 2, 16
"""After which it ends where it finds neither."""


class Answer(Exception):
    """What is answered instead of an object."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Objects:
    """The objects, by type."""

    def __init__(self, settings: Settings, servers: list[str]) -> None:
        self._connect = partial(database.connect, servers, *credentials(settings))
        self._kept: Cassandra | None = None
        self._lock = threading.RLock()
        with self._lock:
            database.prepare(self.database, len(servers))
            for kind, names in ROOTS.items():
                for name in names:
                    if not self.named(kind, name):
                        self.add(kind, {"fq_name": name})

    @property
    def database(self) -> Cassandra:
        """Return the connection, made anew where it has ended."""
        if self._kept is not None:
            try:
                self._kept.ping()
            except OSError:
                self._kept.close()
                self._kept = None
        if self._kept is None:
            self._kept = self._connect()
        return self._kept

    def all(self, kind: str) -> list[dict[str, Any]]:
        """Return the objects of a type."""
        with self._lock:
            return database.objects(self.database, kind)

    def get(self, kind: str, identifier: str) -> dict[str, Any]:
        """Return an object."""
        with self._lock:
            found = database.one(self.database, kind, identifier)
        if found is None:
            raise Answer(404, f"No {kind} object found for id {identifier}")
        return found

    def named(self, kind: str, name: list[str]) -> dict[str, Any] | None:
        """Return the object of a full name."""
        return next((each for each in self.all(kind) if each["fq_name"] == name), None)

    def add(self, kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Add an object."""
        with self._lock:
            name = given.get("fq_name")
            if not isinstance(name, list) or not name:
                raise Answer(400, "fq_name is missing")
            if self.named(kind, name):
                raise Answer(409, f"{kind} {':'.join(name)} already exists")
            made = {"name": name[-1], "display_name": name[-1], "uuid": str(uuid.uuid4()), **given}
            database.keep(self.database, kind, made)
            return made

    def change(self, kind: str, identifier: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Change some attributes of an object."""
        with self._lock:
            changed = {**self.get(kind, identifier), **given, "uuid": identifier}
            database.keep(self.database, kind, changed)
            return changed

    def remove(self, kind: str, identifier: str) -> None:
        """Remove an object that nothing refers to."""
        with self._lock:
            self.get(kind, identifier)
            for other in TYPES:
                for each in self.all(other):
                    for key, references in each.items():
                        if key.endswith("_refs") and any(found["uuid"] == identifier for found in references):
                            raise Answer(409, f"Delete when resource still referred: {other} {each['uuid']}")
            database.drop(self.database, kind, identifier)

    def refer(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Add a reference to an object, or take it away."""
        with self._lock:
            item, of = self.get(given["type"], given["uuid"]), given["ref-type"].replace("-", "_")
            target = self.named(given["ref-type"], given["ref-fq-name"]) if "ref-fq-name" in given else None
            identifier = given.get("ref-uuid") or (target or {}).get("uuid")
            references = [each for each in item.get(f"{of}_refs", []) if each["uuid"] != identifier]
            if given["operation"] == "ADD":
                to = self.get(given["ref-type"], str(identifier))
                references.append({"to": to["fq_name"], "uuid": to["uuid"], "attr": given.get("attr")})
            self.change(given["type"], given["uuid"], {f"{of}_refs": references})
            return {"uuid": given["uuid"]}


def credentials(settings: Settings) -> tuple[str, str]:
    """Return user and password of Cassandra."""
    return settings.get("CASSANDRA.cassandra_user"), settings.get("CASSANDRA.cassandra_password")


class Api(Handler):
    """The REST API, as far as the lab asks it."""

    objects: Objects
    keystone: Keystone | None
    neutron: Neutron
    role: str

    def do_GET(self) -> None:
        """Answer."""
        self._reply("GET")

    do_POST = do_PUT = do_DELETE = lambda self: self._reply(self.command)

    def _reply(self, method: str) -> None:
        given: Any = None
        if length := int(self.headers.get("Content-Length") or 0):
            given = json.loads(self.rfile.read(length))
        path = urlsplit(self.path).path.strip("/")
        try:
            if not path and method == "GET":
                links = [{"link": {"href": f"/{each}s", "name": each, "rel": "collection"}} for each in TYPES]
                found: Any = {"href": "/", "links": links, "stand-in": NOTICE}
            else:
                # Neutron asks as whoever asks it, and says itself what that one may see.
                of_neutron = method == "POST" and path.startswith("neutron/")
                self._admit(anybody=of_neutron)
                parts = path.split("/")
                found = self.neutron.answer(parts[1], given) if of_neutron else self._act(method, parts, given)
        except Refused as refused:
            self.answer(400, str(refused), "application/json")
        except Answer as answer:
            self.answer(answer.status, str(answer), "text/html")
        except (OSError, KeyError, TypeError) as error:
            print(f"{method} /{path}: {type(error).__name__} {error}", flush=True)
            self.answer(503 if isinstance(error, OSError) else 400, str(error), "text/html")
        else:
            self.answer(200, json.dumps(found), "application/json")

    def _admit(self, *, anybody: bool) -> None:
        if self.keystone is None:
            return
        token = self.headers.get("X-Auth-Token")
        roles = self.keystone.roles(token) if token else None
        if roles is None:
            raise Answer(401, "Authentication required")
        if not anybody and self.role not in roles:
            raise Answer(403, "Permission Denied")

    def _act(self, method: str, path: list[str], given: Any) -> Any:
        match method, path:
            case "POST", ["fqname-to-id"]:
                found = self.objects.named(given["type"], given["fq_name"])
                if found is None:
                    raise Answer(404, f"Name {given['fq_name']} not found")
                return {"uuid": found["uuid"]}
            case "POST", ["ref-update"]:
                return self.objects.refer(given)
            case "GET", [plural] if plural.removesuffix("s") in TYPES:
                kind = plural.removesuffix("s")
                listed = self.objects.all(kind)
                if "detail=" in self.path:
                    return {plural: [{kind: each} for each in listed]}
                kept = ("uuid", "fq_name")
                return {plural: [{**{k: each[k] for k in kept}, "href": f"/{kind}/{each['uuid']}"} for each in listed]}
            case "POST", [plural] if plural.removesuffix("s") in TYPES:
                kind = plural.removesuffix("s")
                return {kind: self.objects.add(kind, given[kind])}
            case "GET", [kind, identifier] if kind in TYPES:
                return {kind: self.objects.get(kind, identifier)}
            case "PUT", [kind, identifier] if kind in TYPES:
                return {kind: self.objects.change(kind, identifier, given[kind])}
            case "DELETE", [kind, identifier] if kind in TYPES:
                self.objects.remove(kind, identifier)
                return {}
        raise Answer(404, "Not found")


def until(seconds: float, what: str, look: Any) -> None:
    """End the program where something isn't to be had in time."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            look()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                end(f"{what}: {error}")
            time.sleep(0.5)


def expect_backends(node: Node, settings: Settings) -> None:
    """Expect what the programs of the config role all work with."""
    servers = settings.servers("DEFAULTS.cassandra_server_list")
    if not servers or settings.get("CASSANDRA.cassandra_driver") != "cql":
        end("cassandra_server_list or its driver is missing")
    keepers = settings.servers("DEFAULTS.zk_server_ip", ",")
    brokers = settings.servers("DEFAULTS.rabbit_server", ",", port=5672)

    def cassandra() -> Client:
        return database.connect(servers, *credentials(settings))

    def broker() -> Client:
        user, password = settings.need("DEFAULTS.rabbit_user"), settings.need("DEFAULTS.rabbit_password")
        return RabbitMQ(any_of(brokers), user, password, settings.get("DEFAULTS.rabbit_vhost", "None"))

    until(CASSANDRA_SECONDS, "Cassandra", lambda: cassandra().close())
    until(ZOOKEEPER_SECONDS, "ZooKeeper", lambda: ZooKeeper(any_of(keepers)).close())
    node.expect("Database", "Cassandra", " ".join(servers), cassandra)
    node.expect("Zookeeper", "Zookeeper", " ".join(keepers), lambda: ZooKeeper(any_of(keepers)))
    node.expect("Database", "RabbitMQ", " ".join(brokers), broker)
    expect_collector(node, settings)


def expect_collector(node: Node, settings: Settings) -> None:
    """Expect a collector, where one is configured."""
    if collectors := settings.collectors:
        node.expect("Collector", "Collector", " ".join(collectors), lambda: Stream(any_of(collectors)))


def main(settings: Settings) -> None:
    """Run the API."""
    node = Node("contrail-api", settings.port("DEFAULTS.http_server_port", 8084))
    expect_backends(node, settings)
    objects = Objects(settings, settings.servers("DEFAULTS.cassandra_server_list"))
    keystone = Keystone(settings) if settings.get("DEFAULTS.auth") == "keystone" else None
    # Without its broker it waits, and takes no connection.
    while not next(each for each in node.connections if each.name == "RabbitMQ").up:
        time.sleep(0.2)
    handler = type(
        "Api",
        (Api,),
        {
            "objects": objects,
            "keystone": keystone,
            "neutron": Neutron(objects, keystone.project_name if keystone else str),
            "role": settings.get("DEFAULTS.cloud_admin_role", "admin"),
        },
    )
    serve(
        handler, settings.get("DEFAULTS.listen_ip_addr", "0.0.0.0"), settings.port("DEFAULTS.listen_port", 8082), node
    )
    if keystone is not None:
        serve(handler, "127.0.0.1", settings.port("DEFAULTS.admin_port", 8095), node)
    wait_for_ever()
