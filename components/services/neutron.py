"""Neutron: the networks of guests, with routers, DHCP and metadata in the same container."""

from __future__ import annotations

from components.configuration.environment import Container
from components.services import network, rabbitmq
from components.services.role import UWSGI_FILES, Check, Demands, Frontend, Hiera, Identity, Role, SecretNames, Stage
from components.services.view import LabView

METADATA_SECRET = "metadata_secret"
"""Name of what Nova knows a guest by that Neutron asks for."""


def _hiera(view: LabView, container: Container) -> Hiera:
    return {
        **network.agent_data(view, container, {"provider": network.PROVIDER_BRIDGE}),
        "profile::neutron::vip_name": view.vip_name,
        "profile::neutron::region": view.environment.region,
        "profile::neutron::memcached_servers": view.memcached_servers,
        "profile::neutron::database_host": view.vip_name,
        "profile::neutron::tenant_networks": view.environment.tenant_networks,
        "profile::neutron::mtu": container.mtu,
    }


def _secrets(demands: Demands) -> SecretNames:
    nova = next((identity.secret for identity in demands.identities if identity.name == "nova"), None)
    return {
        **network.AGENT_SECRETS,
        **({"profile::neutron::nova_password": nova} if nova else {}),
        "profile::neutron::database_password": "neutron_database",
        "profile::neutron::identity_password": "neutron_identity",
        "profile::neutron::metadata_secret": METADATA_SECRET,
    }


ROLE = Role(
    name="neutron",
    memory_mib=1800,
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
    identities=(Identity(name="neutron", type="network", description="OpenStack Networking", frontend="neutron"),),
    checks=(Check(port=9696, path="/"), Check(command=("/etc/dockstack/bin/neutron-ready",))),
    check_seconds=300,
    memberships=(rabbitmq.queues(),),
    packages=("neutron-api", "neutron-l3-agent", "openvswitch-switch"),
    hiera=_hiera,
    secrets=_secrets,
)
