"""Tempest: tests of the lab's services from a container beside them, run by ``make tempest``."""

from __future__ import annotations

from itertools import islice

from components.configuration.derived import left_by_pools
from components.configuration.environment import Container
from components.services.role import Check, Hiera, Requirements, Role, SecretNames, Stage
from components.services.topology import Topology


def _hiera(topology: Topology, container: Container) -> Hiera:
    dashboard = [f for role, f in topology.frontends if role.name == "dashboard"]
    address = _provider_address(topology, container)
    return {
        "profile::tempest::keystone_url": topology.identity_api,
        "profile::tempest::domain": topology.environment.domain,
        "profile::tempest::region": topology.environment.region,
        "profile::tempest::computes": len(topology.members("compute")),
        **({"profile::tempest::dashboard_url": topology.endpoint(dashboard[0])} if dashboard else {}),
        **({"profile::tempest::provider_address": address} if address else {}),
    }


def _provider_address(topology: Topology, container: Container) -> str:
    """Return an address of the provider network that the demo's pool leaves free: from its lower half, downwards."""
    provider = topology.environment.provider
    if provider is None or not topology.members("neutron"):
        return ""
    free = left_by_pools(provider.network, provider.gateway)
    mine = next(islice(free, topology.members("tempest").index(container), None))
    return f"{mine}/{provider.network.prefixlen}"


def _secrets(_requirements: Requirements) -> SecretNames:
    return {"profile::tempest::admin_password": "keystone_admin"}


ROLE = Role(
    name="tempest",
    memory_mib=30,
    most=None,
    in_turn=False,
    built_late=True,
    # It gives itself an address on the provider network, where the guests' floating addresses are.
    capabilities=("NET_ADMIN",),
    provider_port=True,
    provider_address=True,
    needs={"keystone": Stage.HEALTHY, "haproxy": Stage.HEALTHY},
    checks=(Check(command=("/etc/dockstack/bin/tempest-smoke", "--check")),),
    packages=("tempest", "neutron-tempest-plugin"),
    hiera=_hiera,
    secrets=_secrets,
)
