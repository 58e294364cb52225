"""What OpenSDN's roles have in common: who they are for the others, what they work with, and how they are checked.

Facts about its programs are those of its repositories, branch R25.1: https://github.com/OpenSDN-io.
"""

from __future__ import annotations

from components.configuration.environment import Container
from components.configuration.readers import OPENSDN, Reader
from components.services import cassandra
from components.services.role import Check, Hiera, SecretNames
from components.services.topology import Topology

USER = "opensdn"
"""The user that its programs are for Keystone and for RabbitMQ."""
API_PORT, ANALYTICS_PORT, WEB_PORT = 8082, 8081, 8143
BROKER_PORT, COLLECTOR_PORT = 5672, 8086
CONTROL_PORTS = {"bgp": 179, "xmpp": 5269}


def functional(port: int) -> Check:
    """Return the check that a program has all the connections that it expects, by its introspect port."""
    return Check(port=port, path="/Snh_SandeshUVECacheReq?x=NodeStatus", contains=">Functional<")


def addresses(topology: Topology, role: str, port: int) -> list[str]:
    """Return the members of a role, ``address:port``."""
    return [f"{member.address}:{port}" for member in topology.members(role)]


def place(profile: str, topology: Topology, container: Container) -> Hiera:
    """Return the parameters of a profile that say where its container is, and where it finds the lab's APIs."""
    return {
        f"{profile}::address": str(container.address),
        f"{profile}::vip_name": topology.vip_name,
        f"{profile}::keystone_url": topology.identity_api,
        f"{profile}::region": topology.environment.region,
    }


def common_hiera(topology: Topology, container: Container) -> Hiera:
    """Return the parameters that config, analytics and control share."""
    return {
        **place("profile::config::common", topology, container),
        "profile::config::common::cassandra_servers": topology.cassandra_servers,
        "profile::config::common::zookeeper_servers": topology.zookeeper_servers,
        "profile::config::common::rabbit_servers": addresses(topology, "rabbitmq", BROKER_PORT),
        "profile::config::common::collectors": addresses(topology, "analytics", COLLECTOR_PORT),
        "profile::config::common::api_servers": addresses(topology, "config", API_PORT),
    }


def common_secrets() -> SecretNames:
    """Return the secrets that config, analytics and control share."""
    return {
        "profile::config::common::identity_password": f"{USER}_identity",
        "profile::config::common::rabbit_password": f"rabbitmq_{USER}",
        "profile::config::common::cassandra_password": cassandra.SECRET,
    }


COMMON_READERS: dict[str, tuple[Reader, ...]] = dict.fromkeys(common_secrets(), (OPENSDN,))
