"""Agents of Neutron's, and what they have: routers, and networks that they serve by DHCP."""

from typing import NamedTuple

from openstack_api import NOT_FOUND, Cloud, Refused

CONFIGURATION = "/etc/neutron/neutron.conf"
CONFLICT = 409
ROUTERS, NETWORKS = "L3 agent", "DHCP agent"
READY = 3
"""Agents that a router is kept ready on, where there are so many: Neutron's max_l3_agents_per_router."""
SERVING = 2
"""Agents that serve a network's DHCP: dhcp_agents_per_network in a lab of several members."""


class Kind(NamedTuple):
    """What agents of a type have, as Neutron's API tells it."""

    things: str
    thing: str
    kept: str
    agents: str


KINDS = {
    ROUTERS: Kind("l3-routers", "router_id", "routers", "l3-agents"),
    NETWORKS: Kind("dhcp-networks", "network_id", "networks", "dhcp-agents"),
}


def give(cloud: Cloud, agent: str, kind: Kind, thing: str) -> None:
    """Gives a thing to an agent; it may have it by now, as agents that start look for what nobody has, or be gone."""
    try:
        cloud.ask("POST", "network", f"/v2.0/agents/{agent}/{kind.things}", {kind.thing: thing})
    except Refused as refused:
        if refused.status not in (CONFLICT, NOT_FOUND):
            raise
