"""Cassandra, ZooKeeper and Kafka with three members: one is lost, one goes and comes, all are lost; no data are."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.lab.datastores import asked_of_redis, cql, lets_in
from tests.lab.harness import (
    Make,
    Stack,
    config,
    eventually,
    inside,
    inventory,
    kill_container,
    kill_containers,
    left_since,
    long_drill,
    puppet_runs,
    started_at,
)
from tests.lab.secrets_of_lab import Secrets, exported

pytestmark = [pytest.mark.lab, pytest.mark.drill, long_drill]

NAME = "t75"
REDIS, MEMBERS = f"{NAME}-redis", [f"{NAME}-c{number}" for number in (1, 2, 3)]
ADDRESS = {
    name: f"10.86.75.{10 + index}" for index, name in enumerate((f"{NAME}-dns", f"{NAME}-puppet", REDIS, *MEMBERS))
}
WRITES_BEFORE, WRITES_AFTER = 20, 40
TABLE = "kept.rows"
TOPIC = "kept"


def stack_of(members: Sequence[str]) -> dict[str, Any]:
    """Return the configuration of a lab with these members."""
    roles = {
        f"{NAME}-dns": "dnsmasq",
        f"{NAME}-puppet": "puppet",
        REDIS: "redis",
        **dict.fromkeys(members, "cassandra"),
    }
    return config(75, {name: {"role": role, "address": ADDRESS[name]} for name, role in roles.items()})


class Rows:
    """Rows that the cluster has acknowledged at QUORUM, and only those."""

    def __init__(self, password: str) -> None:
        self.password = password
        self._number = 0
        self.acknowledged: list[int] = []

    def login(self, member: str) -> Any:
        """Log in to a member as the services do."""
        return cql.Connection(ADDRESS[member], "opensdn", self.password)

    def write(self) -> bool:
        """Write a row by whichever member takes it; return whether that was acknowledged."""
        self._number += 1
        for member in MEMBERS:
            try:
                with self.login(member) as node:
                    node.run(f"INSERT INTO {TABLE} (id) VALUES ({self._number})", cql.QUORUM)
            except (OSError, cql.Refused):
                continue
            self.acknowledged.append(self._number)
            return True
        return False

    def missing(self, member: str) -> set[int]:
        """Return the acknowledged rows that a member doesn't find at QUORUM."""
        with self.login(member) as node:
            return set(self.acknowledged) - {row["id"] for row in node.run(f"SELECT id FROM {TABLE}", cql.QUORUM)}

    def while_written(self, loss: Callable[[], None]) -> None:
        """Have rows written without a pause, lose something meanwhile, and go on until there are enough after it."""
        ended = threading.Event()

        def write_on() -> None:
            while not ended.is_set():
                self.write()

        writer = threading.Thread(target=write_on)
        writer.start()
        try:
            before = len(self.acknowledged)
            eventually("rows are acknowledged", lambda: len(self.acknowledged) - before > WRITES_BEFORE)
            loss()
            lost_at = len(self.acknowledged)
            eventually("and go on to be", lambda: len(self.acknowledged) - lost_at > WRITES_AFTER, 240)
        finally:
            ended.set()
            writer.join()


def ring(member: str) -> dict[str, str]:
    """Return the state of each node as a member's own tool tells it, by address."""
    told = inside(member, "nodetool", "status")
    return {found[2]: found[1] for found in re.finditer(r"(?m)^([UD][NLJM])\s+(\S+)", told)}


def told(member: str, what: str) -> Any:
    """Return what a member's own scripts tell: ``ensemble``, ``copies``; nothing, after they have made a ``topic``."""
    return json.loads(inside(member, "python3", "-", what, TOPIC, stdin=PROBE))


PROBE = """
import json, sys
sys.dont_write_bytecode = True
sys.path.insert(0, "/etc/dockstack/bin")
from importlib.machinery import SourceFileLoader
import cluster
membership = SourceFileLoader("membership", "/etc/dockstack/bin/cassandra-membership").load_module()
what, topic = sys.argv[1:]
meant = cluster.read()
with meant.zookeeper() as client:
    if what == "topic":
        # As Kafka's own tool did it, when it still asked ZooKeeper.
        replicas = {str(partition): [member.id for member in meant.members] for partition in range(3)}
        client.create(f"/config/topics/{topic}", json.dumps({"version": 1, "config": {}}).encode())
        client.create(f"/brokers/topics/{topic}", json.dumps({"version": 1, "partitions": replicas}).encode())
        print("null")
    elif what == "ensemble":
        print(json.dumps(list(membership.ensemble(client).values())))
    else:
        states = [f"/brokers/topics/{topic}/partitions/{partition}/state" for partition in range(3)]
        insync = [json.loads(client.get(state)[0])["isr"] for state in states if client.exists(state)]
        kept = membership.replication(meant)
        print(json.dumps({
            "roles": kept["system_auth"][1],
            "rows": kept["kept"][1],
            "partitions": [len(brokers) for brokers in insync],
        }))
"""


def await_members(members: Sequence[str], rows: Rows) -> None:
    """Wait until these members, and no others, are everything's, and find all that was acknowledged."""
    wanted = {ADDRESS[member] for member in members}
    whole = dict.fromkeys(wanted, "UN")
    eventually("all know of these members alone", lambda: all(ring(member) == whole for member in members), interval=1)
    for member in members:
        assert set(told(member, "ensemble")) == wanted
        assert rows.missing(member) == set()
    there = {"roles": len(members), "rows": len(members), "partitions": [len(members)] * 3}
    eventually("there are as many copies of all as members", lambda: told(members[0], "copies") == there, interval=1)


def secrets_of(made: Stack) -> Secrets:
    """Return the stack's generated secrets."""
    return exported(made.pulumi("stack", "export", "--show-secrets").stdout)


def test_what_was_acknowledged_outlives_a_members_loss_its_removal_and_all_members_loss(stack: Make) -> None:
    before = inventory()
    made = stack(NAME, stack_of(MEMBERS))
    made.up()
    rows = begin(made)
    lose_one(rows)
    remove_and_add(made, rows)
    rotate(made, rows)
    lose_all(made, rows)
    made.destroy()
    assert left_since(before) == {}


def begin(made: Stack) -> Rows:
    """Have something to keep, and be let in by the lab's passwords alone."""
    secrets = secrets_of(made)
    rows = Rows(secrets["cassandra_opensdn"])
    with rows.login(MEMBERS[0]) as node:
        node.run("CREATE KEYSPACE kept WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}")
        node.run(f"CREATE TABLE {TABLE} (id int PRIMARY KEY)")
        with pytest.raises(cql.Refused, match="sufficient privileges"):
            node.run("ALTER ROLE admin WITH PASSWORD = 'taken'")
    told(MEMBERS[0], "topic")
    for user, password in (("cassandra", "cassandra"), ("opensdn", "opensdn"), ("admin", "admin")):
        assert not lets_in(ADDRESS[MEMBERS[1]], user, password)
    assert lets_in(ADDRESS[MEMBERS[1]], "admin", secrets["cassandra_admin"])
    assert b"NOAUTH" in asked_of_redis(ADDRESS[REDIS], "PING")
    assert b"+PONG" in asked_of_redis(ADDRESS[REDIS], f"AUTH {secrets['redis']}", "PING")
    return rows


def lose_one(rows: Rows) -> None:
    """Kill a member while rows are written."""
    rows.while_written(lambda: kill_container(MEMBERS[1]))
    await_members(MEMBERS, rows)


def remove_and_add(made: Stack, rows: Rows) -> None:
    """Take a member out of the configuration, and put it in again."""
    made.configure(stack_of(MEMBERS[:2]))
    made.up()
    assert rows.write()
    await_members(MEMBERS[:2], rows)
    made.configure(stack_of(MEMBERS))
    made.up()
    await_members(MEMBERS, rows)
    made.preview("--expect-no-changes")
    assert {done.returncode for done in puppet_runs([REDIS, *MEMBERS], "--detailed-exitcodes").values()} == {0}


def rotate(made: Stack, rows: Rows) -> None:
    """Have other passwords, without a restart of a container."""
    old, since = secrets_of(made), started_at(NAME)
    state = json.loads(made.pulumi("stack", "export").stdout)["deployment"]["resources"]
    urns = {urn.rpartition("::")[2]: urn for urn in (resource["urn"] for resource in state)}
    names = ("cassandra_admin", "cassandra_opensdn", "zookeeper_admin", "redis")
    made.pulumi(
        "up", "--yes", "--skip-preview", *(word for name in names for word in ("--replace", urns[f"secret-{name}"]))
    )
    new = secrets_of(made)
    assert all(new[name] != old[name] for name in names)
    assert started_at(NAME) == since
    member = ADDRESS[MEMBERS[1]]
    for name in ("admin", "opensdn"):
        # What a node knows of a role, it knows for two seconds.
        eventually("the former is refused", lambda: not lets_in(member, name, old[f"cassandra_{name}"]))  # noqa: B023
        assert lets_in(member, name, new[f"cassandra_{name}"])
    assert b"WRONGPASS" in asked_of_redis(ADDRESS[REDIS], f"AUTH {old['redis']}")
    assert b"+PONG" in asked_of_redis(ADDRESS[REDIS], f"AUTH {new['redis']}", "PING")
    rows.password = new["cassandra_opensdn"]
    await_members(MEMBERS, rows)


def lose_all(made: Stack, rows: Rows) -> None:
    """Kill all containers at once."""
    kill_containers(NAME)
    eventually("rows are acknowledged again", rows.write, 240)
    await_members(MEMBERS, rows)
    made.preview("--expect-no-changes")
