"""The other programs, a function each."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from opensdn_standin import NOTICE, config_api, database
from opensdn_standin.keystone import Keystone
from opensdn_standin.node import Handler, Node, listen, serve, wait_for_ever
from opensdn_standin.settings import Settings, compiled, end, interpreted, resolve_own_name
from opensdn_standin.wire import Api, Cassandra, Kafka, RabbitMQ, Redis, Refused, Stream, ZooKeeper, any_of

DISCOVERY = "/analytics-discovery-"
NAMED = "/usr/bin/contrail-named"
XMPP_OF_DNS = 8093


def files(arguments: list[str], *options: str) -> list[str]:
    """Return the files that the arguments name."""
    return [word for option, word in pairwise(arguments) if option in options]


def config_database(settings: Settings, separator: str | None = None) -> Any:
    """Return what opens the connections that the section CONFIGDB describes: Cassandra's, and RabbitMQ's."""
    servers = settings.servers("CONFIGDB.config_db_server_list")
    brokers = settings.servers("CONFIGDB.rabbitmq_server_list", separator, port=5672)
    user, password = settings.get("CONFIGDB.config_db_username"), settings.get("CONFIGDB.config_db_password")

    def broker() -> RabbitMQ:
        login = settings.get("CONFIGDB.rabbitmq_user"), settings.get("CONFIGDB.rabbitmq_password")
        return RabbitMQ(any_of(brokers), *login, settings.get("CONFIGDB.rabbitmq_vhost"))

    return partial(database.connect, servers, user, password), broker


def expect_config_database(node: Node, settings: Settings, separator: str | None = None) -> Any:
    """Expect Cassandra and RabbitMQ; return what opens the first."""
    cassandra, broker = config_database(settings, separator)
    node.expect("Database", "Cassandra", settings.get("CONFIGDB.config_db_server_list"), cassandra)
    node.expect("Database", "RabbitMQ", settings.get("CONFIGDB.rabbitmq_server_list"), broker)
    return cassandra


def config_program(module: str, port: int, arguments: list[str]) -> None:
    """Run contrail-schema or contrail-svc-monitor."""
    settings = interpreted(files(arguments, "--conf_file"))
    node = Node(module, settings.port("DEFAULTS.http_server_port", port))
    config_api.expect_backends(node, settings)
    server = f"{settings.need('DEFAULTS.api_server_ip').split()[0]}:{settings.port('DEFAULTS.api_server_port', 8082)}"
    node.expect("ApiServer", "Config", server, partial(Api, server))
    wait_for_ever()


def api(arguments: list[str]) -> None:
    """Run contrail-api."""
    config_api.main(interpreted(files(arguments, "--conf_file")))


def control(arguments: list[str]) -> None:
    """Run contrail-control: it serves BGP once there is a bgp-router of its name."""
    settings = compiled("contrail-control", files(arguments, "--conf_file"))
    node = Node("contrail-control", settings.port("DEFAULT.http_server_port", 8083))
    connect = expect_config_database(node, settings)
    config_api.expect_collector(node, settings)
    address, name = settings.need("DEFAULT.hostip"), settings.need("DEFAULT.hostname")
    listen(address, settings.port("DEFAULT.xmpp_server_port", 5269))
    node.lacks = lambda: "No BGP configuration for self"
    while not _has_router(connect, name):
        time.sleep(1)
    listen(address, settings.port("DEFAULT.bgp_port", 179))
    known, looked = True, time.monotonic()

    def lacks() -> str:
        nonlocal known, looked
        if time.monotonic() - looked > 1:
            known, looked = _has_router(connect, name), time.monotonic()
        return "" if known else "BGP configuration for self is deleted"

    node.lacks = lacks
    wait_for_ever()


def _has_router(connect: Any, name: str) -> bool:
    try:
        cassandra: Cassandra = connect()
        try:
            return any(each["fq_name"][-1] == name for each in database.objects(cassandra, "bgp-router"))
        finally:
            cassandra.close()
    except OSError:
        return False


def dns(arguments: list[str]) -> None:
    """Run contrail-dns: it rewrites named's settings, and wants named to run."""
    resolve_own_name()
    settings = compiled("contrail-dns", files(arguments, "--conf_file"))
    node = Node("contrail-dns", settings.port("DEFAULT.http_server_port", 8092))
    expect_config_database(node, settings)
    config_api.expect_collector(node, settings)
    directory = Path(settings.get("DEFAULT.named_config_directory", "/etc/contrail/dns"))
    named = directory / settings.get("DEFAULT.named_config_file", "contrail-named.conf")
    rndc = directory / settings.get("DEFAULT.rndc_config_file", "contrail-rndc.conf")
    secret = settings.get("DEFAULT.rndc_secret", "xvysmOR8lnUQRBcunkC6vg==")
    rndc.write_text(f'key "rndc-key" {{ algorithm hmac-md5; secret "{secret}"; }};\n')
    named.write_text(f'// {NOTICE}\nkey "rndc-key" {{ algorithm hmac-md5; secret "{secret}"; }};\n')
    listen(settings.need("DEFAULT.hostip"), XMPP_OF_DNS)

    def lacks() -> str:
        try:
            number = (directory / "contrail-named.pid").read_text().strip()
            runs = NAMED in Path(f"/proc/{number}/cmdline").read_text()
        except OSError:
            runs = False
        return "" if runs else "named does not run"

    # The real one says Functional all the same; here it is told.
    node.lacks = lacks
    wait_for_ever()


def named(arguments: list[str]) -> None:
    """Run contrail-named: it answers each question with a refusal."""
    file = Path(files(arguments, "-c")[0])
    if not file.exists():
        end(f"could not open {file}")
    (file.parent / "contrail-named.pid").write_text(f"{os.getpid()}\n")
    listen("0.0.0.0", 53)
    listen("127.0.0.1", 8094)
    asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asked.bind(("0.0.0.0", 53))
    while True:
        question, sender = asked.recvfrom(4096)
        if len(question) >= 12:
            asked.sendto(question[:2] + b"\x81\x05" + question[4:], sender)


def collector(arguments: list[str]) -> None:
    """Run contrail-collector: it lists itself in ZooKeeper, under the name that its address has."""
    resolve_own_name()
    settings = compiled("contrail-collector", files(arguments, "--conf_file"), lenient=True)
    node = Node("contrail-collector", settings.port("DEFAULT.http_server_port", 8089))
    address = settings.need("DEFAULT.hostip")
    listen(settings.get("COLLECTOR.server", "0.0.0.0"), settings.port("COLLECTOR.port", 8086))
    own = f"{address}:{settings.port('COLLECTOR.port', 8086)}"
    node.expect("Collector", "Collector", own, partial(Stream, own))
    # Whatever the settings say.
    redis = f"127.0.0.1:{settings.port('REDIS.port', 6379)}"
    for name in ("From", "To"):
        node.expect("Redis-UVE", name, redis, partial(Redis, redis, settings.get("REDIS.password")))
    expect_config_database(node, settings)
    if servers := settings.servers("DEFAULT.cassandra_server_list"):
        login = settings.get("CASSANDRA.cassandra_user"), settings.get("CASSANDRA.cassandra_password")
        node.expect("Database", "Global", " ".join(servers), partial(database.connect, servers, *login))
    if brokers := settings.servers("KAFKA.kafka_broker_list"):
        node.expect("KafkaPub", "Kafka", " ".join(brokers), lambda: Kafka(any_of(brokers)))
    keepers = settings.servers("DEFAULT.zookeeper_server_list", ",")

    def enrolled() -> ZooKeeper:
        session = ZooKeeper(any_of(keepers))
        session.make(DISCOVERY)
        session.make(f"{DISCOVERY}/{socket.getfqdn(address)}", ephemeral=True)
        return session

    if keepers:
        node.expect("Zookeeper", "Zookeeper", " ".join(keepers), enrolled)
    wait_for_ever()


def query_engine(arguments: list[str]) -> None:
    """Run contrail-query-engine."""
    resolve_own_name()
    settings = compiled("contrail-query-engine", files(arguments, "--conf_file"))
    node = Node("contrail-query-engine", settings.port("DEFAULT.http_server_port", 8091))
    servers = settings.servers("DEFAULT.cassandra_server_list")
    login = settings.get("CASSANDRA.cassandra_user"), settings.get("CASSANDRA.cassandra_password")
    node.expect("Database", "Cassandra", " ".join(servers), partial(database.connect, servers, *login))
    for server in settings.servers("REDIS.server_list"):
        node.expect("Redis-Query", server, server, partial(Redis, server, settings.get("REDIS.password")))
    config_api.expect_collector(node, settings)
    wait_for_ever()


class AnalyticsApi(Handler):
    """What the analytics API says."""

    keystone: Keystone
    role = "admin"

    def do_GET(self) -> None:
        """Answer the way in without a token, and the rest with one."""
        path = urlsplit(self.path).path
        if path != "/":
            try:
                roles = self.keystone.roles(token) if (token := self.headers.get("X-Auth-Token")) else None
            except OSError as error:
                self.answer(503, str(error), "text/html")
                return
            if roles is None or self.role not in roles:
                self.answer(401 if roles is None else 403, "Authentication required", "text/html")
                return
        self.answer(200, json.dumps({"href": "/analytics", "stand-in": NOTICE}), "application/json")


def analytics_api(arguments: list[str]) -> None:
    """Run contrail-analytics-api: it works with those of its Redis that a collector is beside."""
    settings = interpreted(files(arguments, "-c"))
    node = Node("contrail-analytics-api", settings.port("DEFAULTS.http_server_port", 8090))
    config_api.expect_collector(node, settings)
    keepers = settings.servers("DEFAULTS.zk_list")
    password = settings.get("REDIS.redis_password")

    def redis(server: str) -> Redis:
        session = ZooKeeper(any_of(keepers))
        try:
            name = socket.getfqdn(server.partition(":")[0])
            if name not in session.children(DISCOVERY):
                raise Refused(f"no collector is called {name}")
        finally:
            session.close()
        return Redis(server, password)

    node.expect("Zookeeper", "AnalyticsDiscovery", " ".join(keepers), lambda: ZooKeeper(any_of(keepers)))
    for server in settings.servers("REDIS.redis_uve_list"):
        node.expect("Redis-UVE", server, server, partial(redis, server))
    servers = settings.servers("DEFAULTS.api_server")
    node.expect("ApiServer", "Config", " ".join(servers), lambda: Api(any_of(servers)))
    handler = type("AnalyticsApi", (AnalyticsApi,), {"keystone": Keystone(settings)})
    address = settings.get("DEFAULTS.rest_api_ip", "0.0.0.0")
    serve(handler, address, settings.port("DEFAULTS.rest_api_port", 8081), node)
    serve(handler, "127.0.0.1", 8181, node)
    wait_for_ever()


def alarm_gen(arguments: list[str]) -> None:
    """Run contrail-alarm-gen."""
    settings = interpreted(files(arguments, "-c"))
    node = Node("contrail-alarm-gen", settings.port("DEFAULTS.http_server_port", 5995))
    config_api.expect_collector(node, settings)
    keepers, brokers = settings.servers("DEFAULTS.zk_list"), settings.servers("KAFKA.kafka_broker_list")
    node.expect("Zookeeper", "AlarmGenerator", " ".join(keepers), lambda: ZooKeeper(any_of(keepers)))
    node.expect("KafkaPub", "Kafka", " ".join(brokers), lambda: Kafka(any_of(brokers)))
    for server in settings.servers("REDIS.redis_uve_list"):
        node.expect("Redis-UVE", server, server, partial(Redis, server, settings.get("REDIS.redis_password")))
    expect_config_database(node, settings, ",")
    wait_for_ever()


PROGRAMS: Mapping[str, Callable[[list[str]], None]] = {
    "contrail-api": api,
    "contrail-schema": partial(config_program, "contrail-schema", 8087),
    "contrail-svc-monitor": partial(config_program, "contrail-svc-monitor", 8088),
    "contrail-control": control,
    "contrail-dns": dns,
    "contrail-named": named,
    "contrail-rndc": lambda _: None,
    "contrail-collector": collector,
    "contrail-query-engine": query_engine,
    "contrail-analytics-api": analytics_api,
    "contrail-alarm-gen": alarm_gen,
}


def main(path: str, arguments: list[str]) -> None:
    """Run the program that is called like the last part of a path."""
    # An error in a thread is one of the program.
    threading.excepthook = lambda told: print(f"thread: {told.exc_value!r}", flush=True)
    print(f"{path}: {NOTICE}", flush=True)
    PROGRAMS[Path(path).name](arguments)
