"""Cassandra, ZooKeeper and Kafka: where OpenSDN's services keep their data, and what they tell each other by."""

from __future__ import annotations

from components.configuration.environment import Container
from components.configuration.readers import BCRYPT, OPENSDN
from components.services.role import Check, Hiera, Membership, Requirements, Role, SecretNames, config_entry
from components.services.topology import CASSANDRA_PORT, KAFKA_PORT, ZOOKEEPER_PORT, Topology

USER = "opensdn"
"""The role of Cassandra's that the services log in as."""
SECRET = "cassandra_opensdn"
"""Name of the secret with its password."""


def _hiera(topology: Topology, container: Container) -> Hiera:
    return {
        "profile::cassandra::address": str(container.address),
        "profile::cassandra::members": [
            {"name": m.fqdn, "address": str(m.address), "id": m.address.packed[-1]}
            for m in topology.members("cassandra")
        ],
    }


def _secrets(_requirements: Requirements) -> SecretNames:
    return {
        "profile::cassandra::admin_password": "cassandra_admin",
        "profile::cassandra::service_password": SECRET,
        "profile::cassandra::zookeeper_password": "zookeeper_admin",
    }


MEMBERSHIP = "/etc/dockstack/bin/cassandra-membership"

ROLE = Role(
    name="cassandra",
    memory_mib=700,
    disk_mib=600,
    most=3,
    quorum=True,
    # ZooKeeper's servers and Kafka's brokers: no number moves when a member goes.
    numbered=True,
    # A first member by itself has no majority in ZooKeeper, and would wait for the others for ever.
    in_turn=False,
    data={"cassandra": "/var/lib/cassandra", "zookeeper": "/var/lib/zookeeper", "kafka": "/var/lib/kafka"},
    endpoints={
        "cassandra": f"tcp://{{address}}:{CASSANDRA_PORT}",
        "zookeeper": f"tcp://{{address}}:{ZOOKEEPER_PORT}",
        "kafka": f"tcp://{{address}}:{KAFKA_PORT}",
    },
    checks=(
        *(Check(port=port) for port in (CASSANDRA_PORT, ZOOKEEPER_PORT, KAFKA_PORT)),
        Check(command=("/etc/dockstack/bin/cassandra-ready",)),
    ),
    check_seconds=300,
    memberships=(
        Membership(
            name="ring",
            role="cassandra",
            join=(MEMBERSHIP, "join"),
            joined=(MEMBERSHIP, "joined"),
            retire=(MEMBERSHIP, "retire"),
            leave=(MEMBERSHIP, "leave"),
        ),
        config_entry("config-database-node"),
        config_entry("database-node"),
    ),
    packages=("libzookeeper-java", "openjdk-21-jre-headless"),
    hiera=_hiera,
    secrets=_secrets,
    readers={
        "profile::cassandra::admin_password": (OPENSDN, BCRYPT),
        "profile::cassandra::service_password": (OPENSDN, BCRYPT),
        "profile::cassandra::zookeeper_password": (OPENSDN,),
    },
)
