"""Roles that carry the traffic of guests: each has an Open vSwitch of its own, and Neutron's agent for it."""

from __future__ import annotations

from collections.abc import Mapping

from components.configuration.derived import tunnel_address
from components.configuration.environment import Container
from components.services.role import Hiera
from components.services.topology import Topology

SHARED_FILES = "openvswitch"
"""Directory below dockervolumes/."""
TENANT_BRIDGE, PROVIDER_BRIDGE = "br-phy", "br-ex"
"""Bridges inside the container, of the ports eth2 and eth1."""
CAPABILITIES = ("NET_ADMIN", "SYS_ADMIN", "DAC_READ_SEARCH", "SYS_PTRACE")
"""Interfaces, bridges and firewalls; network namespaces, and the mounts that keep them; and the rest of what the
helper processes of Neutron's agents set for themselves, and end without."""
DEVICES = ("/dev/net/tun",)
"""Open vSwitch's own interfaces, where the kernel has no datapath."""
SYSCTLS: Mapping[str, str] = {"net.ipv4.conf.all.arp_ignore": "1"}
"""The kernel must not answer at a bridge's port for an address that the bridge has."""
AGENT_SECRETS: Mapping[str, str] = {"profile::neutron::agent::rabbit_password": "rabbitmq_openstack"}


def agent_data(topology: Topology, container: Container, mappings: Mapping[str, str]) -> Hiera:
    """Return the parameters of ``profile::neutron::agent``.

    Args:
        topology: the lab.
        container: the container that the agent is in.
        mappings: physical networks to bridges, besides the tenants'.
    """
    return {
        "profile::neutron::agent::rabbit_hosts": [m.fqdn for m in topology.members("rabbitmq")],
        "profile::neutron::agent::tunnel_address": str(tunnel_address(container.address)),
        "profile::neutron::agent::mtu": container.mtu,
        "profile::neutron::agent::dns_domain": topology.environment.domain,
        "profile::neutron::agent::bridge_mappings": {"tenant": TENANT_BRIDGE, **mappings},
    }
