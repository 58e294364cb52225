"""DNS and DHCP of the lab. https://thekelleys.org.uk/dnsmasq/docs/dnsmasq-man.html."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.configuration.environment import Container
from components.services.role import Check, Role
from components.services.topology import Topology


def _variables(topology: Topology, container: Container) -> Mapping[str, Any]:
    pool = topology.pool(container)
    return {"dhcp": {"start": str(pool[0]), "end": str(pool[1])} if pool else None}


ROLE = Role(
    name="dnsmasq",
    most=None,
    aliases=("dns", "dhcp"),
    memory_mib=40,
    capabilities=("NET_ADMIN",),
    mounts={"records": "/etc/dockstack-records"},
    boots_alone=True,
    serves_dns=True,
    variables=_variables,
    endpoints={"dns": "dns://{address}:53"},
    checks=(Check(port=53),),
    packages=("dnsmasq-base",),
)
