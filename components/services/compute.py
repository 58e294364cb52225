"""A compute: nova-compute, libvirt and the guests themselves, which run in the container."""

from __future__ import annotations

from components.configuration.environment import Container
from components.services import cinder, network, neutron, nova, rabbitmq
from components.services.role import Check, Hiera, Membership, Requirements, Role, SecretNames, Stage
from components.services.topology import Topology


def _hiera(topology: Topology, container: Container) -> Hiera:
    return {
        **nova.common_hiera(topology, container),
        **network.agent_data(topology, container, {}),
        **(cinder.compute_hiera(topology) if topology.members(cinder.ROLE.name) else {}),
        "profile::compute::address": str(container.address),
    }


def _secrets(requirements: Requirements) -> SecretNames:
    volumes = cinder.COMPUTE_SECRETS if set(cinder.ROLE.service_users) <= set(requirements.service_users) else {}
    return {**nova.common_secrets(), **network.AGENT_SECRETS, **volumes}


ROLE = Role(
    name="compute",
    aliases=("novacompute", "nova-compute"),
    memory_mib=700,
    most=None,
    in_turn=False,
    shares=(network.SHARED_FILES,),
    profiles=("nova", "neutron"),
    # The same that its Neutron agent needs: nova-compute's helper processes set for themselves no others.
    capabilities=network.CAPABILITIES,
    devices=network.DEVICES,
    # Where the host has none, guests are emulated.
    optional_devices=("/dev/kvm",),
    sysctls=network.SYSCTLS,
    tenant_port=True,
    runs_guests=True,
    built_late=True,
    handles_volumes=True,
    # Its switch's start makes /proc/sys/net writable, and Nova mounts the shares of volumes on NFS.
    mounts_filesystems=True,
    # Guests' disks, and the ID by which Nova recognizes the host.
    data={"state": "/var/lib/nova"},
    # Each guest has a directory that is called by its number, a UUID.
    vacant=("sh", "-c", "! ls -d /var/lib/nova/instances/*-*-*-*-* >/dev/null 2>&1"),
    needs={"keystone": Stage.HEALTHY, "rabbitmq": Stage.HEALTHY, "nova": Stage.ATTACHED, "neutron": Stage.ATTACHED},
    wants={"memcached": Stage.HEALTHY},
    checks=(Check(command=("/etc/dockstack/bin/compute-ready",)),),
    check_seconds=300,
    packages=("nova-compute", "libvirt-daemon", "qemu-system-x86", "openvswitch-switch"),
    memberships=(
        Membership(
            name="membership",
            role="nova",
            join=("/etc/dockstack/bin/compute-membership", "join"),
            leave=("/etc/dockstack/bin/compute-membership", "leave"),
            joined=("/etc/dockstack/bin/compute-membership", "joined"),
        ),
        neutron.AGENTS,
        rabbitmq.queues(),
    ),
    hiera=_hiera,
    secrets=_secrets,
)
