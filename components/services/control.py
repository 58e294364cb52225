"""OpenSDN's control role: routes between vrouters by BGP and XMPP, and names in the tenants' networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.configuration.environment import Container, Environment
from components.configuration.readers import OPENSDN
from components.services import opensdn
from components.services.role import Check, Hiera, Requirements, Role, SecretNames, Stage, config_entry
from components.services.topology import Topology


def _hiera(topology: Topology, container: Container) -> Hiera:
    return {**opensdn.common_hiera(topology, container), "profile::control::hostname": container.fqdn}


def _secrets(_requirements: Requirements) -> SecretNames:
    return {**opensdn.common_secrets(), "profile::control::rndc_secret": "control_rndc"}


def _overrides(environment: Environment) -> Mapping[str, Any]:
    """Return what the API is to know of it: a control node serves BGP only once that has its router."""
    return {"memberships": (config_entry("bgp-router", str(environment.sdn.asn)),)}


ROLE = Role(
    name="control",
    aliases=("contrail-control", "opensdn-control"),
    memory_mib=250,
    profiles=("config",),
    needs={"rabbitmq": Stage.HEALTHY, "cassandra": Stage.HEALTHY, "keystone": Stage.ATTACHED, "config": Stage.ATTACHED},
    endpoints={"xmpp": f"tcp://{{address}}:{opensdn.CONTROL_PORTS['xmpp']}"},
    checks=(
        *(Check(port=port) for port in opensdn.CONTROL_PORTS.values()),
        *map(opensdn.functional, (8083, 8092)),
    ),
    check_seconds=300,
    hiera=_hiera,
    secrets=_secrets,
    readers={**opensdn.COMMON_READERS, "profile::control::rndc_secret": (OPENSDN,)},
    overrides=_overrides,
)
