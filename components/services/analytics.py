"""OpenSDN's analytics role: the collector that all of its programs report to, what asks it, and what raises alarms."""

from __future__ import annotations

from components.configuration.environment import Container
from components.configuration.readers import OPENSDN
from components.services import opensdn
from components.services.role import Check, Frontend, Hiera, Requirements, Role, SecretNames, Stage, config_entry
from components.services.topology import Topology


def _hiera(topology: Topology, container: Container) -> Hiera:
    return {
        **opensdn.common_hiera(topology, container),
        "profile::analytics::hostname": container.fqdn,
        "profile::analytics::kafka_brokers": topology.kafka_brokers,
    }


def _secrets(_requirements: Requirements) -> SecretNames:
    return {**opensdn.common_secrets(), "profile::analytics::redis_password": "analytics_redis"}


ROLE = Role(
    name="analytics",
    aliases=("contrail-analytics", "opensdn-analytics"),
    memory_mib=450,
    profiles=("config",),
    needs={
        "haproxy": Stage.HEALTHY,
        "keystone": Stage.HEALTHY,
        "rabbitmq": Stage.HEALTHY,
        "cassandra": Stage.HEALTHY,
        # Each of the two works only with the other, and so neither waits for the other to.
        "config": Stage.ATTACHED,
    },
    frontends=(Frontend(name="analytics-api", port=opensdn.ANALYTICS_PORT, check_path="/"),),
    checks=(
        Check(port=opensdn.COLLECTOR_PORT),
        Check(port=opensdn.ANALYTICS_PORT, path="/"),
        *map(opensdn.functional, (8089, 8091, 8090, 5995)),
    ),
    check_seconds=300,
    memberships=(config_entry("analytics-node"),),
    packages=("redis-server",),
    hiera=_hiera,
    secrets=_secrets,
    readers={**opensdn.COMMON_READERS, "profile::analytics::redis_password": (OPENSDN,)},
)
