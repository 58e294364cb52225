"""What there is in a lab's OpenStack, so that what tests leave there can be told and removed."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from openstack.exceptions import SDKException

from tests.lab.cloud import Cloud

LEAVING_SECONDS = 60
"""How long something that is on its way out may still be there."""
IMAGE, FLAVORS, NETWORK, PROVIDER = "guest", ("tiny", "small"), "demo", "provider"
"""The demo's, which the tests of guests use."""


class NoDemo(Exception):
    """The lab lacks something of the demo's."""


@dataclass(frozen=True)
class Kind:
    """One kind of thing."""

    name: str
    service: str
    """Type of the service that it is in."""
    listed: Callable[[], Any]
    remove: Callable[[Any], Any]


def choices(cloud: Cloud) -> dict[str, str]:
    """Return the variables that tell the tests which of the demo's things to use.

    Raises:
        NoDemo: where one is missing.
    """
    image = cloud.image.find_image(IMAGE)
    flavors = [cloud.compute.find_flavor(name) for name in FLAVORS]
    network, provider = cloud.network.find_network(NETWORK), cloud.network.find_network(PROVIDER)
    if not (image and all(flavors) and network and provider):
        raise NoDemo("the lab lacks the demo's image, flavors or networks")
    return {
        "OS_IMAGE_ID": image.id,
        "OS_FLAVOR_ID": flavors[0].id,
        "OS_FLAVOR_ID_RESIZE": flavors[1].id,
        "OS_NETWORK_NAME": NETWORK,
        "OS_NETWORK_ID": network.id,
        "OS_SUBNET_ID": network.subnet_ids[0],
        "OS_POOL_NAME": PROVIDER,
        "OS_EXTGW_ID": provider.id,
    }


class Inventory:
    """What there was at a moment, by kind and identifier, and the quotas of projects."""

    def __init__(self, cloud: Cloud) -> None:
        """Take note of everything.

        Args:
            cloud: the administrator's connection.
        """
        self._cloud = cloud
        present = {entry["type"] for entry in cloud.service_catalog}
        self._kinds = [kind for kind in _kinds(cloud) if kind.service in present]
        self._before = self._now()

    def put_back(self) -> list[str]:
        """Remove what came since, and return what that was and what else is not as it was."""
        told: list[str] = []
        deadline = time.monotonic() + LEAVING_SECONDS
        while self._changes() and time.monotonic() < deadline:
            time.sleep(2)
        for _ in range(3):
            for kind, thing in self._came():
                line = f"{kind.name} {getattr(thing, 'name', '') or ''} ({_identifier(thing)})"
                told += [] if line in told else [line]
                try:
                    kind.remove(thing)
                except SDKException as error:
                    told.append(f"{line} could not be removed: {error}")
            if self.is_as_it_was():
                break
            time.sleep(5)
        return told + [f"{change} is not as it was" for change in self._changes()]

    def is_as_it_was(self) -> bool:
        """Say whether nothing came or went."""
        return not self._changes()

    def _now(self) -> dict[str, dict[str, Any]]:
        return {kind.name: {_identifier(thing): thing for thing in kind.listed()} for kind in self._kinds}

    def _came(self) -> Iterator[tuple[Kind, Any]]:
        for kind in self._kinds:
            for thing in list(kind.listed()):
                if _identifier(thing) not in self._before[kind.name]:
                    yield kind, thing

    def _changes(self) -> list[str]:
        now = self._now()
        return [f"{name} {each}" for name in now for each in sorted(now[name].keys() ^ self._before[name].keys())]


def _identifier(thing: Any) -> str:
    return str(thing if isinstance(thing, str) else thing.id)


def _kinds(cloud: Cloud) -> list[Kind]:
    """Return the kinds, those first that use others."""
    compute, volume, network, identity = cloud.compute, cloud.block_storage, cloud.network, cloud.identity
    return [
        Kind("server", "compute", lambda: compute.servers(all_projects=True), compute.delete_server),
        Kind("server group", "compute", lambda: compute.server_groups(all_projects=True), compute.delete_server_group),
        Kind("key pair", "compute", compute.keypairs, compute.delete_keypair),
        Kind("aggregate", "compute", compute.aggregates, compute.delete_aggregate),
        Kind("flavor", "compute", lambda: compute.flavors(is_public="None"), compute.delete_flavor),
        Kind("backup", "volumev3", lambda: volume.backups(all_projects=True), volume.delete_backup),
        Kind("snapshot", "volumev3", lambda: volume.snapshots(all_projects=True), volume.delete_snapshot),
        Kind("volume", "volumev3", lambda: volume.volumes(all_projects=True), volume.delete_volume),
        Kind("volume type", "volumev3", lambda: volume.types(is_public="None"), volume.delete_type),
        Kind("image", "image", cloud.image.images, cloud.image.delete_image),
        Kind("floating address", "network", network.ips, network.delete_ip),
        Kind("trunk", "network", network.trunks, network.delete_trunk),
        Kind("router", "network", network.routers, lambda router: _remove_router(cloud, router)),
        Kind("port", "network", lambda: _own_ports(cloud), network.delete_port),
        Kind("RBAC policy", "network", network.rbac_policies, network.delete_rbac_policy),
        Kind("network", "network", network.networks, network.delete_network),
        Kind("subnet", "network", network.subnets, network.delete_subnet),
        Kind("subnet pool", "network", network.subnet_pools, network.delete_subnet_pool),
        Kind("address scope", "network", network.address_scopes, network.delete_address_scope),
        Kind("security group", "network", network.security_groups, network.delete_security_group),
        Kind("QoS policy", "network", network.qos_policies, network.delete_qos_policy),
        Kind("quota of networks", "network", network.quotas, network.delete_quota),
        Kind(
            "resource provider",
            "placement",
            cloud.placement.resource_providers,
            cloud.placement.delete_resource_provider,
        ),
        Kind("project", "identity", identity.projects, identity.delete_project),
        Kind("user", "identity", identity.users, identity.delete_user),
        Kind("group", "identity", identity.groups, identity.delete_group),
        Kind("role", "identity", identity.roles, identity.delete_role),
        Kind("credential", "identity", identity.credentials, identity.delete_credential),
        Kind("policy", "identity", identity.policies, identity.delete_policy),
        Kind("limit", "identity", identity.limits, identity.delete_limit),
        Kind("registered limit", "identity", identity.registered_limits, identity.delete_registered_limit),
        Kind("endpoint", "identity", identity.endpoints, identity.delete_endpoint),
        Kind("service", "identity", identity.services, identity.delete_service),
        Kind("region", "identity", identity.regions, identity.delete_region),
        Kind("domain", "identity", identity.domains, lambda domain: _remove_domain(cloud, domain)),
    ]


def _own_ports(cloud: Cloud) -> Iterator[Any]:
    """Tell the ports that somebody made: those of routers and DHCP go with these."""
    return (port for port in cloud.network.ports() if not port.device_owner.startswith("network:"))


def _remove_router(cloud: Cloud, router: Any) -> None:
    for port in cloud.network.ports(device_id=router.id, device_owner="network:router_interface"):
        cloud.network.remove_interface_from_router(router, port_id=port.id)
    cloud.network.delete_router(router)


def _remove_domain(cloud: Cloud, domain: Any) -> None:
    cloud.identity.update_domain(domain, is_enabled=False)
    cloud.identity.delete_domain(domain)
