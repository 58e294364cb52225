"""Neutron: the networks of guests, with routers, DHCP and metadata in the same container.

Of several members each has agents of its own: new routers are kept ready on up to three of them, and networks have DHCP
on two.

Where the lab's networks are OpenSDN's, it is the API and nothing more: OpenSDN's plugin hands all on to its config API.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from components.configuration.derived import TENANT_NETWORK, pools
from components.configuration.duties import Choice
from components.configuration.environment import Container, Environment
from components.configuration.rules import OPENSDN
from components.services import network, rabbitmq
from components.services.role import (
    UWSGI_FILES,
    Agents,
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

PORT = 9696
AGENT_FILES, OPENSDN_FILES = "neutron-agents", "neutron-opensdn"
"""Directories below dockervolumes/: the agents' programs, with the workers that these talk to; and what looks whether
OpenSDN answers."""
PLUGINS = "/etc/neutron/plugins"
PHYSICAL_NETWORK = "provider"
"""Neutron's name for what is behind the provider bridge."""
METADATA_SECRET = "metadata_secret"
"""Name of the secret that Neutron's metadata agent and Nova's metadata API share."""


def _server(topology: Topology) -> Hiera:
    return {
        "profile::neutron::vip_name": topology.vip_name,
        "profile::neutron::keystone_url": topology.identity_api,
        "profile::neutron::region": topology.environment.region,
        "profile::neutron::memcached_servers": topology.memcached_servers,
        "profile::neutron::database_host": topology.vip_name,
    }


def _hiera(topology: Topology, container: Container) -> Hiera:
    return {
        **network.agent_data(topology, container, {PHYSICAL_NETWORK: network.PROVIDER_BRIDGE}),
        **_server(topology),
        "profile::neutron::tenant_networks": topology.environment.tenant_networks,
        "profile::neutron::mtu": container.mtu,
        **({"profile::neutron::redundant": True} if len(topology.members("neutron")) > 1 else {}),
    }


def _hiera_with_opensdn(topology: Topology, _container: Container) -> Hiera:
    return {
        **_server(topology),
        "profile::neutron::networking": OPENSDN,
        "profile::neutron::opensdn::rabbit_hosts": [m.fqdn for m in topology.members("rabbitmq")],
        # Straight to the APIs' own servers: at the VIP they may speak TLS.
        "profile::neutron::opensdn::config_servers": [str(m.address) for m in topology.members("config")],
        "profile::neutron::opensdn::analytics_servers": [str(m.address) for m in topology.members("analytics")],
    }


def _server_secrets(requirements: Requirements) -> SecretNames:
    nova = next((user.secret for user in requirements.service_users if user.name == "nova"), None)
    return {
        **({"profile::neutron::nova_password": nova} if nova else {}),
        "profile::neutron::database_password": "neutron_database",
        "profile::neutron::identity_password": "neutron_identity",
    }


def _secrets(requirements: Requirements) -> SecretNames:
    return {
        **network.AGENT_SECRETS,
        **_server_secrets(requirements),
        "profile::neutron::metadata_secret": METADATA_SECRET,
    }


def _secrets_with_opensdn(requirements: Requirements) -> SecretNames:
    return {**_server_secrets(requirements), "profile::neutron::opensdn::rabbit_password": "rabbitmq_openstack"}


def _variables(topology: Topology, _container: Container) -> Mapping[str, Any]:
    """Return the file of the core plugin's settings, which the API's program is given."""
    own = topology.environment.networking != OPENSDN
    return {"plugin": f"{PLUGINS}/ml2/ml2_conf.ini" if own else f"{PLUGINS}/opencontrail/ContrailPlugin.ini"}


def _overrides(environment: Environment) -> Mapping[str, Any]:
    """Return what is left of it where OpenSDN makes the networks: no agents, and so nothing that these need."""
    if environment.networking != OPENSDN:
        return {}
    return {
        "image": "neutron-opensdn",
        "shares": (OPENSDN_FILES, UWSGI_FILES),
        "profiles": ("config",),
        "capabilities": (),
        "devices": (),
        "mounts_filesystems": False,
        "sysctls": {},
        "tenant_port": False,
        "provider_port": False,
        "needs": {**ROLE.needs, "config": Stage.HEALTHY},
        "checks": (Check(port=PORT, path="/"), Check(command=("/etc/dockstack/bin/neutron-has-networks",))),
        "memberships": (rabbitmq.queues(),),
        "packages": ("neutron-api",),
        "hiera": _hiera_with_opensdn,
        "secrets": _secrets_with_opensdn,
    }


def _demo(topology: Topology, _disk: str) -> Mapping[str, Any]:
    """Return the network of the demo's guests, and where there is a provider network, their way out.

    What guests are reached by from outside, only Neutron's own routers are; and none boots beside OpenSDN's yet.
    """
    lab = topology.environment
    if lab.networking == OPENSDN:
        return {}
    dns = [str(member.address) for member in topology.name_servers]
    inside = {
        "security_group": {"name": "demo"},
        "network": {"name": "demo", "cidr": str(TENANT_NETWORK), "dns": dns},
    }
    if lab.provider is None:
        return inside
    ranges = pools(lab.provider.network, lab.provider.gateway)
    return {
        **inside,
        "provider": {
            "name": "provider",
            "physical_network": PHYSICAL_NETWORK,
            "cidr": str(lab.provider.network),
            "gateway": str(lab.provider.gateway),
            "pools": [{"start": str(first), "end": str(last)} for first, last in ranges],
        },
        "router": {"name": "demo", "inside": "demo", "outside": "provider"},
    }


AGENTS = Membership(name="agents", role="neutron", leave=("/etc/dockstack/bin/remove-agents",))
"""What a container with agents of Neutron's is to it: what they have goes to others' agents when it goes."""
OWN_AGENTS = replace(AGENTS, join=("/etc/dockstack/bin/give-networks",))
"""What a member is to the others: it serves DHCP, too."""


ROLE = Role(
    name="neutron",
    memory_mib=1800,
    most=None,
    shares=(network.SHARED_FILES, AGENT_FILES, UWSGI_FILES),
    capabilities=network.CAPABILITIES,
    devices=network.DEVICES,
    # Network namespaces are mounts, and its switch's start makes /proc/sys/net writable.
    mounts_filesystems=True,
    sysctls=network.SYSCTLS,
    tenant_port=True,
    provider_port=True,
    makes_networks=True,
    choices=(
        Choice(
            "networking",
            lambda raw: raw.networking == OPENSDN,
            # What knows which networks there are, and what makes them.
            ("config", "control"),
            "networks of OpenSDN need",
            "choose ovs",
        ),
    ),
    # Keystone is asked when the service is, so that it may come up at the same time.
    needs={"keystone": Stage.ATTACHED, "galera": Stage.HEALTHY, "rabbitmq": Stage.HEALTHY, "haproxy": Stage.HEALTHY},
    wants={"memcached": Stage.HEALTHY},
    frontends=(Frontend(name="neutron", port=PORT, check_path="/"),),
    databases=("neutron",),
    service_users=(
        ServiceUser(name="neutron", type="network", description="OpenStack Networking", frontend="neutron"),
    ),
    checks=(Check(port=PORT, path="/"), Check(command=("/etc/dockstack/bin/neutron-ready",))),
    check_seconds=300,
    memberships=(OWN_AGENTS, rabbitmq.queues()),
    packages=("neutron-api", "neutron-l3-agent", "openvswitch-switch"),
    variables=_variables,
    overrides=_overrides,
    demo=_demo,
    logins="/etc/neutron/neutron.conf",
    # Where OpenSDN makes the networks, Neutron knows of no agents at all.
    agents=Agents("network", "agents", lambda row: bool(row.is_alive), optional=True),
    built_late=True,
    hiera=_hiera,
    secrets=_secrets,
)
