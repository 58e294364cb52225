"""A compute: nova-compute, libvirt and the guests themselves, which run in the container."""

from __future__ import annotations

from components.environment import Container
from components.services import nova
from components.services.role import Check, Demands, Hiera, Membership, Role, SecretNames, Stage
from components.services.view import LabView


def _hiera(view: LabView, container: Container) -> Hiera:
    return {**nova.common_hiera(view, container), "profile::compute::address": str(container.address)}


def _secrets(_demands: Demands) -> SecretNames:
    return nova.common_secrets()


ROLE = Role(
    name="compute",
    aliases=("novacompute", "nova-compute"),
    memory_mib=600,
    # NET_ADMIN: taps of the guests and the ports of its Open vSwitch.
    capabilities=("NET_ADMIN",),
    devices=("/dev/net/tun",),
    # Where the host has none, guests are emulated.
    optional_devices=("/dev/kvm",),
    # Guests' disks, and the name by which Nova knows the host again.
    profiles=("nova",),
    data={"state": "/var/lib/nova"},
    needs={"keystone": Stage.HEALTHY, "rabbitmq": Stage.HEALTHY, "nova": Stage.ATTACHED},
    wants={"memcached": Stage.HEALTHY},
    checks=(Check(command=("/etc/dockstack/bin/compute-ready",)),),
    packages=("nova-compute", "libvirt-daemon", "qemu-system-x86", "openvswitch-switch"),
    membership=Membership(
        role="nova",
        join=("/etc/dockstack/bin/compute-membership", "join"),
        leave=("/etc/dockstack/bin/compute-membership", "leave"),
    ),
    hiera=_hiera,
    secrets=_secrets,
)
