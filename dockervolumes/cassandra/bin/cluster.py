"""What the programs of a member share: how the cluster is meant to be, and how its parts are asked."""

import contextlib
import json
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cql
from kazoo.client import KazooClient

SETTINGS = "/etc/cassandra/cluster.json"
ZOOKEEPER_PASSWORD = "/etc/zookeeper/admin-password"
ADMIN, SERVICE = "admin", "opensdn"
"""Cassandra's roles: who may everything, and who has data in it."""
ZOOKEEPER_PORT = 2181
ZOOKEEPER_ADMIN = "super"
JOINED = Path("/var/lib/cassandra/joined")
"""Lies there while the node is part of Cassandra's ring: cassandra-settle and cassandra-membership see to it."""
WANTED = "/dockstack/members"
"""The node of ZooKeeper's that holds the addresses of the members that the lab is meant to have."""
NODETOOL_SECONDS = 600


class Unready(Exception):
    """A part of the cluster isn't as it has to be: why."""


@dataclass(frozen=True)
class Member:
    """One container of the cluster.

    `id`: ZooKeeper's number of it, and Kafka's; it follows from the address, so that none moves when another goes.
    """

    name: str
    address: str
    id: int

    @property
    def server(self) -> str:
        """Return what ZooKeeper's ensemble is told of it."""
        return f"server.{self.id}={self.address}:2888:3888:participant;{self.address}:{ZOOKEEPER_PORT}"


@dataclass(frozen=True)
class Cluster:
    """The cluster as configured, as one of its members knows it."""

    own: Member
    members: tuple[Member, ...]
    admin_password: str
    service_password: str
    zookeeper_password: str

    @property
    def others(self) -> tuple[Member, ...]:
        """Return the members besides this one."""
        return tuple(member for member in self.members if member != self.own)

    @property
    def first(self) -> bool:
        """Return whether this is the member that begins a cluster where there is none."""
        return self.own == self.members[0]

    def named(self, name: str) -> Member | None:
        """Return the member of a name or a full name; None where there is none."""
        return next((member for member in self.members if name in (member.name, member.name.partition(".")[0])), None)

    def as_admin(self, address: str = "") -> cql.Connection:
        """Log in to a node of Cassandra's, this one if no other is named, as who may everything."""
        return cql.Connection(address or self.own.address, ADMIN, self.admin_password)

    @contextlib.contextmanager
    def zookeeper(self, at: Member | None = None, seconds: float = 10) -> Iterator[KazooClient]:
        """Log in to the ensemble, by this member's own server if no other is named.

        Raises:
            Unready: when it doesn't serve.
        """
        client = KazooClient(f"{(at or self.own).address}:{ZOOKEEPER_PORT}", timeout=seconds, auth_data=[self._digest])
        try:
            client.start(timeout=seconds)
        except Exception as error:
            client.close()
            raise Unready(f"ZooKeeper does not serve: {error}") from error
        try:
            yield client
        finally:
            client.stop()
            client.close()

    @property
    def _digest(self) -> tuple[str, str]:
        return "digest", f"{ZOOKEEPER_ADMIN}:{self.zookeeper_password}"


def read() -> Cluster:
    """Return the cluster as Puppet has written it down."""
    with open(SETTINGS, encoding="utf-8") as file:
        told = json.load(file)
    with open(ZOOKEEPER_PASSWORD, encoding="utf-8") as file:
        zookeeper_password = file.read()
    members = tuple(Member(**member) for member in told["members"])
    own = next(member for member in members if member.name == told["own"])
    return Cluster(own, members, told["admin_password"], told["service_password"], zookeeper_password)


def listens(address: str, port: int, seconds: float = 2) -> bool:
    """Say whether something takes connections there."""
    try:
        socket.create_connection((address, port), timeout=seconds).close()
    except OSError:
        return False
    return True


def four_letters(address: str, word: str, seconds: float = 5) -> str:
    """Return what a server of ZooKeeper's says to one of its four letter words; nothing where it doesn't answer."""
    try:
        with socket.create_connection((address, ZOOKEEPER_PORT), timeout=seconds) as connection:
            connection.sendall(word.encode())
            with connection.makefile("rb") as stream:
                return stream.read().decode()
    except OSError:
        return ""


def serves(address: str) -> bool:
    """Say whether a server of ZooKeeper's is part of an ensemble that has a quorum."""
    return "\nMode: " in four_letters(address, "srvr")


def nodetool(*arguments: str) -> str:
    """Have Cassandra's node in this container do something, and return what that printed.

    Raises:
        Unready: when it refuses, in its own words.
    """
    done = subprocess.run(
        ["nodetool", *arguments], text=True, capture_output=True, timeout=NODETOOL_SECONDS, check=False
    )
    if done.returncode != 0:
        raise Unready(f"nodetool {arguments[0]}: {(done.stderr or done.stdout).strip()[-500:]}")
    return done.stdout
