"""OpenSDN's config role: the API that all of its configuration goes through, and what makes the rest of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.configuration.environment import Container, Environment
from components.services import opensdn
from components.services.role import (
    Check,
    Frontend,
    Hiera,
    Requirements,
    Role,
    SecretNames,
    ServiceUser,
    Stage,
    config_entry,
)
from components.services.topology import Topology

ENCAPSULATIONS = "MPLSoUDP,MPLSoGRE,VXLAN"
METADATA_PORT = 8775


def _hiera(topology: Topology, container: Container) -> Hiera:
    return opensdn.common_hiera(topology, container)


def _secrets(_requirements: Requirements) -> SecretNames:
    return opensdn.common_secrets()


def _overrides(environment: Environment) -> Mapping[str, Any]:
    """Return what the API is to know of the role itself, and of the lab."""
    # Not at the VIP, where it speaks TLS in a lab that does.
    metadata = [f"{member.address}:{METADATA_PORT}" for member in environment.members("nova")[:1]]
    fabric = config_entry("fabric", str(environment.sdn.asn), ENCAPSULATIONS, *metadata)
    return {"memberships": (config_entry("config-node"), fabric)}


ROLE = Role(
    name="config",
    aliases=("contrail-config", "opensdn-config"),
    memory_mib=350,
    needs={
        "haproxy": Stage.HEALTHY,
        "keystone": Stage.HEALTHY,
        "rabbitmq": Stage.HEALTHY,
        "cassandra": Stage.HEALTHY,
    },
    frontends=(Frontend(name="config-api", port=opensdn.API_PORT, check_path="/"),),
    service_users=(
        ServiceUser(name=opensdn.USER, type="sdn", description="OpenSDN config API", frontend="config-api"),
    ),
    broker_users=(opensdn.USER,),
    checks=(Check(port=opensdn.API_PORT, path="/"), *map(opensdn.functional, (8084, 8087, 8088))),
    # In a lab with analytics they count as working only with a collector, which comes up at the same time.
    check_seconds=300,
    hiera=_hiera,
    secrets=_secrets,
    readers=opensdn.COMMON_READERS,
    overrides=_overrides,
)
