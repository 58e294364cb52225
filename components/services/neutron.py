"""Neutron: the networks of guests, with routers, DHCP and metadata in the same container.

Of several members each has agents of its own: new routers are kept ready on up to three of them, and networks have DHCP
on two.
"""

from __future__ import annotations

from dataclasses import replace

from components.configuration.environment import Container
from components.services import network, rabbitmq
from components.services.role import (
    UWSGI_FILES,
    Check,
    Frontend,
    Hiera,
    Membership,
    Requirements,
    Role,
    SecretNames,
    ServiceUser,
    Stage,
)
from components.services.topology import Topology

METADATA_SECRET = "metadata_secret"
"""Name of the secret that Neutron's metadata agent and Nova's metadata API share."""


def _hiera(topology: Topology, container: Container) -> Hiera:
    return {
        **network.agent_data(topology, container, {"provider": network.PROVIDER_BRIDGE}),
        "profile::neutron::vip_name": topology.vip_name,
        "profile::neutron::region": topology.environment.region,
        "profile::neutron::memcached_servers": topology.memcached_servers,
        "profile::neutron::database_host": topology.vip_name,
        "profile::neutron::tenant_networks": topology.environment.tenant_networks,
        "profile::neutron::mtu": container.mtu,
        **({"profile::neutron::redundant": True} if len(topology.members("neutron")) > 1 else {}),
    }


def _secrets(requirements: Requirements) -> SecretNames:
    nova = next((user.secret for user in requirements.service_users if user.name == "nova"), None)
    return {
        **network.AGENT_SECRETS,
        **({"profile::neutron::nova_password": nova} if nova else {}),
        "profile::neutron::database_password": "neutron_database",
        "profile::neutron::identity_password": "neutron_identity",
        "profile::neutron::metadata_secret": METADATA_SECRET,
    }


AGENTS = Membership(name="agents", role="neutron", leave=("/etc/dockstack/bin/remove-agents",))
"""What a container with agents of Neutron's is to it: what they have goes to others' agents when it goes."""
OWN_AGENTS = replace(AGENTS, join=("/etc/dockstack/bin/give-networks",))
"""What a member is to the others: it serves DHCP, too."""


ROLE = Role(
    name="neutron",
    memory_mib=1800,
    most=None,
    shares=(network.SHARED_FILES, UWSGI_FILES),
    capabilities=network.CAPABILITIES,
    devices=network.DEVICES,
    # Network namespaces are mounts, and its switch's start makes /proc/sys/net writable.
    mounts_filesystems=True,
    sysctls=network.SYSCTLS,
    tenant_port=True,
    provider_port=True,
    # Keystone is asked when the service is, so that it may come up at the same time.
    needs={"keystone": Stage.ATTACHED, "galera": Stage.HEALTHY, "rabbitmq": Stage.HEALTHY, "haproxy": Stage.HEALTHY},
    wants={"memcached": Stage.HEALTHY},
    frontends=(Frontend(name="neutron", port=9696, check_path="/"),),
    databases=("neutron",),
    service_users=(
        ServiceUser(name="neutron", type="network", description="OpenStack Networking", frontend="neutron"),
    ),
    checks=(Check(port=9696, path="/"), Check(command=("/etc/dockstack/bin/neutron-ready",))),
    check_seconds=300,
    memberships=(OWN_AGENTS, rabbitmq.queues()),
    packages=("neutron-api", "neutron-l3-agent", "openvswitch-switch"),
    hiera=_hiera,
    secrets=_secrets,
)
