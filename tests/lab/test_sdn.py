"""OpenSDN in a lab of its own, on stand-ins for its published images, which can't be had everywhere.

tests/standins says what these do and don't. Cassandra, ZooKeeper, Kafka, RabbitMQ, Redis and Keystone are real.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hostside import web
from tests.lab import cloud as clouds
from tests.lab.acknowledged import FAULTS
from tests.lab.browser import Browser
from tests.lab.datastores import asked_of_redis, cql, lets_in
from tests.lab.harness import (
    Stack,
    authority,
    config,
    eventually,
    inside,
    inspect,
    inventory,
    kill_containers,
    left_since,
    long_drill,
    network_of,
    puppet_runs,
    run,
    started_at,
)
from tests.lab.neighbour import neighbour
from tests.lab.secrets_of_lab import Secrets, exported
from tests.standins import images

pytestmark = [pytest.mark.lab, pytest.mark.drill]

NUMBER = 80
STACK = f"t{NUMBER}"
ROLES = (
    *("dnsmasq", "puppet", "haproxy", "galera", "rabbitmq", "memcached", "redis", "keystone"),
    *("cassandra", "config", "analytics", "control", "webui"),
)
OURS = ("config", "analytics", "control", "webui")
PORTS = {"config": (8084, 8087, 8088), "analytics": (8089, 8090, 8091, 5995), "control": (8083, 8092)}
"""The introspect ports."""
PROGRAMS = {
    "config": ("contrail-api", "contrail-schema", "contrail-svc-monitor"),
    "analytics": (
        *("contrail-collector", "contrail-query-engine", "contrail-analytics-api", "contrail-alarm-gen"),
        "redis-server",
    ),
    "control": ("contrail-control", "contrail-dns", "contrail-named"),
    "webui": ("webui-web", "webui-job", "redis-server"),
    "redis": ("redis-server",),
    "cassandra": ("cassandra", "kafka", "zookeeper"),
}
NODES = {
    "config-node": "config",
    "config-database-node": "cassandra",
    "database-node": "cassandra",
    "analytics-node": "analytics",
}
"""The role behind each type of node."""
ASN = 65010
ROUTER, NEIGHBOUR = "10.86.158.1", "10.86.158.2"
"""The host's address and that of one who is beside it."""
RECOVERY_SECONDS = 120
ROTATED = (
    *("cassandra_admin", "cassandra_opensdn", "zookeeper_admin", "redis", "analytics_redis", "webui_redis"),
    *("rabbitmq_opensdn", "opensdn_identity", "control_rndc"),
)
"""The passwords that OpenSDN's programs and what they keep their data in know each other by."""
UPGRADED = ("cassandra", "config", "control")
LABEL = "dockstack.test"
LISTENING = re.compile(r"^LISTEN\s+\d+\s+\d+\s+(\S+):(\d+)\s", re.MULTILINE)
"""Address and port of each row of ss."""


def name(role: str) -> str:
    """Return the container of a role."""
    return f"{STACK}-{role}1"


def settings(opensdn: Mapping[str, str], *, without: str = "", **addresses: str) -> dict[str, Any]:
    """Return the stack's configuration, without a role and with other addresses where these are given."""
    given = {name(role): {"role": role} for role in ROLES}
    made = config(NUMBER, given, tls=True, sdn={"asn": ASN}) | {"opensdn": dict(opensdn)}
    for role, address in addresses.items():
        made["containers"][name(role)]["address"] = address
    made["containers"].pop(name(without), None)
    return made


@dataclass(frozen=True)
class Sdn:
    """The stack, up, and what it was made from."""

    stack: Stack
    opensdn: Mapping[str, str]
    addresses: Mapping[str, str]
    openrc: str
    before: Mapping[str, list[str]]

    def api(self, method: str, path: str, body: object = None, *, token: bool = True) -> Any:
        """Ask the config API at the VIP, as the administrator."""
        headers = {"Content-Type": "application/json"}
        if token:
            headers["X-Auth-Token"] = str(clouds.connect(self.openrc).auth_token)
        data = None if body is None else json.dumps(body).encode()
        url = f"https://vip.{STACK}.lab:8082{path}"
        request = urllib.request.Request(url, data, headers, method=method)
        with web.opener(authority(STACK)).open(request, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def objects(self, kind: str) -> dict[str, dict[str, Any]]:
        """Return the objects of a type by the last part of their names."""
        listed = self.api("GET", f"/{kind}s?detail=True")[f"{kind}s"]
        return {each[kind]["fq_name"][-1]: each[kind] for each in listed}

    def secrets(self) -> Secrets:
        """Return the generated secrets."""
        return exported(self.stack.pulumi("stack", "export", "--show-secrets").stdout)

    def differs(self) -> str:
        """Return what a preview would change, in one line; nothing where there is nothing."""
        done = self.stack.preview("--expect-no-changes", "--diff", check=False)
        return " ".join((done.stdout + done.stderr).split()) if done.returncode else ""


@pytest.fixture(scope="module")
def sdn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sdn]:
    before = inventory()
    opensdn = images.build()
    stack = Stack(STACK, tmp_path_factory.mktemp("sdn"), settings(opensdn))
    try:
        stack.up()
        outputs = stack.outputs()
        yield Sdn(stack, opensdn, outputs["addresses"], outputs["openrc"], before)
    finally:
        stack.end()


def test_another_up_would_change_nothing(sdn: Sdn) -> None:
    assert sdn.differs() == ""


def test_a_second_puppet_run_finds_everything_as_it_is(sdn: Sdn) -> None:
    ended = puppet_runs([name(role) for role in (*OURS, "rabbitmq", "haproxy")], "--test")
    assert {each: done.returncode for each, done in ended.items()} == dict.fromkeys(ended, 0), ended


def test_the_config_api_knows_the_nodes_under_their_names_and_addresses(sdn: Sdn) -> None:
    for kind, role in NODES.items():
        (node,) = sdn.objects(kind).values()
        assert node["fq_name"] == ["default-global-system-config", f"{name(role)}.{STACK}.lab"]
        assert node[f"{kind.replace('-', '_')}_ip_address"] == sdn.addresses[name(role)]
    ((router_name, router),) = sdn.objects("bgp-router").items()
    parameters = router["bgp_router_parameters"]
    assert router_name == f"{name('control')}.{STACK}.lab"
    assert (parameters["address"], parameters["autonomous_system"]) == (sdn.addresses[name("control")], ASN)
    (system,) = sdn.objects("global-system-config").values()
    assert system["autonomous_system"] == ASN and [each["to"][-1] for each in system["bgp_router_refs"]] == [
        router_name
    ]
    (vrouter,) = sdn.objects("global-vrouter-config").values()
    assert vrouter["encapsulation_priorities"] == {"encapsulation": ["MPLSoUDP", "MPLSoGRE", "VXLAN"]}


def test_the_config_api_wants_a_token_and_stands_in_keystones_catalogue(sdn: Sdn) -> None:
    with pytest.raises(urllib.error.HTTPError, match="401"):
        sdn.api("GET", "/config-nodes", token=False)
    cloud = clouds.connect(sdn.openrc)
    assert cloud.session.get_endpoint(service_type="sdn", interface="public") == f"https://vip.{STACK}.lab:8082"


def test_a_name_that_a_program_in_cpp_does_not_know_ends_it(sdn: Sdn) -> None:
    """The stand-ins are strict: what runs with the rendered files has found nothing unknown there."""
    command = "cat /etc/contrail/contrail-dns.conf > /tmp/x; echo '[DEFAULT]\nhost_ip=1' >> /tmp/x"
    inside(name("control"), "sh", "-c", command)
    said = inside(name("control"), "sh", "-c", "contrail-dns --conf_file /tmp/x 2>&1; rm /tmp/x")
    assert "unrecognised option 'DEFAULT.host_ip'" in said


def test_what_is_shown_says_that_it_is_a_stand_in(sdn: Sdn) -> None:
    for role, port in (("config", 8082), ("config", 8084), ("control", 8083), ("analytics", 8081)):
        with web.opener().open(f"http://{sdn.addresses[name(role)]}:{port}/", timeout=10) as answer:
            assert b"stand-in for OpenSDN" in answer.read()


def test_a_person_logs_in_at_the_web_console_and_sees_the_config_node(sdn: Sdn, tmp_path: Path) -> None:
    browser = Browser(tmp_path / "profile", authority(STACK))
    try:
        browser.open(f"https://vip.{STACK}.lab:8143/")
        browser.find("#username")
        for password, said in (("wrong", "Invalid"), (clouds.environment(sdn.openrc)["OS_PASSWORD"], "Signed in")):
            browser.type("#username", "admin")
            browser.type("#password", password)
            browser.click("button")
            browser.until(said, lambda said=said: said in browser.text())  # type: ignore[misc]
        browser.until("the config node", lambda: f"{name('config')}.{STACK}.lab" in browser.text())
        browser.picture("opensdn-stand-in")
    finally:
        browser.end()


def listening(container: str) -> Iterator[tuple[str, int]]:
    """Yield where a container's programs listen for others than themselves."""
    for address, port in LISTENING.findall(run(*network_of(container), "ss", "-Hltn").stdout):
        # Docker's own DNS server is at another address of the loopback.
        if not address.startswith("127."):
            yield address, int(port)


def test_nothing_of_it_is_reached_from_outside_the_labs_bridge(sdn: Sdn) -> None:
    found = {role: {port for _, port in listening(name(role))} for role in (*OURS, "cassandra", "redis")}
    for role, ports in {**PORTS, "webui": (8143,), "cassandra": (9042, 2181, 9092), "redis": (6379,)}.items():
        assert found[role] >= set(ports)
    assert found["config"] >= {8082} and found["analytics"] >= {8081, 8086, 6379} and found["control"] >= {53, 179}
    targets = [(sdn.addresses[name(role)], port) for role, ports in found.items() for port in ports]
    for target in targets:
        socket.create_connection(target, timeout=5).close()
    targets += [(f"10.86.{NUMBER}.250", port) for port in (8081, 8082, 8143)]
    at_host = [(ROUTER, port) for port in set().union(*found.values())]
    with neighbour(f"{STACK}-neighbour", ROUTER, NEIGHBOUR) as other:
        assert other.reached([*targets, *at_host]) == []


def test_cassandra_and_each_redis_refuse_who_has_no_password(sdn: Sdn) -> None:
    cassandra = sdn.addresses[name("cassandra")]
    for user, password in (("", ""), ("cassandra", "cassandra"), ("opensdn", ""), ("opensdn", "opensdn")):
        with pytest.raises(cql.Refused):
            cql.Connection(cassandra, user, password)
    for role in ("redis", "analytics"):
        assert asked_of_redis(sdn.addresses[name(role)], "PING").startswith(b"-NOAUTH")
    assert "NOAUTH" in inside(name("webui"), "redis-cli", "-h", "127.0.0.1", "ping", check=False)


def functional(sdn: Sdn, role: str) -> bool:
    """Say whether all programs of a role have all their connections, as the role's own checks ask them."""
    if role in ("cassandra", "redis"):
        return run("docker", "exec", name(role), f"/etc/dockstack/bin/{role}-ready", check=False).returncode == 0
    try:
        if role == "webui":
            page = web.opener(checked=False).open(f"https://{sdn.addresses[name(role)]}:8143/", timeout=10)
            with page as answer:
                return b'content="OpenSDN Web Console"' in answer.read()
        for port in PORTS.get(role, ()):
            url = f"http://{sdn.addresses[name(role)]}:{port}/Snh_SandeshUVECacheReq?x=NodeStatus"
            with web.opener().open(url, timeout=10) as answer:
                if b">Functional<" not in answer.read():
                    return False
    except OSError:
        return False
    return True


def processes(role: str) -> dict[str, int]:
    """Return the processes of a role's programs that run."""
    said = inside(name(role), "supervisorctl", "status", check=False)
    return {program: int(number) for program, number in re.findall(r"^(\S+)\s+RUNNING\s+pid (\d+)", said, re.MULTILINE)}


@pytest.mark.parametrize(
    "role",
    ["control", *(pytest.param(role, marks=long_drill) for role in (*OURS, "redis", "cassandra") if role != "control")],
)
def test_each_program_that_is_killed_comes_back_and_works(sdn: Sdn, role: str) -> None:
    before = processes(role)
    assert set(before) == set(PROGRAMS[role])
    for number in before.values():
        inside(name(role), "kill", f"-{signal.SIGKILL.value}", str(number))

    def back() -> bool:
        now = processes(role)
        return now.keys() == before.keys() and not set(now.items()) & set(before.items()) and functional(sdn, role)

    eventually(f"{role} is back", back, RECOVERY_SECONDS, 1)
    all_work(sdn)


def all_work(sdn: Sdn) -> None:
    """Wait until each program has its connections."""
    for role in OURS:
        eventually(f"{role} works", lambda role=role: functional(sdn, role), RECOVERY_SECONDS, 1)  # type: ignore[misc]


def test_a_registration_that_somebody_removed_is_missed_and_made_again(sdn: Sdn) -> None:
    (node,) = sdn.objects("analytics-node").values()
    sdn.api("DELETE", f"/analytics-node/{node['uuid']}")
    assert f"{name('analytics')}-analytics-node" in sdn.differs()
    sdn.stack.up()
    (again,) = sdn.objects("analytics-node").values()
    assert again["fq_name"] == node["fq_name"] and again["uuid"] != node["uuid"]


@long_drill
def test_a_program_that_somebody_stopped_is_told_and_started_again(sdn: Sdn) -> None:
    sdn.stack.command("status", STACK)
    inside(name("control"), "supervisorctl", "stop", "contrail-dns")
    assert "contrail-dns" in sdn.stack.command("status", STACK, check=False).stdout
    assert f"{name('control')}-health" in sdn.differs()
    sdn.stack.up()
    assert functional(sdn, "control")
    sdn.stack.command("status", STACK)


class Kept:
    """What the lab has acknowledged: an object of the config API's, a node of ZooKeeper's, a topic, a key of Redis'."""

    def __init__(self, sdn: Sdn, called: str) -> None:
        """Have it acknowledged, under a name."""
        self._sdn, self._name = sdn, called
        named = ["default-global-system-config", called]
        node = {"fq_name": named, "parent_type": "global-system-config", "webui_node_ip_address": "192.0.2.1"}
        sdn.api("POST", "/webui-nodes", {"webui-node": node})
        self._of_cassandra("make")
        assert self._of_redis("SET", called, "kept") == "OK"
        # Its log is on the disk a second after that.
        time.sleep(1)
        eventually("the topic is there", self.there)

    def there(self) -> bool:
        """Say whether all of it is there; that there is a part of it only is an error where nothing else is awaited."""
        return all(self.parts())

    def parts(self) -> tuple[bool, bool, bool]:
        """Say of each part whether it is there."""
        return (
            self._name in self._sdn.objects("webui-node"),
            self._of_cassandra("look") == "whole",
            self._of_redis("GET", self._name) == "kept",
        )

    def _of_cassandra(self, what: str) -> str:
        return inside(name("cassandra"), "python3", "-", what, self._name, stdin=NODE_AND_TOPIC).strip()

    def _of_redis(self, *command: str) -> str:
        ask = 'REDISCLI_AUTH=$(cat /etc/redis/password) redis-cli -h "$@"'
        return inside(name("redis"), "sh", "-c", ask, "sh", self._sdn.addresses[name("redis")], *command).strip()


NODE_AND_TOPIC = """
import json, os, sys
sys.dont_write_bytecode = True
sys.path.insert(0, "/etc/dockstack/bin")
import cluster
meant = cluster.read()
what, name = sys.argv[1:]
state = f"/brokers/topics/{name}/partitions/0/state"
with meant.zookeeper() as client:
    if what == "make":
        client.create(f"/{name}", b"kept")
        client.create(f"/config/topics/{name}", json.dumps({"version": 1, "config": {}}).encode())
        replicas = {"0": [meant.own.id]}
        client.create(f"/brokers/topics/{name}", json.dumps({"version": 1, "partitions": replicas}).encode())
    elif client.exists(f"/{name}") and client.exists(state):
        led = json.loads(client.get(state)[0])["leader"] == meant.own.id
        print("whole" if led and os.path.isdir(f"/var/lib/kafka/logs/{name}-0") else "without its log")
"""


@long_drill
def test_what_was_acknowledged_outlives_the_loss_of_all_containers(sdn: Sdn) -> None:
    kept, before = Kept(sdn, "kept-in-a-power-cut"), started_at(STACK)
    since = time.monotonic()
    kill_containers(STACK)
    eventually("all start again", lambda: all(at != before[each] for each, at in started_at(STACK).items()))
    eventually("all is there", lambda: answered(kept.there), RECOVERY_SECONDS, 1)
    all_work(sdn)
    print(f"process 1 of every container killed: all works after {time.monotonic() - since:.1f} s")
    assert sdn.differs() == ""


def answered(there: Callable[[], bool]) -> bool:
    """Say whether something is there, which it isn't either where nobody answers."""
    try:
        return there()
    except (OSError, AssertionError, *FAULTS):
        return False


@long_drill
def test_other_passwords_are_the_only_good_ones_and_a_backup_of_before_is_restored_to_them(
    sdn: Sdn, tmp_path: Path
) -> None:
    file = str(tmp_path / "sdn.tar.zst")
    before, running = Kept(sdn, "kept-in-a-backup"), started_at(STACK)
    print(sdn.stack.command("backup", "backup", STACK, file).stdout)
    _rotated(sdn)
    # Nothing was restarted by either.
    assert started_at(STACK) == running
    later = Kept(sdn, "made-after-it")
    (node,) = sdn.objects("analytics-node").values()
    sdn.api("DELETE", f"/analytics-node/{node['uuid']}")
    sdn.stack.command("backup", "restore", STACK, file)
    sdn.stack.pulumi("up", "--yes", "--skip-preview", "--refresh")
    all_work(sdn)
    assert before.there()
    assert not any(later.parts())
    assert sdn.objects("analytics-node")[node["fq_name"][-1]]["uuid"] == node["uuid"]
    assert sdn.differs() == ""


def _rotated(sdn: Sdn) -> None:
    old = sdn.secrets()
    sdn.stack.command("rotate", STACK, *ROTATED)
    new = sdn.secrets()
    assert {each for each in old if new[each] != old[each]} == set(ROTATED)
    all_work(sdn)
    cassandra, redis = sdn.addresses[name("cassandra")], sdn.addresses[name("redis")]
    # What a node knows of a role, it knows for two seconds.
    eventually("the former is refused", lambda: not lets_in(cassandra, "opensdn", old["cassandra_opensdn"]))
    assert lets_in(cassandra, "opensdn", new["cassandra_opensdn"])
    for address, secret in ((redis, "redis"), (sdn.addresses[name("analytics")], "analytics_redis")):
        assert asked_of_redis(address, f"AUTH {old[secret]}").startswith(b"-WRONGPASS")
        assert asked_of_redis(address, f"AUTH {new[secret]}").startswith(b"+OK")
    check = ("docker", "exec", "-i", name("rabbitmq"), "rabbitmqctl", "authenticate_user", "opensdn")
    assert run(*check, stdin=old["rabbitmq_opensdn"], check=False).returncode != 0
    run(*check, stdin=new["rabbitmq_opensdn"])
    assert sdn.differs() == ""


@long_drill
def test_an_upgrade_replaces_one_container_after_the_other(sdn: Sdn) -> None:
    kept, before = Kept(sdn, "kept-in-an-upgrade"), started_at(STACK)
    changed = settings(sdn.opensdn)
    services = sdn.stack.outputs()["services"]
    tags = [f"dockstack-test/{role}:next" for role in UPGRADED]
    for role, tag in zip(UPGRADED, tags, strict=True):
        image = services[name(role)]["image"]
        run("docker", "build", "--quiet", "--tag", tag, "-", stdin=f"FROM {image}\nLABEL {LABEL}=next\n")
        changed["containers"][name(role)]["image"] = tag
    try:
        sdn.stack.configure(changed)
        said = sdn.stack.command("upgrade", STACK).stdout
        turns = re.findall(r"^Upgrade \d+ of \d+: (\S+)$", said, re.MULTILINE)
        assert set(turns) == {name(role) for role in UPGRADED}
        after = started_at(STACK)
        assert {each for each in before if after[each] != before[each]} == set(turns)
        assert {inspect(each)["Config"]["Labels"].get(LABEL) for each in turns} == {"next"}
        all_work(sdn)
        assert kept.there()
        assert sdn.differs() == ""
    finally:
        sdn.stack.configure(settings(sdn.opensdn))
        sdn.stack.up()
        run("docker", "image", "rm", "--no-prune", *tags)
    all_work(sdn)
    assert kept.there()


@long_drill
def test_what_leaves_or_moves_leaves_nothing_of_what_it_was(sdn: Sdn) -> None:
    moved = f"10.86.{NUMBER}.99"
    sdn.stack.configure(settings(sdn.opensdn, without="control", analytics=moved))
    sdn.stack.up()
    assert not sdn.objects("bgp-router")
    (system,) = sdn.objects("global-system-config").values()
    assert not system["bgp_router_refs"]
    (node,) = sdn.objects("analytics-node").values()
    assert node["analytics_node_ip_address"] == moved
    assert sdn.differs() == ""


def test_a_registry_that_cant_be_reached_is_told_before_the_first_resource(sdn: Sdn) -> None:
    sdn.stack.configure(settings({"registry": "registry.invalid/opensdn", "tag": "R25.1-2026-05-28"}))
    done = sdn.stack.preview(check=False)
    assert done.returncode != 0
    said = " ".join((done.stdout + done.stderr).split())
    assert "dockstack:opensdn: host local lacks registry.invalid/opensdn/opensdn-" in said and "Name a mirror" in said
    sdn.stack.configure(settings(sdn.opensdn))


def test_destroy_leaves_nothing(sdn: Sdn) -> None:
    sdn.stack.destroy()
    assert left_since(sdn.before) == {}
    assert not os.path.exists(f"/var/lib/dockstack/stacks/{STACK}/ca.pem")
